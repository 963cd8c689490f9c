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
import { foldClicks, writeDataFiles } from './data-files.js';
import { identifier, type Database } from './database.js';
import type { Engine } from './engine.js';
import { DATA_FORMAT_VERSION, FIRST_INDEX, type DataManifest, type ReadCounts, type StepCounts } from './schema.js';
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
async function countStep(engine: Engine, step: string, part?: string): Promise<StepCounts> {
  const [feed, searches, clicks] = ['feed', 'searches', 'clicks'].map((table) => (part ? `${part}_${table}` : table));
  const compared = engine.dialect.withComparedQuery(`SELECT DISTINCT query FROM ${searches}`);
  const [users, items, acted, searched, queries] = (await engine.numbers([
    `SELECT count(DISTINCT "user") FROM (SELECT "user" FROM ${feed} UNION ALL SELECT "user" FROM ${searches})`,
    `SELECT count(DISTINCT item) FROM (SELECT item FROM ${feed} UNION ALL SELECT item FROM ${clicks})`,
    `SELECT count(*) FROM ${feed}`,
    `SELECT count(*) FROM ${searches}`,
    `SELECT count(DISTINCT compared) FROM (${compared}) WHERE compared <> ''`,
  ])) as [number, number, number, number, number];
  return { step, users, items, feed: acted, searches: searched, queries };
}

/** Drops the users who never searched or never acted in the feed. */
async function requireBothSides(engine: Engine): Promise<void> {
  await engine.replace('feed', 'SELECT * FROM feed WHERE "user" IN (SELECT "user" FROM searches)');
  await engine.keep('searches', '"user" IN (SELECT "user" FROM feed)');
  await engine.keep('clicks', 'search IN (SELECT ordinal FROM searches)');
}

/**
 * Keeps users and items that have at least `least` feed events among themselves, iterated until nothing changes. Of the
 * others all goes: searches of users, clicks on items.
 */
async function keepCore(engine: Engine, least: number): Promise<void> {
  const rows = async (): Promise<number> => engine.number('SELECT count(*) FROM feed');
  for (let before = -1, now = await rows(); now !== before; before = now, now = await rows())
    for (const key of ['"user"', 'item'])
      await engine.replace(
        'feed',
        `SELECT * FROM feed WHERE ${key} IN (SELECT ${key} FROM feed GROUP BY ${key} HAVING count(*) >= ${least})`,
      );
  await engine.keep('searches', '"user" IN (SELECT "user" FROM feed)');
  await engine.keep('clicks', 'search IN (SELECT ordinal FROM searches) AND item IN (SELECT item FROM feed)');
  await engine.replace(
    'feed',
    `SELECT feed."user", feed.ordinal, feed.time, feed.type, feed.item, kept.ordinal AS search
    FROM feed LEFT JOIN searches AS kept ON kept.ordinal = feed.search`,
  );
  await engine.keep('items', 'item IN (SELECT item FROM feed)');
}

/** Makes earlier vocabularies empty tables, where there are none. */
async function createOld(engine: Engine, ...names: readonly (keyof typeof OLD_VOCABULARIES)[]): Promise<void> {
  for (const name of names)
    await engine.run(
      `CREATE TABLE IF NOT EXISTS old_${name} ("index" INTEGER, ${identifier(OLD_VOCABULARIES[name])} ${engine.dialect.text})`,
    );
}

/** Makes the orders of vocabularies: `item_order`, `user_order`, `source_order`, each numbered from 0. */
async function createOrders(engine: Engine): Promise<void> {
  await createOld(engine, 'items', 'users', 'sources');
  const isIn = (table: string, name: string, value: string): string =>
    `EXISTS (SELECT 1 FROM ${table} WHERE ${table}.${name} = ${value})`;
  await engine.run(`CREATE VIEW trained_items AS SELECT item, place FROM known_items
    UNION ALL SELECT item, NULL FROM old_items WHERE NOT ${isIn('known_items', 'item', 'old_items.item')}`);
  await engine.run(`CREATE VIEW vocabulary_items AS SELECT item, place, 0 AS newness FROM trained_items
    UNION ALL SELECT item, NULL, 1 FROM new_items WHERE NOT ${isIn('trained_items', 'item', 'new_items.item')}`);
  await engine.createNumbered(
    'item_order',
    `SELECT entries.item, newness, old_items."index" AS old, part, place FROM (
      SELECT items.item, newness, 0 AS part, "index" AS place FROM items JOIN vocabulary_items ON vocabulary_items.item = items.item
      UNION ALL
      SELECT item, newness, 1, place FROM vocabulary_items WHERE NOT ${isIn('items', 'item', 'vocabulary_items.item')}
    ) AS entries LEFT JOIN old_items ON old_items.item = entries.item`,
    'newness, old NULLS LAST, part, place NULLS LAST',
    'number',
  );
  await engine.run(`CREATE VIEW trained_users AS SELECT "user", place FROM known_users
    UNION ALL SELECT "user", NULL FROM old_users WHERE NOT ${isIn('known_users', '"user"', 'old_users."user"')}`);
  await engine.createNumbered(
    'user_order',
    `SELECT entries."user", part, old_users."index" AS old, place FROM (
      SELECT "user", 0 AS part, place FROM trained_users
      UNION ALL
      SELECT "user", 1, min(ordinal) FROM (
        SELECT "user", ordinal FROM feed UNION ALL SELECT "user", ordinal FROM searches
      ) AS everybody WHERE NOT ${isIn('trained_users', '"user"', 'everybody."user"')} GROUP BY "user"
    ) AS entries LEFT JOIN old_users ON old_users."user" = entries."user"`,
    'part, old NULLS LAST, place NULLS LAST',
    'number',
  );
  await engine.createNumbered(
    'source_order',
    `SELECT entries.source, old_sources."index" AS old, place FROM (
      SELECT source, min(ordinal) AS place FROM training_searches GROUP BY source
      UNION ALL SELECT source, NULL FROM old_sources WHERE NOT ${isIn('training_searches', 'source', 'old_sources.source')}
    ) AS entries LEFT JOIN old_sources ON old_sources.source = entries.source`,
    'old NULLS LAST, place NULLS LAST',
    'number',
  );
}

/** Makes the tables of indices: `item_index`, `user_index`, `source_index`. */
async function createIndices(
  database: Database,
  attributes: { items: readonly string[]; users: readonly string[] },
): Promise<void> {
  const selected = (names: readonly string[], table: string): string =>
    names.map((name) => `, ${table}.${identifier(name)}`).join('');
  const index = `CAST(number + ${FIRST_INDEX} AS INTEGER) AS "index"`;
  await database.run(`CREATE TABLE item_index AS SELECT ${index}, item_order.item${selected(attributes.items, 'items')}
    FROM item_order LEFT JOIN items ON items.item = item_order.item`);
  await database.run(`CREATE TABLE user_index AS SELECT ${index}, user_order."user"${selected(attributes.users, 'users')}
    FROM user_order LEFT JOIN users ON users."user" = user_order."user"`);
  await database.run(`CREATE TABLE source_index AS SELECT ${index}, source FROM source_order`);
}

/** Makes `query_index`, `query_words` and `word_index` of the queries of training searches. */
async function createQueryIndices(database: Database): Promise<{ queries: number; words: number }> {
  await createOld(database, 'queries', 'words');
  const { query: old } = await database.read('SELECT query FROM old_queries ORDER BY "index"', { query: 'text' });
  const { word: oldWords } = await database.read('SELECT word FROM old_words ORDER BY "index"', { word: 'text' });
  const { query: typed } = await database.read('SELECT query FROM typed_queries ORDER BY place', { query: 'text' });
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
  const also = split.strategy === 'global-time' && split.newItems ? ['new items'] : [];
  return hashOf(
    ...lines,
    `split ${[split.strategy, ...cuts, ...also].join(' ')}\n`,
    `generator ${JSON.stringify(generator)}\n`,
  );
}

/** The tables that the files are made of. */
const HANDED_OVER = ['feed', 'written_searches', 'item_order', 'user_order', 'source_order', 'typed_queries'];

/**
 * Makes the data directory in `directory`, which exists and is empty, from the tables of `engine`. Files are written by the
 * database of this process, which has the attributes of items and users, so that they are the same bytes whatever the engine.
 */
export async function prepareDirectory(
  engine: Engine,
  database: Database,
  directory: string,
  described: SourceDescription,
): Promise<DataManifest> {
  const { source, itemAttributes, userAttributes } = described;
  const counts = [await countStep(engine, 'imported')];
  if (source.options['requireBoth'] === true) {
    await requireBothSides(engine);
    counts.push(await countStep(engine, 'users with both feed and searches'));
  }
  if (described.kCore) {
    await keepCore(engine, described.kCore);
    counts.push(await countStep(engine, `${described.kCore}-core`));
  }
  if (counts.at(-1)?.users === 0 && described.kCore)
    throw new UserError(
      `nothing is left to import: no users and items have ${described.kCore} feed events with one another; choose a smaller --k-core`,
    );
  if (counts.at(-1)?.users === 0)
    throw new UserError(
      'nothing is left to import: no user has both searches and feed events; leave out --require-both',
    );
  const split = await resolveSplit(engine, described.split);
  await createSplitViews(engine, split);
  if (split.strategy === 'leave-one-out')
    counts.push(await countStep(engine, 'before the held-out events', 'training'));
  else {
    for (const part of ['training', 'validation', 'test']) counts.push(await countStep(engine, part, part));
  }
  await createOrders(engine);
  await engine.run(
    'CREATE TABLE typed_queries AS SELECT query, min(ordinal) AS place FROM training_searches GROUP BY query',
  );
  await foldClicks(engine);
  const knownUsers = await engine.number('SELECT count(*) FROM trained_users');
  await engine.handOver(HANDED_OVER);
  await createIndices(database, { items: itemAttributes, users: userAttributes });
  const { queries, words } = await createQueryIndices(database);
  const size = async (table: string): Promise<number> =>
    FIRST_INDEX + (await database.number(`SELECT count(*) FROM ${table}`));
  const sizes = {
    users: FIRST_INDEX + knownUsers,
    items: await size('item_order WHERE newness = 0'),
    queries,
    words,
    sources: await size('source_index'),
  };
  const newItems = await database.number('SELECT count(*) FROM item_order WHERE newness = 1');
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
    ...(newItems > 0 ? { newItems } : {}),
    itemAttributes,
    userAttributes,
    files,
    hash: identityOf(identity),
  };
  await writeAtomically(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  return manifest;
}
