/**
 * Who is held out: the one place that says which events are training, which are targets, and what a vocabulary may
 * hold. Says it twice, as SQL views for the preparation and over columns for a loaded data set. Knows the two
 * strategies; does not know files or models.
 *
 * Leave-one-out (the paper's): a user's last feed event is the test target, the one before it the validation target;
 * users with fewer than three hold nothing out. A search is training when it comes before the first of the two and led
 * to neither. Ids of items and users come from the whole log.
 *
 * Global time (for real logs): training is what happened before `validationFrom`, whoever did it. A user's first feed
 * event from then on and before `testFrom` is the validation target, the first from `testFrom` on the test target. All
 * ids come from training; with `newItems`, those of items that nobody met before stand behind them, if the item table has them.
 */
import { UserError, at } from '../base/index.js';
import type { Engine } from './engine.js';
import { FIRST_INDEX, type Dataset, type Split } from './schema.js';

/** The split that an import is asked for. Without times, the cuts lie where 80 % and 90 % of the feed events have passed. */
export type SplitRequest =
  | { readonly strategy: 'leave-one-out' }
  | {
      readonly strategy: 'global-time';
      readonly validationFrom?: number;
      readonly testFrom?: number;
      readonly newItems?: boolean;
    };

type GlobalTime = Extract<Split, { strategy: 'global-time' }>;

const INSTEAD = 'or import with --split leave-one-out';
const iso = (time: number): string => new Date(time).toISOString();

/** Decides on the cuts, and refuses what global time cannot divide. The tables of a source are there. */
export async function resolveSplit(engine: Engine, request: SplitRequest): Promise<Split> {
  if (request.strategy === 'leave-one-out') return { strategy: 'leave-one-out' };
  await engine.run(`CREATE VIEW timeline AS SELECT user, ordinal, time FROM feed
    UNION ALL SELECT user, ordinal, time FROM searches
    UNION ALL SELECT user, clicks.ordinal, clicks.time FROM clicks JOIN searches ON searches.ordinal = clicks.search`);
  await refuseBadTimes(engine);
  const feed = await engine.number('SELECT count(*) FROM feed');
  if (feed === 0)
    throw new UserError(`--split global-time: the log has no feed events to predict; add some, ${INSTEAD}`);
  const passed = async (share: number): Promise<number> => engine.atRank('feed', 'time', Math.floor(share * feed));
  const validationFrom = request.validationFrom ?? (await passed(0.8));
  const testFrom = request.testFrom ?? (await passed(0.9));
  for (const time of [validationFrom, testFrom])
    if (Number.isNaN(new Date(time).getTime())) throw new UserError(`--split global-time: ${time} is no time`);
  if (validationFrom >= testFrom) {
    throw new UserError(
      `--split global-time: validation from ${iso(validationFrom)} does not begin before the test from ${iso(testFrom)}: give --validation-from and --test-from`,
    );
  }
  if (!request.newItems) return { strategy: 'global-time', validationFrom, testFrom };
  if ((await engine.number('SELECT count(*) FROM items')) === 0)
    throw new UserError(
      '--new-items: the log comes with no item table, which alone could name an item before anybody met it',
    );
  return { strategy: 'global-time', validationFrom, testFrom, newItems: true };
}

/** Every event needs a time, and a user's times must not go back: else what is earlier by ordinal may be later by the clock. */
async function refuseBadTimes(engine: Engine): Promise<void> {
  const missing = await engine.number('SELECT count(*) FROM timeline WHERE time IS NULL');
  if (missing > 0) {
    throw new UserError(
      `--split global-time needs the time of every event, and ${missing.toLocaleString('en-US')} have none: import a log with times, ${INSTEAD}`,
    );
  }
  const { user, time, before } = await engine.read(
    `SELECT user, time, before FROM (
      SELECT user, ordinal, time, lag(time) OVER (PARTITION BY user ORDER BY ordinal, time) AS before FROM timeline
    ) WHERE time < before ORDER BY ordinal LIMIT 1`,
    { user: 'text', time: 'number', before: 'number' },
  );
  if (user.length > 0) {
    throw new UserError(
      `--split global-time needs the events of every user in order of their times: user ${JSON.stringify(user[0])} has ${iso(time[0] as number)} after ${iso(before[0] as number)}; sort the log, ${INSTEAD}`,
    );
  }
}

/**
 * Makes the views of the split:
 *
 *   training_feed, training_searches, training_clicks   rows of the tables of the source
 *   known_items      item, place      what the vocabulary of items may hold beside, or of, the item table
 *   new_items        item             what else of the item table it holds, behind them
 *   known_users      user, place
 *
 * Under global time also validation_feed, test_feed, … of the same kinds, for counting.
 */
export async function createSplitViews(engine: Engine, split: Split): Promise<void> {
  if (split.strategy === 'leave-one-out') await createLeaveOneOutViews(engine);
  else await createGlobalTimeViews(engine, split);
}

async function createLeaveOneOutViews(engine: Engine): Promise<void> {
  // The last feed event of every user is the test event, the one before it, at which holding out starts, the validation event.
  await engine.run(`CREATE TABLE held AS SELECT feed."user", max(ordinal) AS start FROM feed
    JOIN (SELECT "user", max(ordinal) AS last, count(*) AS events FROM feed GROUP BY "user") AS ends ON ends."user" = feed."user"
    WHERE events >= 3 AND ordinal < last GROUP BY feed."user"`);
  await engine.run(`CREATE TABLE held_out AS SELECT feed."user", ordinal, search FROM feed
    JOIN held ON held."user" = feed."user" WHERE ordinal >= start`);
  await engine.run(`CREATE VIEW training_feed AS SELECT feed.* FROM feed
    LEFT JOIN held ON held."user" = feed."user" WHERE start IS NULL OR ordinal < start`);
  await engine.run(`CREATE VIEW training_searches AS SELECT searches.* FROM searches
    LEFT JOIN held ON held."user" = searches."user"
    WHERE (start IS NULL OR ordinal < start)
      AND NOT EXISTS (SELECT 1 FROM held_out WHERE held_out.search = searches.ordinal)`);
  await engine.run(
    'CREATE VIEW training_clicks AS SELECT * FROM clicks WHERE search IN (SELECT ordinal FROM training_searches)',
  );
  await engine.run(`CREATE VIEW known_items AS SELECT item, min(ordinal) AS place FROM (
    SELECT item, ordinal FROM feed UNION ALL SELECT item, ordinal FROM clicks UNION ALL SELECT item, NULL FROM items
  ) GROUP BY item`);
  await engine.run('CREATE VIEW new_items AS SELECT item FROM items WHERE FALSE');
  await engine.run(`CREATE VIEW known_users AS SELECT user, min(ordinal) AS place FROM (
    SELECT user, ordinal FROM feed UNION ALL SELECT user, ordinal FROM searches) GROUP BY user`);
}

async function createGlobalTimeViews(engine: Engine, cuts: GlobalTime): Promise<void> {
  const { validationFrom, testFrom, newItems } = cuts;
  const windows = {
    training: `time < ${validationFrom}`,
    validation: `time >= ${validationFrom} AND time < ${testFrom}`,
    test: `time >= ${testFrom}`,
  };
  for (const [name, condition] of Object.entries(windows))
    for (const table of ['feed', 'searches', 'clicks'])
      await engine.run(`CREATE VIEW ${name}_${table} AS SELECT * FROM ${table} WHERE ${condition}`);
  await engine.run(`CREATE VIEW known_items AS SELECT item, min(ordinal) AS place FROM (
    SELECT item, ordinal FROM training_feed UNION ALL SELECT item, ordinal FROM training_clicks) GROUP BY item`);
  await engine.run(
    `CREATE VIEW new_items AS SELECT item FROM items WHERE ${newItems ? 'NOT EXISTS (SELECT 1 FROM known_items WHERE known_items.item = items.item)' : 'FALSE'}`,
  );
  await engine.run(`CREATE VIEW known_users AS SELECT user, min(ordinal) AS place FROM (
    SELECT user, ordinal FROM training_feed UNION ALL SELECT user, ordinal FROM training_searches) GROUP BY user`);
  await refuseEmptyWindows(engine, cuts);
}

/** A model needs something to learn from, something to choose by and something to be tested on. */
async function refuseEmptyWindows(engine: Engine, { validationFrom, testFrom, newItems }: GlobalTime): Promise<void> {
  const refuse = (what: string): never => {
    throw new UserError(`--split global-time: ${what}: move --validation-from and --test-from, ${INSTEAD}`);
  };
  if ((await engine.number('SELECT count(*) FROM training_feed')) === 0)
    refuse(`no feed event is before ${iso(validationFrom)}, so nothing is left to train on`);
  const who = newItems ? 'training or the item table knows' : 'training knows';
  for (const [name, where] of [
    ['validation', `from ${iso(validationFrom)} on and before ${iso(testFrom)}`],
    ['test', `from ${iso(testFrom)} on`],
  ] as const) {
    const targets = await engine.number(`SELECT count(*) FROM (
      SELECT ${engine.dialect.atFirst('item', 'ordinal')} AS item FROM ${name}_feed GROUP BY user)
      WHERE item IN (SELECT item FROM known_items UNION ALL SELECT item FROM new_items)`);
    if (targets === 0) refuse(`no user has a ${name} target, a first feed event ${where} on an item that ${who}`);
  }
}

type Columns = Pick<
  Dataset,
  'feedOffsets' | 'feedOrdinal' | 'feedTime' | 'feedSearch' | 'searchOffsets' | 'searchOrdinal' | 'searchTime'
>;

/** The same, over the columns of a data set. */
export function partition(
  split: Split,
  columns: Columns,
): Pick<Dataset, 'heldOutStart' | 'targets' | 'searchIsTraining' | 'trainedUsers'> {
  return split.strategy === 'leave-one-out' ? leaveOneOut(columns) : globalTime(columns, split);
}

function leaveOneOut({ feedOffsets, feedOrdinal, feedSearch, searchOffsets, searchOrdinal }: Columns) {
  const users = feedOffsets.length - 1;
  const heldOutStart = new Int32Array(users);
  const targets = { validation: new Int32Array(users).fill(-1), test: new Int32Array(users).fill(-1) };
  const searchIsTraining = new Uint8Array(searchOrdinal.length).fill(1);
  for (let user = 0; user < users; user++) {
    const end = at(feedOffsets, user + 1);
    heldOutStart[user] = end;
    if (end - at(feedOffsets, user) < 3) continue;
    heldOutStart[user] = end - 2;
    targets.validation[user] = end - 2;
    targets.test[user] = end - 1;
    for (let search = at(searchOffsets, user); search < at(searchOffsets, user + 1); search++)
      if (at(searchOrdinal, search) >= at(feedOrdinal, end - 2)) searchIsTraining[search] = 0;
    for (const target of [end - 2, end - 1])
      if (at(feedSearch, target) >= 0) searchIsTraining[at(feedSearch, target)] = 0;
  }
  return { heldOutStart, targets, searchIsTraining, trainedUsers: users };
}

function globalTime(
  { feedOffsets, feedTime, searchOffsets, searchTime }: Columns,
  { validationFrom, testFrom }: GlobalTime,
) {
  const users = feedOffsets.length - 1;
  const heldOutStart = new Int32Array(users);
  const targets = { validation: new Int32Array(users).fill(-1), test: new Int32Array(users).fill(-1) };
  const searchIsTraining = Uint8Array.from(searchTime, (time) => Number(time < validationFrom));
  let trainedUsers = FIRST_INDEX;
  for (let user = 0; user < users; user++) {
    const [start, end] = [at(feedOffsets, user), at(feedOffsets, user + 1)];
    const firstFrom = (time: number): number => {
      let position = start;
      while (position < end && at(feedTime, position) < time) position++;
      return position;
    };
    const [validation, test] = [firstFrom(validationFrom), firstFrom(testFrom)];
    heldOutStart[user] = validation;
    if (validation < test) targets.validation[user] = validation;
    if (test < end) targets.test[user] = test;
    const search = at(searchOffsets, user);
    const searched = search < at(searchOffsets, user + 1) && at(searchTime, search) < validationFrom;
    if (validation > start || searched) trainedUsers = user + 1;
  }
  return { heldOutStart, targets, searchIsTraining, trainedUsers };
}
