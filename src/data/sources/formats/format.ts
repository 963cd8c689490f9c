/**
 * What a format of logs is: a declarative mapping of its records onto our events (docs/events.md). Knows the words of such
 * a mapping; does not know any format, SQL, or how files are read. `../compile.ts` makes SQL of it; a format that no SQL can
 * read brings a parser (`FormatParser`).
 *
 * A *record* is what a file holds: a JSON object, or a row of a table. Of every record come one or more *entries*, each a
 * search, an action, an item, a user, or something that is counted and ignored. An entry is accepted, rejected, a
 * duplicate, or ignored: these add up to what was read, always.
 */
import type { TimeUnit } from '../times.js';

/**
 * A text of a record, null where it has none. JSON texts are themselves, integers below 2^53 are their digits; whatever else
 * JSON has (true, 1.5, lists) is no id, and where an id is asked for the entry is rejected. Cells of tables are text.
 *
 *   'user_id'                  a field; 'object.object_id' a field inside; a name with dots: { path: ['a.b'] }
 *   { path: […] }              the same, as a list of names and, in lists, of positions from 0
 *   { element: 'item_id' }     a field of the element of `each`; '' the element itself
 *   { constant: 'typed' }      the text itself
 *   { first: […] }             the first value that is there and not empty
 *   { joined: […], with: ' ' } values put together; null as soon as one is missing
 *   { together: […] }          one id of several, null as soon as one is missing: joined by blanks, so that no others give the same
 *   { parameter: …}            of a list of {key, value} pairs, such as GA4's event_params: the value whose key is `key`, the first
 *                              of its columns that is not blank; every number has a text here
 *   { folded: 'EVENT_TYPE' }   in lower case, without blanks, dashes and underscores: Add-To_cart is addtocart
 *   { words: 'keyword' }       a list [20, 34] as the text "20 34"
 *   { choose: …, else }        one text in place of another: {"USER_INPUT": "typed"}; null: there is none; others stay, or become `else`
 *   { least: 'at', of: 'hits' } the least number in a field of the elements of a list
 *   { after: …, prefix }       what follows a prefix, null where the value does not begin with it (case does not matter)
 */
export type Value =
  | string
  | { readonly path: readonly (string | number)[] }
  | { readonly element: string }
  | { readonly constant: string }
  | { readonly first: readonly Value[] }
  | { readonly joined: readonly Value[]; readonly with: string }
  | { readonly together: readonly Value[] }
  | { readonly parameter: string; readonly list: string; readonly key: string; readonly value: readonly string[] }
  | { readonly folded: Value }
  | { readonly words: Value }
  | { readonly choose: Value; readonly among: Readonly<Record<string, string | null>>; readonly else?: string }
  | { readonly least: string; readonly of: string }
  | { readonly after: Value; readonly prefix: string };

/** Something that holds for a record (or for the element of `each`) or does not; a missing value makes it false. */
export type Condition =
  | { readonly value: Value; readonly is: readonly string[] }
  /** There, and not empty. */
  | { readonly has: Value }
  /** As a number. */
  | { readonly value: Value; readonly above: number }
  /** In lower case, the value has this text in it. */
  | { readonly value: Value; readonly contains: string }
  | { readonly not: Condition }
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] };

/**
 * A time and how it is written. `iso or ms`: ISO 8601 text, or milliseconds as a number or as text; `iso text or ms`: the
 * same, but in JSON milliseconds must be a number; `iso or s`: ISO 8601 text, or seconds; `epoch`: a
 * number since 1970 whose size says whether it is seconds, milliseconds or microseconds, for data that does not say. Typed times of Parquet are themselves.
 */
export interface TimeValue {
  readonly value: Value;
  readonly unit: TimeUnit | 'iso or ms' | 'iso or s' | 'iso text or ms' | 'epoch';
}

interface EntryCommon {
  /** Which records become such an entry; without it, all. A record no mapping takes is rejected, unless `Table.otherwise` says ignored. */
  readonly when?: Condition;
  /** The field that holds a list: one entry for every element of it. An empty or missing list gives no entry. */
  readonly each?: string;
  /** Of the elements of `each`, those that count. The others are no entries: there must be another for the record. */
  readonly only?: Condition;
}

interface Happened extends EntryCommon {
  /** The known user. */
  readonly user?: Value;
  /**
   * A device or cookie. An event without a user is that of the one user that was ever seen with this id; where there is none,
   * or more than one, the id is the user.
   */
  readonly anonymous?: Value;
  readonly time?: TimeValue;
  /** For looking at a log: the column `fields` has the time as it is written. */
  readonly keepsTime?: true;
  /** A visit, where the format has one. Searches are sought inside it. */
  readonly session?: Value;
  /** Of two entries with one id, the one on the earlier line counts; ids of all entries are one space. */
  readonly id?: Value;
}

/** A search. With `rows: 'many'` a search has a record for every result: the first makes it, the others are counted as ignored. */
export interface SearchMapping extends Happened {
  readonly kind: 'search';
  readonly query: Value;
  /** How it was started; `unknown` where there is none. */
  readonly source?: Value;
  /** The list that shows its results; actions that name a list fit only searches with the same. */
  readonly list?: Value;
  readonly rows?: 'one' | 'many';
  /** Some trackers report one search twice: where the search before it in the session, inside the window of `Format.join`, has the same query, it is counted as ignored. */
  readonly echo?: true;
}

/** An action on an item. */
export interface ActionMapping extends Happened {
  readonly kind: 'action';
  readonly item: Value;
  /** One of `ACTION_TYPES` (`../event-types.ts`). `click` with a search is a click in its results, without one a feed event. */
  readonly type: Value;
  /** The id of the search that led to it. */
  readonly search?: Value;
  /** Without an id: seek the search by `Format.join`. */
  readonly follows?: Condition | true;
  /** See `SearchMapping.list`. */
  readonly list?: Value;
}

/** What is known of an item or user; a later entry about the same one replaces the earlier, adds to it, or is rejected (`MappedFormat.repeated`). */
export interface AttributesMapping extends EntryCommon {
  readonly kind: 'item' | 'user';
  readonly key: Value;
  /** `columns`: every other column of a table, under its name. An object: the fields of the object of that name. A record: these values. */
  readonly attributes:
    | 'columns'
    | { readonly object: string }
    /** A list of objects, each with the name and the value of an attribute. */
    | { readonly pairs: string; readonly name: string; readonly value: string }
    | Readonly<Record<string, Value>>;
}

/** Counted and left out: impressions, dislikes, page views, …. */
export interface IgnoredMapping extends EntryCommon, Omit<Happened, 'id'> {
  readonly kind: 'ignored';
  /** Seen for duplicates like any other id. */
  readonly id?: Value;
  /** Another list than that of a search is shown: what follows does not come from the searches before it. Needs a user and a time. */
  readonly closes?: true;
}

export type EntryMapping = SearchMapping | ActionMapping | AttributesMapping | IgnoredMapping;

/** How a file (or a stretch of its records) is recognised as a table of a format. */
export interface Recognition {
  /** Fields (dotted) that the header, or at least one of the first hundred records, must have, all of them in the same record. */
  readonly fields: readonly string[];
  /** And of which these have one of these values, case and all. */
  readonly values?: Readonly<Record<string, readonly string[]>>;
  /** And fields of which it must have none: to tell formats apart that share names. */
  readonly without?: readonly string[];
}

/** One kind of file of a format. Most formats have one only. */
export interface Table {
  /** As the specification calls it. */
  readonly name: string;
  readonly recognise: Recognition;
  /** Every mapping whose `when` holds makes an entry: conditions that exclude one another make one entry per record. */
  readonly entries: readonly EntryMapping[];
  /** What a record is that no mapping takes. Default: `rejected`, with the value of `typeOf` in the reason. */
  readonly otherwise?: 'ignored' | 'rejected';
  /**
   * Who a record is of, whatever becomes of it: somebody may sign in by an event that is left out, or that tells of an item. Without
   * it, only entries that say `user` and `anonymous` tell whose a device is.
   */
  readonly who?: { readonly user: Value; readonly anonymous: Value };
  /** The field that says the kind of a record, for messages and for counting what was ignored. */
  readonly typeOf?: Value;
  /** Names of columns that some files write otherwise: `{ "user_id:token": "user_id" }` by a rule. Default: as they are. */
  readonly header?: 'as it is' | 'before the colon';
}

/** How an action that names no search finds the one that led to it: the newest before it that fits. */
export interface JoinRule {
  /** Inside one session or, for records without a session (or where the format has none), between the same user's events less than the window apart. */
  readonly within: 'session' | 'user';
  /** The longest time between the search and the action. */
  readonly minutes: number;
  /** An action that is no click belongs to the search of the newest click on its item in the session, inside the window. */
  readonly inherits?: true;
}

/** A format that SQL can read. */
export interface MappedFormat {
  readonly name: string;
  /** A line for `sesrec import --help`. */
  readonly about: string;
  /** Where its field names are published. */
  readonly specification: string;
  readonly tables: readonly Table[];
  /** `time`: events are in order of time, then file, then line. `file`: in the order of the files, whatever times say. */
  readonly order: 'time' | 'file';
  readonly join?: JoinRule;
  /** What becomes of an action whose search id no record has, or not of this user, or only later. Default: `reject`; `feed` makes it an action without a search, and tells how many. */
  readonly unmatched?: 'reject' | 'feed';
  /** Users have no ids but their places in the files that are imported at once: who is in a later file cannot be told. */
  readonly namesNobody?: true;
  /** What somebody who uses such data should know: told at every import. */
  readonly caveat?: string;
  /** A second entry about one item or user: `merge` keeps the attributes that it does not name. Default: `replace`. */
  readonly repeated?: 'replace' | 'merge' | 'reject';
}

/** A format that brings its own parser. It is read from text. */
export interface ParsedFormat extends Omit<MappedFormat, 'tables'> {
  /**
   * Whether the first records of a file (text, decompressed; `first`: the very first) are of this format, for `auto`; `perhaps`:
   * they may go with another file that is.
   */
  readonly recognise: (first: string, beginning: string) => boolean | 'perhaps';
  /** A record may be JSON over several lines, or an element of a JSON list. Default: a record is a line. */
  readonly readsJson?: true;
  readonly parse: FormatParser;
}

export type Format = MappedFormat | ParsedFormat;

/** A record of a file, as a parser is given it. */
export interface SourceRecord {
  /** Index of the file among those given. */
  readonly file: number;
  /** The line that it begins on, counted from 1. */
  readonly line: number;
  /** Which of the records that begin on the line. */
  readonly record: number;
  readonly text: string;
}

/** An entry as a parser writes it. Texts as they are; the pipeline checks emptiness, so a parser need not. */
export interface StagedEntry {
  readonly kind: EntryMapping['kind'];
  readonly id?: string | null;
  readonly user?: string | null;
  readonly anonymous?: string | null;
  readonly session?: string | null;
  /** Milliseconds since 1970. */
  readonly time?: number | null;
  readonly query?: string | null;
  readonly source?: string | null;
  readonly item?: string | null;
  readonly search?: string | null;
  readonly follows?: boolean;
  readonly closes?: boolean;
  readonly echo?: boolean;
  readonly list?: string | null;
  readonly type?: string | null;
  /** Of an item or user (whose key is `item` or `user`). */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Where a parser leaves what it found, in order: entries of one record are in the order in which they come. */
export interface Staging {
  entry(record: SourceRecord, entry: StagedEntry): void;
  /** Something that is no entry: it goes to quarantine with its record. */
  reject(record: SourceRecord, reason: string): void;
}

/** A file that is to be read: its name for messages, and its records, which are its lines unless the format reads JSON (decompressed, without BOM and line ends, blank ones left out). */
export interface InputFile {
  readonly index: number;
  readonly name: string;
  /** Batches of records; a line that is no UTF-8 or too long is quarantined by the reader and not given. */
  readonly records: () => AsyncIterable<readonly SourceRecord[]>;
}

/** Reads all files of a format and stages what it finds, in order; memory must not grow with events. */
export type FormatParser = (files: readonly InputFile[], staging: Staging) => Promise<void>;
