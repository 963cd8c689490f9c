/**
 * Reads a data directory into memory, and links it into another place. Knows the manifest, the Parquet files and the
 * columns of `Dataset`; does not know where the data came from or what it is used for.
 */
import { copyFile, link, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CorruptFileError,
  hashFile,
  isEither,
  isListOf,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isWhole,
  messageOf,
  readJson,
  stageDirectory,
} from '../base/index.js';
import {
  DatabaseError,
  exactPath,
  identifier,
  parquetTable,
  withDatabase,
  type ColumnKind,
  type Database,
} from './database.js';
import { DATA_FILES } from './data-files.js';
import { identityOf } from './prepare.js';
import {
  FIRST_INDEX,
  UNKNOWN,
  type AttributeColumn,
  type DataManifest,
  type Dataset,
  type UnseenQueries,
  type Vocabulary,
} from './schema.js';
import { partition } from './split.js';
import { unseenQueries } from './unseen-queries.js';
import { normaliseQuery, vocabularyOf } from './vocabulary.js';

const LOADING_THREADS = 2;

const isCount = isWhole(0);
const manifestRule = isRecordOf({
  source: isRecordOf({
    importer: isText,
    options: isRecordOf({}),
    generator: isEither(isOneOf(null), isRecordOf({ name: isText, version: isText, options: isRecordOf({}) })),
  }),
  counts: isListOf(isRecordOf({ step: isText, users: isCount, items: isCount, feed: isCount, searches: isCount })),
  split: isEither(
    isRecordOf({ strategy: isOneOf('leave-one-out') }),
    isRecordOf({
      strategy: isOneOf('global-time'),
      validationFrom: isNumber(),
      testFrom: isNumber(),
      newItems: isEither(isOneOf(undefined), isOneOf(true)),
    }),
  ),
  newItems: isEither(isOneOf(undefined), isCount),
  sizes: isRecordOf({ users: isCount, items: isCount, queries: isCount, words: isCount, sources: isCount }),
  itemAttributes: isListOf(isText),
  userAttributes: isListOf(isText),
});

/** What a manifest of each version that can be read means today. Its version stays: it says what the files hold. */
const migrations: ReadonlyMap<unknown, (written: Partial<DataManifest>) => Partial<DataManifest>> = new Map([
  [1, (written) => ({ ...written, source: { ...(written.source as DataManifest['source']), generator: null } })],
  [2, (written) => written],
]);

/** Reads the manifest of a data directory and checks that this program can read what it describes. */
export async function readManifest(directory: string): Promise<DataManifest> {
  const path = join(directory, 'manifest.json');
  if (!(await isThere(path)))
    throw new CorruptFileError(
      `${directory} is not a data directory, for it has no manifest.json: make one with sesrec import`,
    );
  const written = (await readJson(path)) as Partial<DataManifest> | null;
  if (written?.format !== 'sesrec-data')
    throw new CorruptFileError(`${path} is not the manifest of a data directory: make one with sesrec import`);
  const migrate = migrations.get(written.version);
  if (!migrate) {
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(written.version)}, this program reads ${[...migrations.keys()].join(' and ')}: import the data again`,
    );
  }
  const manifest = migrate(written);
  const { files } = manifest;
  const complete =
    typeof files === 'object' && files !== null && Object.keys(files).sort().join() === DATA_FILES.join();
  if (!complete || manifestRule(manifest, '') !== null || identityOf(manifest as DataManifest) !== manifest.hash) {
    throw new CorruptFileError(`${path} is damaged: import the data again`);
  }
  return manifest as DataManifest;
}

/** The same, and checks every file against its hash. A missing or damaged file is a `CorruptFileError`. */
export async function checkedManifest(directory: string): Promise<DataManifest> {
  const manifest = await readManifest(directory);
  await Promise.all(
    DATA_FILES.map(async (name) => {
      const path = join(directory, name);
      const hash = await hashFile(path).catch((error: unknown) => {
        throw new CorruptFileError(`cannot read ${path}: ${messageOf(error)}: import the data again`, { cause: error });
      });
      if (hash !== manifest.files[name])
        throw new CorruptFileError(
          `${path} is damaged (its SHA-256 differs from the manifest's): import the data again`,
        );
    }),
  );
  return manifest;
}

/** Loads a data directory after checking every file against its hash. A missing or damaged file is a `CorruptFileError`. */
export async function loadDataset(directory: string): Promise<Dataset> {
  const manifest = await checkedManifest(directory);
  try {
    return await withDatabase(async (database) => readDataset(database, directory, manifest), {
      threads: LOADING_THREADS,
    });
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new CorruptFileError(`cannot read the data in ${directory}: ${error.message}: import the data again`, {
      cause: error,
    });
  }
}

/** Makes `to` another name for the data directory `from`: hard links, or copies where the file system has no links. */
export async function linkDataset(from: string, to: string, options: { overwrite?: boolean } = {}): Promise<void> {
  await readManifest(from);
  await stageDirectory(to, options, async (directory) => {
    for (const name of [...DATA_FILES, 'manifest.json']) {
      const [source, target] = [join(from, name), join(directory, name)];
      await link(source, target).catch(async () => copyFile(source, target));
    }
  });
}

/** Values that a column of a real file may have beside its bytes: none takes less than a bit, but for small files. */
const mostValues = (bytes: number): number => 64 * bytes + 1e6;

/** Refuses a file that claims more values than it can hold honestly: a kilobyte may say "the same a billion times". */
async function refuseInflated(database: Database, path: string): Promise<void> {
  const values = await database.number(
    `SELECT coalesce(max(total), 0) FROM (SELECT sum(num_values) AS total FROM parquet_metadata(${exactPath(path)}) GROUP BY path_in_schema)`,
  );
  const { size } = await stat(path);
  if (values > mostValues(size))
    throw new CorruptFileError(`${path} claims ${values} values in ${size} bytes: import the data again`);
}

async function readDataset(database: Database, directory: string, manifest: DataManifest): Promise<Dataset> {
  for (const name of DATA_FILES) {
    await refuseInflated(database, join(directory, name));
    await database.run(
      `CREATE VIEW ${name.replace('.parquet', '')} AS SELECT * FROM ${parquetTable(join(directory, name))}`,
    );
  }
  const users = await readVocabulary(database, 'users', 'user');
  const items = await readVocabulary(database, 'items', 'item');
  const queries = await readVocabulary(database, 'queries', 'query');
  const words = await readVocabulary(database, 'words', 'word');
  const sources = await readVocabulary(database, 'sources', 'source');
  const feed = await database.read(
    `SELECT users."index", coalesce(items."index", ${UNKNOWN}), ordinal, time, coalesce(search, -1) FROM feed
    JOIN users ON users.user = feed.user LEFT JOIN items ON items.item = feed.item ORDER BY users."index", ordinal`,
    { user: 'integer', item: 'integer', ordinal: 'number', time: 'number', search: 'number' },
  );
  const searches = await readSearches(database, queries, words);
  const clicks = await database.read(
    `SELECT search, coalesce(items."index", ${UNKNOWN}), click.ordinal, ${manifest.version === 1 ? 'NULL' : 'click.time'} FROM (
      SELECT ordinal AS search, unnest(clicked) AS click FROM searches
    ) AS clicks LEFT JOIN items ON items.item = click.item ORDER BY search, click.ordinal`,
    { search: 'number', item: 'integer', ordinal: 'number', time: 'number' },
  );

  const feedOffsets = offsetsOf(feed.user, users.ids.length);
  const positions = new Map<number, number>();
  for (const [position, ordinal] of searches.ordinal.entries()) positions.set(ordinal, position);
  const events = {
    feedOffsets,
    feedItem: feed.item,
    feedOrdinal: feed.ordinal,
    feedTime: feed.time,
    feedSearch: Int32Array.from(feed.search, (ordinal) => positions.get(ordinal) ?? -1),
    searchOffsets: offsetsOf(searches.user, users.ids.length),
    searchQuery: searches.query,
    unseenQueries: searches.unseen,
    searchSource: searches.source,
    searchOrdinal: searches.ordinal,
    searchTime: searches.time,
  };
  const parts = partition(manifest.split, events);
  const trainedItems = items.ids.length - (manifest.newItems ?? 0);
  const sizes = { users: parts.trainedUsers, items: trainedItems, ...sizesOf({ queries, words, sources }) };
  for (const [name, size] of Object.entries(sizes)) {
    if (manifest.sizes[name as keyof typeof sizes] !== size)
      throw new CorruptFileError(
        `${join(directory, 'manifest.json')} is damaged: its number of ${name} is not that of the files: import the data again`,
      );
  }
  return {
    manifest,
    users,
    items,
    queries,
    words,
    sources,
    ...(await readQueryWords(database, queries.ids.length)),
    itemAttributes: await readAttributes(database, 'items', manifest.itemAttributes, items.ids.length, trainedItems),
    userAttributes: await readAttributes(
      database,
      'users',
      manifest.userAttributes,
      users.ids.length,
      parts.trainedUsers,
    ),
    ...events,
    ...groupClicks(clicks, positions, searches.ordinal.length, join(directory, 'searches.parquet')),
    ...parts,
    trainedItems,
  };
}

const sizesOf = <Name extends string>(vocabularies: Readonly<Record<Name, Vocabulary>>): Record<Name, number> =>
  Object.fromEntries(Object.entries<Vocabulary>(vocabularies).map(([name, { ids }]) => [name, ids.length])) as Record<
    Name,
    number
  >;

async function readVocabulary(database: Database, table: string, column: string): Promise<Vocabulary> {
  const { id } = await database.read(`SELECT ${identifier(column)} FROM ${table} ORDER BY "index"`, { id: 'text' });
  return vocabularyOf(id);
}

interface Searches {
  readonly user: Int32Array;
  readonly query: Int32Array;
  readonly unseen: UnseenQueries;
  readonly source: Int32Array;
  readonly ordinal: Float64Array;
  readonly time: Float64Array;
}

/** Reads the searches by user and ordinal. Every distinct text is normalised once. */
async function readSearches(database: Database, queries: Vocabulary, words: Vocabulary): Promise<Searches> {
  await database.run(
    'CREATE TABLE typed AS SELECT query, CAST(row_number() OVER () - 1 AS INTEGER) AS number FROM (SELECT DISTINCT query FROM searches)',
  );
  const { query: texts } = await database.read('SELECT query FROM typed ORDER BY number', { query: 'text' });
  const indices = Int32Array.from(texts, (text) => queries.index(normaliseQuery(text)));
  const { text, ...columns } = await database.read(
    `SELECT users."index", typed.number, coalesce(sources."index", ${UNKNOWN}), ordinal, time FROM searches
    JOIN users ON users.user = searches.user JOIN typed ON typed.query = searches.query
    LEFT JOIN sources ON sources.source = searches.source ORDER BY users."index", ordinal`,
    { user: 'integer', text: 'integer', source: 'integer', ordinal: 'number', time: 'number' },
  );
  return {
    ...columns,
    query: text.map((number) => indices[number] as number),
    unseen: unseenQueries(texts, text, queries, words),
  };
}

/** The words of every query; padding and unknown have none. */
async function readQueryWords(
  database: Database,
  size: number,
): Promise<{ wordOffsets: Int32Array; queryWords: Int32Array }> {
  const rows = await database.read(
    `SELECT "index", word FROM (
      SELECT "index", unnest(words) AS word, generate_subscripts(words, 1) AS position FROM queries
    ) ORDER BY "index", position`,
    { query: 'integer', word: 'integer' },
  );
  return { wordOffsets: offsetsOf(rows.query, size), queryWords: rows.word };
}

/** Where the rows of each group 0 … size-1 begin, given every row's group in ascending order. */
function offsetsOf(groups: Int32Array, size: number): Int32Array {
  const offsets = new Int32Array(size + 1);
  for (const group of groups) offsets[group + 1] = (offsets[group + 1] as number) + 1;
  for (let i = 0; i < size; i++) offsets[i + 1] = (offsets[i + 1] as number) + (offsets[i] as number);
  return offsets;
}

/** Puts clicks, which come by ordinal of their search, in the order of the searches' positions. */
function groupClicks(
  clicks: { search: Float64Array; item: Int32Array; ordinal: Float64Array; time: Float64Array },
  positions: ReadonlyMap<number, number>,
  size: number,
  file: string,
): Pick<Dataset, 'clickOffsets' | 'clickItem' | 'clickOrdinal' | 'clickTime'> {
  const position = Int32Array.from(clicks.search, (ordinal) => {
    const found = positions.get(ordinal);
    if (found === undefined)
      throw new CorruptFileError(`${file} is damaged: a click belongs to no search: import the data again`);
    return found;
  });
  const clickOffsets = offsetsOf(position, size);
  const next = clickOffsets.slice();
  const clickItem = new Int32Array(position.length);
  const clickOrdinal = new Float64Array(position.length);
  const clickTime = new Float64Array(position.length);
  for (const [row, search] of position.entries()) {
    const target = next[search] as number;
    next[search] = target + 1;
    clickItem[target] = clicks.item[row] as number;
    clickOrdinal[target] = clicks.ordinal[row] as number;
    clickTime[target] = clicks.time[row] as number;
  }
  return { clickOffsets, clickItem, clickOrdinal, clickTime };
}

/**
 * Reads the attributes of items or users, each as a vocabulary in order of first appearance. Only indices below `known`
 * are looked at for it: what the others alone have is unknown.
 */
async function readAttributes(
  database: Database,
  table: 'items' | 'users',
  names: readonly string[],
  size: number,
  known = size,
): Promise<ReadonlyMap<string, AttributeColumn>> {
  const attributes = new Map<string, AttributeColumn>();
  if (names.length === 0) return attributes;
  const kinds: Record<string, ColumnKind> = {};
  for (const i of names.keys()) kinds[`attribute${i}`] = 'text';
  const columns = await database.read(
    `SELECT ${names.map(identifier).join(', ')} FROM ${table} ORDER BY "index"`,
    kinds,
  );
  for (const [i, name] of names.entries()) {
    const texts = columns[`attribute${i}`] as string[];
    const values = vocabularyOf([...new Set(texts.slice(0, known - FIRST_INDEX))].filter((text) => text !== ''));
    const index = new Int32Array(size);
    for (const [row, text] of texts.entries()) if (text !== '') index[FIRST_INDEX + row] = values.index(text);
    attributes.set(name, { values, index });
  }
  return attributes;
}
