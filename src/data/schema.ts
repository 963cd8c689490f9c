/**
 * The tables that every source of logs must produce, and what they become in memory. Knows events, searches, items
 * and users; does not know files of other systems, batches or models. The same is told to users in docs/events.md.
 *
 * On disk (a data directory, written once and never changed):
 *
 *   manifest.json     DataManifest: written last, so that its presence means the directory is whole
 *   feed.parquet      user, ordinal, time, type, item, search
 *   searches.parquet  user, ordinal, time, query, source, clicked
 *   items.parquet     index, item, and one VARCHAR column per attribute
 *   users.parquet     index, user, and one VARCHAR column per attribute
 *   queries.parquet   index, query, words (the indices of its words, in order)
 *   words.parquet     index, word
 *   sources.parquet   index, source
 *
 * Order is never guessed from times: `ordinal` (BIGINT) orders all events of a data set, feed and search alike, and
 * no two events share one. All ids are text, never parsed.
 */

/** Index 0 of every vocabulary: padding, no real thing. */
export const PADDING = 0;
/** Index 1 of every vocabulary: whatever the vocabulary does not contain. */
export const UNKNOWN = 1;
/** The first index of a vocabulary that stands for a real thing. */
export const FIRST_INDEX = 2;

/**
 * The format version that this program writes. It reads version 1 too, which knows leave-one-out only, and no times of
 * clicks.
 */
export const DATA_FORMAT_VERSION = 2;

/** One row of feed.parquet: somebody acted on an item in the feed (or bought it). */
export interface FeedEvent {
  readonly user: string;
  readonly ordinal: bigint;
  /** Milliseconds since 1970, UTC; null where the source has no times. */
  readonly time: number | null;
  /** view, click, cart, purchase, like, play, … as the source calls it. */
  readonly type: string;
  readonly item: string;
  /** The ordinal of the search that led to this event, null when none did. It is kept out of this event's history. */
  readonly search: bigint | null;
}

/** One row of searches.parquet. */
export interface SearchEvent {
  readonly user: string;
  readonly ordinal: bigint;
  readonly time: number | null;
  /** The query as typed; it is normalised (NFC, lower case, single spaces) when the vocabulary is made. */
  readonly query: string;
  /** How the search was started: typed, suggested, history, …; `unknown` where the source does not say. */
  readonly source: string;
  /** Items clicked in its results, each with its own ordinal and time, so that a later click is not known too early. */
  readonly clicked: readonly { readonly item: string; readonly ordinal: bigint; readonly time: number | null }[];
}

/** Which events are training and which are held out; `split.ts` says who that is. */
export type Split =
  | { readonly strategy: 'leave-one-out' }
  | {
      readonly strategy: 'global-time';
      /** Training is before it. Milliseconds since 1970. */
      readonly validationFrom: number;
      /** Validation is before it, the test from it on. */
      readonly testFrom: number;
      /** Whether items that only the item table knows are candidates and targets, see `Dataset.trainedItems`. Absent: no. */
      readonly newItems?: true;
    };

/** What made a simulated log. */
export interface Generator {
  readonly name: string;
  readonly version: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** How many rows were left after a step of the preparation. */
export interface StepCounts {
  readonly step: string;
  readonly users: number;
  readonly items: number;
  readonly feed: number;
  readonly searches: number;
  /** Distinct queries, as they are compared. Absent in directories that were written before it was counted. */
  readonly queries?: number;
}

/** How many entries of a log became what. `accepted + rejected + duplicates + ignored = read`. */
export interface ReadCounts {
  /** Records in the files: lines, rows. */
  readonly records: number;
  /** Entries in them: one per record, unless a format holds several in one. */
  readonly read: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly ignored: number;
}

/** manifest.json of a data directory. Holds no clock time: the same input gives the same bytes. */
export interface DataManifest {
  readonly format: 'sesrec-data';
  readonly version: number;
  readonly source: {
    readonly importer: string;
    readonly files: readonly { readonly name: string; readonly sha256: string; readonly bytes: number }[];
    readonly options: Readonly<Record<string, unknown>>;
    /** Null for logs of real people. */
    readonly generator: Generator | null;
  };
  /** The hash of the data set that this one grew from: its vocabularies begin with that one's. */
  readonly grownFrom?: string;
  /** What became of the entries of the (new) files: accepted + rejected + duplicates + ignored = read. Sources of before it lack it. */
  readonly read?: ReadCounts;
  /**
   * The hash of the file of the ids of events (see `event-ids.ts`); null where no event had one. Data directories of before it lack it.
   */
  readonly eventIds?: string | null;
  readonly counts: readonly StepCounts[];
  readonly split: Split;
  /** Sizes including padding and unknown; of users and items, those that training knows. */
  readonly sizes: {
    readonly users: number;
    readonly items: number;
    readonly queries: number;
    readonly words: number;
    readonly sources: number;
  };
  /** How many items stand behind those that `sizes` counts (`Split.newItems`). Absent: none. */
  readonly newItems?: number;
  readonly itemAttributes: readonly string[];
  readonly userAttributes: readonly string[];
  /** SHA-256 of every Parquet file. */
  readonly files: Readonly<Record<string, string>>;
  /** The identity of the data set: SHA-256 over `files` in order of name, the split and the generator. */
  readonly hash: string;
}

/** Raw ids and their dense indices; 0 is padding, 1 unknown. */
export interface Vocabulary {
  /** Raw id of every index; those of padding and unknown are empty strings and not looked up. */
  readonly ids: readonly string[];
  /** The index of a raw id, `UNKNOWN` when it is not in the vocabulary. */
  index(id: string): number;
  /** Whether the raw id is in the vocabulary. */
  has(id: string): boolean;
}

/** One attribute of items or users, as a vocabulary and a column. */
export interface AttributeColumn {
  readonly values: Vocabulary;
  /** The attribute's value index for every item (or user) index; 0 where it has none. */
  readonly index: Int32Array;
}

/** Which held-out event of each user is predicted. */
export type HeldOut = 'validation' | 'test';

/** Queries that training never saw, but some of whose words it knows: see `unseen-queries.ts`. */
export interface UnseenQueries {
  /** Normalised. */
  readonly ids: readonly string[];
  /** Of every one its words that training knows, in order; never none. */
  readonly words: readonly (readonly number[])[];
  /** For every search its place in `ids`, -1 where its query is none of them. */
  readonly ofSearch: Int32Array;
}

/**
 * A data directory in memory: columns, grouped by user, in order of ordinals.
 *
 * User `u` has feed events `feedOffsets[u]` … `feedOffsets[u + 1] - 1`, searches likewise; search `s` has clicks
 * `clickOffsets[s]` … `clickOffsets[s + 1] - 1`. Indices of items, queries, sources are vocabulary indices; `UNKNOWN` for
 * what training never saw.
 */
export interface Dataset {
  readonly manifest: DataManifest;
  /** Every user of the log; those that a model may learn come first, see `trainedUsers`. */
  readonly users: Vocabulary;
  readonly items: Vocabulary;
  readonly queries: Vocabulary;
  readonly words: Vocabulary;
  readonly sources: Vocabulary;
  /** Words of query `q`: `queryWords[wordOffsets[q]]` …; every word is in the vocabulary or UNKNOWN. */
  readonly wordOffsets: Int32Array;
  readonly queryWords: Int32Array;
  readonly itemAttributes: ReadonlyMap<string, AttributeColumn>;
  readonly userAttributes: ReadonlyMap<string, AttributeColumn>;

  readonly feedOffsets: Int32Array;
  readonly feedItem: Int32Array;
  readonly feedOrdinal: Float64Array;
  /** Milliseconds since 1970, NaN where unknown. */
  readonly feedTime: Float64Array;
  /** Position (in the search columns) of the search that led to the event, -1 when none did. */
  readonly feedSearch: Int32Array;

  readonly searchOffsets: Int32Array;
  readonly searchQuery: Int32Array;
  /** What is known of queries that are `UNKNOWN` in `searchQuery`. Absent: nothing. */
  readonly unseenQueries?: UnseenQueries | undefined;
  readonly searchSource: Int32Array;
  readonly searchOrdinal: Float64Array;
  readonly searchTime: Float64Array;

  readonly clickOffsets: Int32Array;
  readonly clickItem: Int32Array;
  readonly clickOrdinal: Float64Array;
  readonly clickTime: Float64Array;

  /**
   * The feed position (an index into the feed columns) of each user's first event that is not training; for users who
   * hold nothing out it equals `feedOffsets[u + 1]`.
   */
  readonly heldOutStart: Int32Array;
  /**
   * The feed position of each user's target, -1 where there is none. Its item may be `UNKNOWN` under global time: such a
   * target cannot be predicted.
   */
  readonly targets: Readonly<Record<HeldOut, Int32Array>>;
  /** 1 for training searches, 0 for the others. Under leave-one-out they are no prefix of a user's searches. */
  readonly searchIsTraining: Uint8Array;
  /**
   * User indices below it have training events (under leave-one-out: all users). The others have a row of their own to
   * group their history by, and are `UNKNOWN` to a model.
   */
  readonly trainedUsers: number;
  /**
   * Item indices below it are what training knows: all of them, unless the split lets new items in (`Split.newItems`). The others
   * nobody met before the cut: they stand in the item table, can be recommended, and are `UNKNOWN` to a model but for their attributes.
   */
  readonly trainedItems: number;
}
