/**
 * A data set whose right answer is known: items come in groups, a user keeps to one of them and meets each of its items
 * once, so that who has seen nine of ten should be shown the tenth. Knows how to plant the groups; does not know who looks
 * for them.
 */
import { Random, range } from '../../src/base/index.js';
import { type Dataset, partition } from '../../src/data/index.js';
import type { Case } from '../../src/features/index.js';
import { type TinyEvent, tinyDataset } from './tiny-dataset.js';

const GROUPS = 20;
const PER_GROUP = 10;

/** What tells the group of the next item. */
export type Telling = 'feed' | 'searches' | 'feed and searches';

export interface PlantedGroups {
  readonly dataset: Dataset;
  /** The tenth item of users whom training does not know. */
  readonly cases: readonly Case[];
  /** (cases, 1 + those of the other groups): the tenth item, and all items of other groups. */
  readonly candidates: Int32Array;
  readonly perCase: number;
}

/**
 * Plants 20 groups of 10 items. Every feed event comes after a search with a click on some item. Where searches tell, the
 * search is for a query of the group of the event, and the click on an item of it that is not the next one; otherwise query and
 * click are anyone's. Where the feed does not tell, the group is another one at every event.
 *
 * Leave-one-out would hold out the last two events of everybody: training would never see nine items and a tenth, nor the
 * positions of the eighth and ninth, and the users that are asked about would be those that were trained on, so that who
 * they are would be enough. Here the split is by time: `learners` per group live before the cut, wholly; then come users who
 * are new, one per item, whose tenth item is asked for.
 */
export function plantGroups({
  telling,
  learners,
  seed,
}: {
  telling: Telling;
  learners: number;
  seed: number;
}): PlantedGroups {
  const item = (group: number, member: number): string => `i${group}-${member}`;
  const stories: Record<string, TinyEvent[]> = {};
  const tell = (user: string, group: number, last?: number): void => {
    const random = new Random(seed, 'planted groups', user);
    const order = [...random.shuffle(range(PER_GROUP))].filter((member) => member !== last);
    if (last !== undefined) order.push(last);
    stories[user] = order.flatMap((member, step): TinyEvent[] => {
      const own = telling === 'searches' && step < PER_GROUP - 1 ? random.integer(GROUPS) : group;
      const about = telling === 'feed' ? random.integer(GROUPS) : own;
      const other = random.integer(PER_GROUP - 1);
      const clicked = item(about, other >= member ? other + 1 : other);
      return [{ query: `group${about} kind${random.integer(2)}`, clicked: [clicked] }, item(own, member)];
    });
  };
  for (let learner = 0; learner < learners; learner++)
    for (let group = 0; group < GROUPS; group++) tell(`learner${learner}-${group}`, group);
  const known = Object.keys(stories).length;
  for (let group = 0; group < GROUPS; group++)
    for (let last = 0; last < PER_GROUP; last++) tell(`new${group}-${last}`, group, last);

  const groups = Array.from({ length: GROUPS }, (_, group) =>
    Array.from({ length: PER_GROUP }, (__, i) => item(group, i)),
  );
  const told = tinyDataset(stories, { items: groups.flat() });
  const dataset = byTime(told, told.searchOrdinal[told.searchOffsets[2 + known] as number] as number);

  const cases = dataset.users.ids.slice(2 + known).map((id) => ({
    user: dataset.users.index(id),
    feedPosition: (dataset.feedOffsets[dataset.users.index(id) + 1] as number) - 1,
  }));
  const lists = cases.map(({ feedPosition }) => {
    const target = dataset.feedItem[feedPosition] as number;
    const own = groups.find((members) => members.includes(dataset.items.ids[target] as string));
    return [
      target,
      ...groups
        .filter((members) => members !== own)
        .flat()
        .map((id) => dataset.items.index(id)),
    ];
  });
  return { dataset, cases, candidates: Int32Array.from(lists.flat()), perCase: lists[0]?.length ?? 0 };
}

/** A data set with its ordinals as times, split at one of them: what comes from there on is nothing to learn from. */
function byTime(dataset: Dataset, from: number): Dataset {
  const split = { strategy: 'global-time', validationFrom: from, testFrom: from + 1 } as const;
  const timed = {
    ...dataset,
    feedTime: dataset.feedOrdinal,
    searchTime: dataset.searchOrdinal,
    clickTime: dataset.clickOrdinal,
  };
  return { ...timed, manifest: { ...dataset.manifest, split }, ...partition(split, timed) };
}

/** The share of the cases whose target, the first candidate, is above all others. */
export function hitRate(scores: Float32Array, perCase: number): number {
  const cases = scores.length / perCase;
  const hits = range(cases).filter((row) => {
    const own = scores.subarray(row * perCase, (row + 1) * perCase);
    return own.subarray(1).every((score) => score < (own[0] as number));
  });
  return hits.length / cases;
}
