/** Writes entries into the staging table one by one, for parsers. Knows what an entry must have; does not know formats. */
import type { Cell, Database, TableWriter } from '../database.js';
import type { SourceRecord, StagedEntry, Staging } from './formats/format.js';
import { RAW_LENGTH, STAGED, type StagedColumn } from './staged.js';

const COLUMNS = Object.keys(STAGED) as StagedColumn[];

/** A writer for the staging table, which is there. */
export async function stagingWriter(database: Database): Promise<StagingWriter> {
  const types = COLUMNS.map((name) => STAGED[name]);
  return new StagingWriter(await database.append('staged', types));
}

/** Writes entries as rows of the staging table. */
export class StagingWriter implements Staging {
  readonly #writer: TableWriter;
  #place = { file: -1, line: -1, record: -1, next: 0 };

  constructor(writer: TableWriter) {
    this.#writer = writer;
  }

  entry(record: SourceRecord, entry: StagedEntry): void {
    const filled = (text: string | null | undefined): string | null =>
      (text ?? '').trim() === '' ? null : (text as string);
    const { kind } = entry;
    const fields = entry.attributes === undefined ? null : JSON.stringify(entry.attributes);
    const reason = reasonOf(entry, fields, filled);
    this.#row(record, {
      kind,
      id: filled(entry.id),
      user: filled(entry.user),
      anonymous: filled(entry.anonymous),
      session: filled(entry.session),
      time: entry.time ?? null,
      query: kind === 'search' ? (entry.query ?? '') : null,
      source: filled(entry.source),
      item: filled(entry.item),
      search: filled(entry.search),
      follows: entry.follows === true || entry.closes === true || entry.echo === true ? 1 : null,
      list: filled(entry.list),
      type: entry.type ?? null,
      fields,
      ...(reason === null ? {} : { reason, raw: record.text.slice(0, RAW_LENGTH) }),
    });
  }

  reject(record: SourceRecord, reason: string): void {
    this.#row(record, { reason, raw: record.text.slice(0, RAW_LENGTH) });
  }

  finish(): void {
    this.#writer.finish();
  }

  /** Writes a row; `part` counts those of one record. */
  #row({ file, line, record }: SourceRecord, entry: Partial<Record<StagedColumn, Cell>>): void {
    const { file: lastFile, line: lastLine, record: lastRecord } = this.#place;
    if (lastFile !== file || lastLine !== line || lastRecord !== record) this.#place = { file, line, record, next: 0 };
    const values: typeof entry = { ...entry, file, line, record, part: this.#place.next++ };
    this.#writer.row(...COLUMNS.map((name) => values[name] ?? null));
  }
}

/** Half of a surrogate pair in JSON, which writes nothing else as such an escape; an escaped backslash before `ud800` is none. */
const HALF_IN_JSON = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/** Half a surrogate pair could not be stored. */
function reasonOf(
  entry: StagedEntry,
  fields: string | null,
  filled: (text: string | null | undefined) => string | null,
): string | null {
  const { kind } = entry;
  const needed: readonly (keyof StagedEntry)[] =
    kind === 'search' ? ['user'] : kind === 'action' ? ['user', 'item', 'type'] : kind === 'ignored' ? [] : [kind];
  for (const name of needed) {
    if (name === 'user' && filled(entry.anonymous) !== null) continue;
    if (filled(entry[name] as string | null) === null) return `the ${name} is missing or empty`;
  }
  const { id, user, anonymous, session, item, query, search } = entry;
  const isHalf = (text: string | null | undefined): boolean => typeof text === 'string' && /\p{Surrogate}/u.test(text);
  if ([id, user, anonymous, session, item, query, search].some(isHalf) || HALF_IN_JSON.test(fields ?? ''))
    return 'half a character (a lone surrogate)';
  return null;
}
