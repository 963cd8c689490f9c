/**
 * What a split lets through by nature: counted, not failed. Knows times; does not know models. Under leave-one-out the
 * targets of different users lie at different times, so that training holds the future of some of them; under global
 * time the same counts are zero, which is worth seeing.
 */
import { at } from '../base/index.js';
import { type Dataset, UNKNOWN } from '../data/index.js';
import { candidatesOf } from '../evaluate/index.js';
import { type NamedCandidates, everyOccurrence, firstTimes, positionsOf, usersOf } from './checks.js';

/** Something that crosses, how often, and out of how many. */
export interface Crossing {
  readonly name: string;
  readonly count: number;
  readonly of: number;
  /** The first one found. */
  readonly example?: string;
}

/** Counts the crossings; null when an event has no time. */
export function countCrossings(dataset: Dataset, candidates: readonly NamedCandidates[]): Crossing[] | null {
  if (dataset.feedTime.some(Number.isNaN)) return null;
  const targets = testTargets(dataset);
  return [
    trainedLater(dataset, targets),
    ...trainingAfter(dataset, targets),
    // under global time the item is known from before the cut, whoever met it
    ...(dataset.manifest.split.strategy === 'leave-one-out' ? [laterItems(dataset, targets)] : []),
    ...candidates.map((named) => laterCandidates(dataset, named)),
  ];
}

interface Target {
  readonly user: number;
  readonly time: number;
  readonly item: number;
}

/** The test targets that can be predicted. */
function testTargets({ users, targets, feedTime, feedItem }: Dataset): Target[] {
  return Array.from(users.ids.keys(), (user) => ({ user, position: at(targets.test, user) }))
    .filter(({ position }) => position >= 0 && at(feedItem, position) !== UNKNOWN)
    .map(({ user, position }) => ({ user, time: at(feedTime, position), item: at(feedItem, position) }));
}

function counted<Thing>(
  name: string,
  things: Iterable<Thing>,
  crosses: (thing: Thing) => boolean,
  tell: (thing: Thing) => string,
): Crossing {
  let [count, of] = [0, 0];
  let example: string | undefined;
  for (const thing of things) {
    of++;
    if (!crosses(thing)) continue;
    count++;
    example ??= tell(thing);
  }
  return { name, count, of, ...(example === undefined ? {} : { example }) };
}

const told = (dataset: Dataset, { user, item, time }: Target): string =>
  `user ${JSON.stringify(dataset.users.ids[user])}, item ${JSON.stringify(dataset.items.ids[item])}, ${new Date(time).toISOString()}`;

/** The times of a user's training events. */
const trainingTimes = (dataset: Dataset, user: number): number[] =>
  positionsOf(dataset.feedOffsets, user)
    .filter((position) => position < at(dataset.heldOutStart, user))
    .map((position) => at(dataset.feedTime, position));

function trainedLater(dataset: Dataset, targets: readonly Target[]): Crossing {
  // the latest training event, and the latest of anybody but the user who has it
  let [latest, owner, second] = [-Infinity, -1, -Infinity];
  for (const user of usersOf(dataset)) {
    const own = trainingTimes(dataset, user).reduce((most, time) => Math.max(most, time), -Infinity);
    if (own > latest) [latest, owner, second] = [own, user, latest];
    else second = Math.max(second, own);
  }
  return counted(
    'test targets with training events of other users at or after them',
    targets,
    ({ user, time }) => (user === owner ? second : latest) >= time,
    (target) => told(dataset, target),
  );
}

function trainingAfter(dataset: Dataset, targets: readonly Target[]): Crossing[] {
  if (targets.length === 0) return [];
  const times = Float64Array.from(targets, ({ time }) => time).sort();
  const training = usersOf(dataset).flatMap((user) => trainingTimes(dataset, user));
  return [
    { which: 'earliest', time: at(times, 0) },
    { which: 'median', time: at(times, Math.floor(times.length / 2)) },
  ].map(({ which, time }) => ({
    name: `training events after the ${which} test target (${new Date(time).toISOString().slice(0, 10)})`,
    count: training.filter((when) => when > time).length,
    of: training.length,
  }));
}

function laterItems(dataset: Dataset, targets: readonly Target[]): Crossing {
  // per item: its first time, whose that is, and the first time of anybody else
  const items = dataset.items.ids.length;
  const [first, second] = [new Float64Array(items).fill(Infinity), new Float64Array(items).fill(Infinity)];
  const owner = new Int32Array(items).fill(-1);
  everyOccurrence(dataset, (item, user, time) => {
    if (user === at(owner, item)) first[item] = Math.min(time, at(first, item));
    else if (time < at(first, item)) {
      second[item] = at(first, item);
      first[item] = time;
      owner[item] = user;
    } else second[item] = Math.min(time, at(second, item));
  });
  return counted(
    'test targets whose item nobody else met until later',
    targets,
    ({ user, item, time }) => {
      const others = user === at(owner, item) ? at(second, item) : at(first, item);
      return others > time && others !== Infinity;
    },
    (target) => told(dataset, target),
  );
}

function laterCandidates(dataset: Dataset, { name, lists }: NamedCandidates): Crossing {
  const first = firstTimes(dataset);
  function* pairs(): Generator<Target> {
    for (const user of usersOf(dataset)) {
      const position = Math.max(at(dataset.targets.test, user), at(dataset.targets.validation, user));
      for (const item of candidatesOf(lists, user) ?? []) yield { user, item, time: at(dataset.feedTime, position) };
    }
  }
  return counted(
    `${name}: candidates that first occur after their user's last target`,
    pairs(),
    ({ item, time }) => at(first, item) > time && at(first, item) !== Infinity,
    (target) => told(dataset, target),
  );
}
