/**
 * Turns the tables of a source into a data directory: filter, vocabularies, counts, manifest. Knows the canonical
 * tables and the order of vocabularies; does not know where the tables came from, nor who is held out (`split.ts`), nor how
 * files are written (`data-files.ts`).
 *
 * A source leaves these tables in the database (see `schema.ts` for their meaning):
 *
 *   feed      user, ordinal, time, type, item, search
 *   searches  user, ordinal, time, query, source
 *   clicks    search, item, ordinal, time   (folded into searches.clicked by `data-files.ts`; the first click of an item counts)
 *   items     index, item, and its attributes          index: the order of rows
 *   users     index, user, and its attributes
 */
import { join } from 'node:path';
import { UserError, hashOf, writeAtomically } from '../base/index.js';
import { writeDataFiles } from './data-files.js';
import { identifier, type Database } from './database.js';
import { DATA_FORMAT_VERSION, FIRST_INDEX, type DataManifest, type ReadCounts, type StepCounts } from './schema.js';
import { comparedQuery } from './sources/dialect.js';
import { createSplitViews, resolveSplit, type SplitRequest } from './split.js';
import { normaliseQuery, splitWords } from './vocabulary.js';

/**
 * The vocabularies of the data directory that this one grows from, each a table `old_` with "index" and this column, empty if it
 * grows from none: they come first, in their order.
 */
export const OLD_VOCABULARIES = {
  items: 'item',
  users: 'user',
  queries: 'query',
  words: 'word',
  sources: 'source',
} as const;

/** What a source says about itself. */
export interface SourceDescription {
  readonly source: DataManifest['source'];
  readonly split: SplitRequest;
  readonly itemAttributes: readonly string[];
  readonly userAttributes: readonly string[];
  /** What became of the records of the files, where the source says. */
  readonly read?: ReadCounts | null;
  /** The hash of the file of the ids of events, see `event-ids.ts`. */
  readonly eventIds: string | null;
  /** See `ImportOptions`. */
  readonly kCore?: number;
  /** The hash of the data directory that this one grows from. */
  readonly grownFrom?: string | null;
}

/**
 * Refuses attribute names that a Parquet table cannot hold beside ours: our own column names, and names that differ
 * only in case.
 */
export function checkAttributeNames(key: 'item' | 'user', names: readonly string[], where: string): void {
  const seen = new Set(['index', key]);
  for (const name of names) {
    const folded = name.toLowerCase();
    if (name.includes('\0'))
      throw new UserError(`${where}: the attribute ${JSON.stringify(name)} has the character 0 in its name: rename it`);
    if (seen.has(folded)) {
      throw new UserError(
        `${where}: the attribute ${JSON.stringify(name)} has the name of another column (case aside, and "index" and "${key}" are ours): rename it`,
      );
    }
    seen.add(folded);
  }
}

/** Counts the tables feed, searches and clicks, or the views of a part of them: `training` for training_feed, …. */
async function countStep(database: Database, step: string, part?: string): Promise<StepCounts> {
  const [feed, searches, clicks] = ['feed', 'searches', 'clicks'].map((table) => (part ? `${part}_${table}` : table));
  return {
    step,
    users: await database.number(
      `SELECT count(DISTINCT user) FROM (SELECT user FROM ${feed} UNION ALL SELECT user FROM ${searches})`,
    ),
    items: await database.number(
      `SELECT count(DISTINCT item) FROM (SELECT item FROM ${feed} UNION ALL SELECT item FROM ${clicks})`,
    ),
    feed: await database.number(`SELECT count(*) FROM ${feed}`),
    searches: await database.number(`SELECT count(*) FROM ${searches}`),
    queries: await database.number(
      `SELECT count(DISTINCT query) FROM (SELECT ${comparedQuery('query')} AS query FROM (SELECT DISTINCT query FROM ${searches})) WHERE query <> ''`,
    ),
  };
}

/** Drops the users who never searched or never acted in the feed. */
async function requireBothSides(database: Database): Promise<void> {
  await database.replace('feed', 'SELECT * FROM feed WHERE "user" IN (SELECT "user" FROM searches)');
  await database.run('DELETE FROM searches WHERE user NOT IN (SELECT user FROM feed)');
  await database.run('DELETE FROM clicks WHERE search NOT IN (SELECT ordinal FROM searches)');
}

/**
 * Keeps users and items that have at least `least` feed events among themselves, iterated until nothing changes. Of the
 * others all goes: searches of users, clicks on items.
 */
async function keepCore(database: Database, least: number): Promise<void> {
  const rows = async (): Promise<number> => database.number('SELECT count(*) FROM feed');
  for (let before = -1, now = await rows(); now !== before; before = now, now = await rows())
    for (const key of ['"user"', 'item'])
      await database.replace(
        'feed',
        `SELECT * FROM feed WHERE ${key} IN (SELECT ${key} FROM feed GROUP BY ${key} HAVING count(*) >= ${least})`,
      );
  await database.run('DELETE FROM searches WHERE "user" NOT IN (SELECT "user" FROM feed)');
  await database.run('DELETE FROM clicks WHERE search NOT IN (SELECT ordinal FROM searches)');
  await database.run('DELETE FROM clicks WHERE item NOT IN (SELECT item FROM feed)');
  await database.run('UPDATE feed SET search = NULL WHERE search NOT IN (SELECT ordinal FROM searches)');
  await database.run('DELETE FROM items WHERE item NOT IN (SELECT item FROM feed)');
}

/** Makes the tables of indices: `item_index`, `user_index`, `source_index`. */
async function createIndices(
  database: Database,
  attributes: { items: readonly string[]; users: readonly string[] },
): Promise<void> {
  const selected = (names: readonly string[], table: string): string =>
    names.map((name) => `, ${table}.${identifier(name)}`).join('');
  const index = (order: string): string =>
    `CAST(row_number() OVER (ORDER BY ${order}) + ${FIRST_INDEX - 1} AS INTEGER) AS "index"`;
  for (const [name, column] of Object.entries(OLD_VOCABULARIES))
    await database.run(`CREATE TABLE IF NOT EXISTS old_${name} ("index" INTEGER, ${identifier(column)} VARCHAR)`);
  await database.run(`CREATE VIEW vocabulary_items AS SELECT item, place FROM known_items
    UNION ALL SELECT item, NULL FROM old_items WHERE item NOT IN (SELECT item FROM known_items)`);
  await database.run(`CREATE TABLE item_index AS
    SELECT ${index('old_items."index" NULLS LAST, part, place')}, entries.item${selected(attributes.items, 'items')} FROM (
      SELECT item, 0 AS part, "index" AS place FROM items WHERE item IN (SELECT item FROM vocabulary_items)
      UNION ALL
      SELECT item, 1, place FROM vocabulary_items WHERE item NOT IN (SELECT item FROM items)
    ) AS entries LEFT JOIN items ON items.item = entries.item LEFT JOIN old_items ON old_items.item = entries.item`);
  await database.run(`CREATE TABLE user_index AS
    SELECT ${index('part, old_users."index" NULLS LAST, place')}, entries.user${selected(attributes.users, 'users')} FROM (
      SELECT user, 0 AS part, place FROM known_users
      UNION ALL
      SELECT user, 1, min(ordinal) FROM (SELECT user, ordinal FROM feed UNION ALL SELECT user, ordinal FROM searches)
      WHERE user NOT IN (SELECT user FROM known_users) GROUP BY user
    ) AS entries LEFT JOIN users ON users.user = entries.user LEFT JOIN old_users ON old_users.user = entries.user`);
  await database.run(`CREATE TABLE source_index AS
    SELECT ${index('old_sources."index" NULLS LAST, place')}, entries.source FROM (
      SELECT source, min(ordinal) AS place FROM training_searches GROUP BY source
      UNION ALL SELECT source, NULL FROM old_sources WHERE source NOT IN (SELECT source FROM training_searches)
    ) AS entries LEFT JOIN old_sources ON old_sources.source = entries.source`);
}

/** Makes `query_index`, `query_words` and `word_index` of the queries of training searches. */
async function createQueryIndices(database: Database): Promise<{ queries: number; words: number }> {
  const { query: old } = await database.read('SELECT query FROM old_queries ORDER BY "index"', { query: 'text' });
  const { word: oldWords } = await database.read('SELECT word FROM old_words ORDER BY "index"', { word: 'text' });
  const { query: typed } = await database.read(
    'SELECT query FROM (SELECT query, min(ordinal) AS place FROM training_searches GROUP BY query) ORDER BY place',
    { query: 'text' },
  );
  const queryWriter = await database.create('query_index', [
    ['index', 'INTEGER'],
    ['query', 'VARCHAR'],
  ]);
  const linkWriter = await database.create('query_words', [
    ['query', 'INTEGER'],
    ['position', 'INTEGER'],
    ['word', 'INTEGER'],
  ]);
  const wordWriter = await database.create('word_index', [
    ['index', 'INTEGER'],
    ['word', 'VARCHAR'],
  ]);
  const words = new Map<string, number>();
  const queries = new Set<string>();
  for (const word of oldWords) {
    wordWriter.row(FIRST_INDEX + words.size, word);
    words.set(word, FIRST_INDEX + words.size);
  }
  for (const text of [...old, ...typed]) {
    const query = normaliseQuery(text);
    if (query === '' || queries.has(query)) continue;
    const index = FIRST_INDEX + queries.size;
    queries.add(query);
    queryWriter.row(index, query);
    for (const [position, word] of splitWords(query).entries()) {
      let wordIndex = words.get(word);
      if (wordIndex === undefined) {
        wordIndex = FIRST_INDEX + words.size;
        words.set(word, wordIndex);
        wordWriter.row(wordIndex, word);
      }
      linkWriter.row(index, position, wordIndex);
    }
  }
  for (const writer of [queryWriter, linkWriter, wordWriter]) writer.finish();
  return { queries: FIRST_INDEX + queries.size, words: FIRST_INDEX + words.size };
}

/** The identity of a data set, by the formula of its format version: 1 had only the hashes of the files. */
export function identityOf({
  version,
  files,
  split,
  source: { generator },
}: Pick<DataManifest, 'version' | 'files' | 'split' | 'source'>): string {
  const lines = Object.keys(files)
    .sort()
    .map((name) => `${name} ${files[name]}\n`);
  if (version === 1) return hashOf(...lines);
  const cuts = split.strategy === 'global-time' ? [split.validationFrom, split.testFrom] : [];
  return hashOf(...lines, `split ${[split.strategy, ...cuts].join(' ')}\n`, `generator ${JSON.stringify(generator)}\n`);
}

/** Makes the data directory in `directory`, which exists and is empty, from the tables in the database. */
export async function prepareDirectory(
  database: Database,
  directory: string,
  described: SourceDescription,
): Promise<DataManifest> {
  const { source, itemAttributes, userAttributes } = described;
  const counts = [await countStep(database, 'imported')];
  if (source.options['requireBoth'] === true) {
    await requireBothSides(database);
    counts.push(await countStep(database, 'users with both feed and searches'));
  }
  if (described.kCore) {
    await keepCore(database, described.kCore);
    counts.push(await countStep(database, `${described.kCore}-core`));
  }
  if (counts.at(-1)?.users === 0 && described.kCore)
    throw new UserError(
      `nothing is left to import: no users and items have ${described.kCore} feed events with one another; choose a smaller --k-core`,
    );
  if (counts.at(-1)?.users === 0)
    throw new UserError(
      'nothing is left to import: no user has both searches and feed events; leave out --require-both',
    );
  const split = await resolveSplit(database, described.split);
  await createSplitViews(database, split);
  if (split.strategy === 'leave-one-out')
    counts.push(await countStep(database, 'before the held-out events', 'training'));
  else {
    for (const part of ['training', 'validation', 'test']) counts.push(await countStep(database, part, part));
  }
  await createIndices(database, { items: itemAttributes, users: userAttributes });
  const { queries, words } = await createQueryIndices(database);
  const size = async (table: string): Promise<number> =>
    FIRST_INDEX + (await database.number(`SELECT count(*) FROM ${table}`));
  const sizes = {
    users: await size('known_users'),
    items: await size('item_index'),
    queries,
    words,
    sources: await size('source_index'),
  };
  const files = await writeDataFiles(database, directory);
  const identity = { version: DATA_FORMAT_VERSION, files, split, source };
  const manifest: DataManifest = {
    format: 'sesrec-data',
    version: DATA_FORMAT_VERSION,
    source,
    ...(described.grownFrom ? { grownFrom: described.grownFrom } : {}),
    ...(described.read ? { read: described.read } : {}),
    eventIds: described.eventIds,
    counts,
    split,
    sizes,
    itemAttributes,
    userAttributes,
    files,
    hash: identityOf(identity),
  };
  await writeAtomically(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
