/**
 * Lists for all users, made on this machine: part by part, so that an interrupted work goes on where it was. Knows parts and
 * progress; does not know how a list is made.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InterruptedError, UserError, isThere, refuseIfLocked, withLock } from '../../base/index.js';
import { type Dataset, rowsIn, writeRows } from '../../data/index.js';
import type { Run } from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import { interruptible } from '../interruption.js';
import { type ComputeFlags, withRuntime } from '../options.js';
import { note } from '../output.js';
import { progressLine } from '../progress.js';
import {
  type ListsManifest,
  differenceOf,
  lockOfLists,
  originOf,
  partOf,
  readListsManifest,
  refuseDirectory,
  removeHalves,
  writeListsManifest,
} from './directory.js';
import { type ListOptions, Rankers, type UserList, lengthOfList, listsOf, usersOf } from './lists.js';

export interface LocalScoring extends ListOptions, ComputeFlags {
  readonly out: string;
  readonly partUsers: number;
  readonly resume?: boolean;
  readonly overwrite?: boolean;
}

const WORK = 'is making these lists';

/** Makes the lists of all users. Interrupted, it keeps the parts that are whole, and throws an `InterruptedError`. */
export async function scoreLocally(run: Run, scoring: LocalScoring): Promise<ListsManifest> {
  const { out, partUsers } = scoring;
  const { first, end } = usersOf(run.dataset);
  const origin = originOf(run, scoring, end - first, partUsers);
  const begun = { ...origin, engine: 'local' as const, rows: null };
  const goesOn = scoring.resume === true && (await isThere(out));
  if (goesOn)
    await readListsManifest(out); // nothing is put into a directory of something else
  else {
    await refuseDirectory(out, scoring.overwrite === true);
    await refuseIfLocked(lockOfLists(out), WORK);
    await rm(out, { recursive: true, force: true });
    await mkdir(out, { recursive: true });
    await writeListsManifest(out, begun);
  }
  return withLock(lockOfLists(out), WORK, async () => {
    const before = await readListsManifest(out);
    const difference = differenceOf(before, origin);
    if (difference !== null)
      throw new UserError(`${out} was begun with ${difference}: go on as it was begun, or pass --overwrite`);
    if (before.engine === 'spark') return before; // its files came all at once
    await removeHalves(out);
    await withRuntime(scoring, async (runtime) =>
      interruptible(async (signal) => makeParts(run, scoring, runtime, signal)),
    );
    const done = { ...begun, rows: expectedRows(run.dataset, scoring) };
    await writeListsManifest(out, done);
    return done;
  });
}

/** Makes the parts that are not there, or lack rows. */
async function makeParts(run: Run, scoring: LocalScoring, runtime: Runtime, signal: AbortSignal): Promise<void> {
  const { out, partUsers } = scoring;
  const { first, end } = usersOf(run.dataset);
  const rankers = new Rankers(run, run.dataset, runtime);
  const progress = progressLine();
  let [reached, skipped] = [0, 0];
  try {
    for (let [part, from] = [0, first]; from < end; part++, from += partUsers) {
      const until = Math.min(end, from + partUsers);
      const path = partOf(out, part);
      if ((await isThere(path)) && (await rowsIn(path)) === rowsOf(run.dataset, [from, until], scoring)) {
        skipped += until - from;
        continue;
      }
      const lists: UserList[] = [];
      for await (const some of listsOf(run, runtime, [from, until], scoring, signal, rankers)) {
        if (signal.aborted) break;
        lists.push(...some);
        reached += some.length;
        progress.update('user', reached, end - first - skipped);
      }
      if (signal.aborted)
        throw new InterruptedError(
          `stopped; the lists of ${from - first} of ${end - first} users are there; go on with the same command and --resume`,
        );
      await writePart(path, run.dataset, lists);
    }
  } finally {
    progress.clear();
  }
  if (skipped > 0) note(`the lists of ${skipped} users were there already`);
}

/** The number of rows that the lists of all users are. */
export function expectedRows(dataset: Dataset, options: ListOptions): number {
  const { first, end } = usersOf(dataset);
  return rowsOf(dataset, [first, end], options);
}

function rowsOf(dataset: Dataset, [from, until]: readonly [number, number], options: ListOptions): number {
  let rows = 0;
  for (let user = from; user < until; user++) rows += lengthOfList(dataset, user, options);
  return rows;
}

/** The columns of a list: a row per place of it. */
const COLUMNS = { user: 'VARCHAR', rank: 'INTEGER', item: 'VARCHAR', score: 'FLOAT', source: 'VARCHAR' } as const;

async function writePart(path: string, { users, items: { ids } }: Dataset, lists: readonly UserList[]): Promise<void> {
  const temporary = join(dirname(path), `.part.${process.pid}.tmp`);
  const rows = lists.flatMap(({ user, source, items }) =>
    items.map(({ item, score }, place) => [
      users.ids[user] as string,
      place + 1,
      ids[item] as string,
      score,
      source as string,
    ]),
  );
  await writeRows(temporary, COLUMNS, rows);
  await rename(temporary, path);
}
