/**
 * The checks of the leak audit. Each works its answer out anew from ordinals, times and raw columns, by plain filters,
 * and compares it with what training and evaluation are given. Who is training is checked first, against ordinals and
 * times; the checks of vocabularies and popularity rely on it. Knows what each split promises; does not know what a report looks like.
 */
import { Random, at, range } from '../base/index.js';
import { type Dataset, FIRST_INDEX, type HeldOut, UNKNOWN } from '../data/index.js';
import { type Candidates, candidatesOf } from '../evaluate/index.js';
import {
  type Case,
  clicksBefore,
  recentFeed,
  recentSearches,
  trainingCases,
  trainingQueries,
} from '../features/index.js';
import type { Ranker } from '../model/index.js';

/** One promise, and how often it is broken. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly checked: number;
  readonly violations: number;
  /** The first violation. */
  readonly example?: string;
}

/** Candidate lists, and what a reader knows them by. */
export interface NamedCandidates {
  readonly name: string;
  readonly lists: Candidates;
}

/** Histories of training rows that are looked at: all of them, or a seeded sample of this many. */
const TRAINING_SAMPLE = 20_000;

type See = (holds: boolean, what: () => string) => void;

function check(name: string, look: (see: See) => void): Check {
  let [checked, violations] = [0, 0];
  let example: string | undefined;
  look((holds, what) => {
    checked++;
    if (holds) return;
    violations++;
    example ??= what();
  });
  return { name, ok: violations === 0, checked, violations, ...(example === undefined ? {} : { example }) };
}

/** Positions of a group in columns that are grouped by `offsets`. */
export function positionsOf(offsets: Int32Array, group: number): number[] {
  const start = at(offsets, group);
  return Array.from({ length: at(offsets, group + 1) - start }, (_, i) => start + i);
}

/** The indices of all users of the log. */
export const usersOf = (dataset: Dataset): number[] => Array.from(dataset.users.ids.keys()).slice(FIRST_INDEX);

const named = (ids: readonly string[], index: number): string => JSON.stringify(ids[index]);
const HELD_OUT: readonly HeldOut[] = ['validation', 'test'];

/** A user's feed positions that training may not see, by ordinals or times alone. */
function heldOutOf(dataset: Dataset, user: number): number[] {
  const { split } = dataset.manifest;
  const feed = positionsOf(dataset.feedOffsets, user);
  if (split.strategy === 'global-time')
    return feed.filter((position) => !(at(dataset.feedTime, position) < split.validationFrom));
  if (feed.length < 3) return [];
  return feed.toSorted((a, b) => at(dataset.feedOrdinal, a) - at(dataset.feedOrdinal, b)).slice(-2);
}

/** The boundary, in words. */
function boundaryOf({ manifest: { split } }: Dataset): string {
  return split.strategy === 'global-time' ? 'at or after the validation cut' : "at or after its user's held-out events";
}

/** Training feed events and training queries lie before what is held out. */
export function checkTraining(dataset: Dataset): Check[] {
  const { split } = dataset.manifest;
  const feed = check(`no training event ${boundaryOf(dataset)}`, (see) => {
    for (const user of usersOf(dataset)) {
      const heldOut = heldOutOf(dataset, user);
      const first = Math.min(...heldOut.map((position) => at(dataset.feedOrdinal, position)));
      for (const position of positionsOf(dataset.feedOffsets, user)) {
        if (position >= at(dataset.heldOutStart, user)) continue;
        see(
          at(dataset.feedOrdinal, position) < first && !heldOut.includes(position),
          () => `user ${named(dataset.users.ids, user)}, feed event ${at(dataset.feedOrdinal, position)}`,
        );
      }
    }
  });
  const allowed = new Map<number, number>();
  for (const user of usersOf(dataset)) {
    const heldOut = heldOutOf(dataset, user);
    const first = Math.min(...heldOut.map((position) => at(dataset.feedOrdinal, position)));
    const leading = new Set(heldOut.map((position) => at(dataset.feedSearch, position)));
    for (const search of positionsOf(dataset.searchOffsets, user)) {
      const isBefore =
        split.strategy === 'global-time'
          ? at(dataset.searchTime, search) < split.validationFrom
          : at(dataset.searchOrdinal, search) < first && !leading.has(search);
      const query = at(dataset.searchQuery, search);
      if (isBefore) allowed.set(query, (allowed.get(query) ?? 0) + 1);
    }
  }
  const searches = check(`no training search ${boundaryOf(dataset)}`, (see) => {
    for (const query of trainingQueries(dataset)) {
      const left = allowed.get(query) ?? 0;
      allowed.set(query, left - 1);
      see(left > 0, () => `the query ${named(dataset.queries.ids, query)}`);
    }
  });
  return [feed, searches];
}

/** Each user's targets are the events that the split names, and no others. */
export function checkTargets(dataset: Dataset): Check {
  const { split } = dataset.manifest;
  return check('every target is the event that the split names', (see) => {
    for (const user of usersOf(dataset)) {
      const heldOut = heldOutOf(dataset, user).sort((a, b) => at(dataset.feedOrdinal, a) - at(dataset.feedOrdinal, b));
      for (const on of HELD_OUT) {
        let expected = heldOut[on === 'validation' ? 0 : 1] ?? -1;
        if (split.strategy === 'global-time') {
          const { testFrom } = split;
          const inWindow = (position: number): boolean =>
            on === 'validation'
              ? at(dataset.feedTime, position) < testFrom
              : at(dataset.feedTime, position) >= testFrom;
          expected = heldOut.find(inWindow) ?? -1;
        }
        const target = at(dataset.targets[on], user);
        if (target < 0 && expected < 0) continue;
        see(target === expected, () => `user ${named(dataset.users.ids, user)}, ${on} target`);
      }
    }
  });
}

/** Every target, and training rows: all, or a seeded sample. */
function casesOf(dataset: Dataset): Case[] {
  const targets = HELD_OUT.flatMap((on) =>
    usersOf(dataset)
      .map((user) => ({ user, feedPosition: at(dataset.targets[on], user) }))
      .filter(({ feedPosition }) => feedPosition >= 0),
  );
  const training = trainingCases(dataset, false);
  const sample = new Random(1, 'audit').shuffle(range(training.length)).subarray(0, TRAINING_SAMPLE);
  return [...targets, ...Array.from(sample, (row) => training[row] as Case)];
}

const same = (one: readonly number[], other: readonly number[]): boolean =>
  one.length === other.length && one.every((value, i) => value === other[i]);

/** What a case is shown is what came strictly before, without the search that led to the target. */
export function checkHistories(dataset: Dataset): Check[] {
  const cases = casesOf(dataset);
  const clock = dataset.manifest.split.strategy === 'global-time';
  const told = ({ user, feedPosition }: Case) =>
    `user ${named(dataset.users.ids, user)}, before feed event ${at(dataset.feedOrdinal, feedPosition)}`;
  const earlier = check('every history is strictly earlier than its target', (see) => {
    for (const moment of cases) {
      const ordinal = at(dataset.feedOrdinal, moment.feedPosition);
      const time = at(dataset.feedTime, moment.feedPosition);
      const feed = positionsOf(dataset.feedOffsets, moment.user).filter(
        (position) => at(dataset.feedOrdinal, position) < ordinal,
      );
      const searches = positionsOf(dataset.searchOffsets, moment.user).filter(
        (search) =>
          at(dataset.searchOrdinal, search) < ordinal && search !== at(dataset.feedSearch, moment.feedPosition),
      );
      const clicks = searches.map((search) =>
        positionsOf(dataset.clickOffsets, search).filter((click) => at(dataset.clickOrdinal, click) < ordinal),
      );
      const holds =
        same(recentFeed(dataset, moment), feed) &&
        same(recentSearches(dataset, moment), searches) &&
        searches.every((search, i) =>
          same(
            clicksBefore(dataset, moment, search),
            (clicks[i] as number[]).map((click) => at(dataset.clickItem, click)),
          ),
        ) &&
        (!clock ||
          (feed.every((position) => at(dataset.feedTime, position) <= time) &&
            searches.every((search) => at(dataset.searchTime, search) <= time) &&
            clicks.flat().every((click) => at(dataset.clickTime, click) <= time)));
      see(holds, () => told(moment));
    }
  });
  const leading = check('no history holds the search that led to its target', (see) => {
    for (const moment of cases) {
      // an action that is also a click of a search is one event: one ordinal
      const ordinal = at(dataset.feedOrdinal, moment.feedPosition);
      const led = positionsOf(dataset.searchOffsets, moment.user).filter(
        (search) =>
          search === at(dataset.feedSearch, moment.feedPosition) ||
          positionsOf(dataset.clickOffsets, search).some((click) => at(dataset.clickOrdinal, click) === ordinal),
      );
      if (led.length === 0) continue;
      const shown = recentSearches(dataset, moment);
      see(!led.some((search) => shown.includes(search)), () => told(moment));
    }
  });
  return [earlier, leading];
}

/** What a vocabulary holds occurs in training. Under leave-one-out, ids of items and users come from the whole log. */
export function checkVocabularies(dataset: Dataset): Check[] {
  const { split } = dataset.manifest;
  const searches = Array.from(dataset.searchIsTraining.keys()).filter(
    (search) => dataset.searchIsTraining[search] === 1,
  );
  const queries = new Set(searches.map((search) => at(dataset.searchQuery, search)));
  const words = new Set(
    [...queries].flatMap((query) =>
      positionsOf(dataset.wordOffsets, query).map((position) => at(dataset.queryWords, position)),
    ),
  );
  const sources = new Set(searches.map((search) => at(dataset.searchSource, search)));
  const only = (what: string, ids: readonly string[], known: ReadonlySet<number>, end = ids.length): Check =>
    check(`the vocabulary of ${what} holds only what training has`, (see) => {
      for (let index = FIRST_INDEX; index < end; index++) see(known.has(index), () => named(ids, index));
    });
  const checks = [
    only('queries', dataset.queries.ids, queries),
    only('words', dataset.words.ids, words),
    only('sources', dataset.sources.ids, sources),
  ];
  if (split.strategy === 'leave-one-out') return checks;

  const items = new Set<number>();
  const users = new Set<number>();
  for (const user of usersOf(dataset)) {
    for (const position of positionsOf(dataset.feedOffsets, user)) {
      if (position >= at(dataset.heldOutStart, user)) continue;
      items.add(at(dataset.feedItem, position));
      users.add(user);
    }
    for (const search of positionsOf(dataset.searchOffsets, user)) {
      if (dataset.searchIsTraining[search] === 1) users.add(user);
      for (const click of positionsOf(dataset.clickOffsets, search))
        if (at(dataset.clickTime, click) < split.validationFrom) items.add(at(dataset.clickItem, click));
    }
  }
  checks.push(
    only('items', dataset.items.ids, items, dataset.trainedItems),
    only('users', dataset.users.ids, users, dataset.trainedUsers),
    ...[...dataset.itemAttributes].map(([name, { values, index }]) =>
      only(`item attribute ${name}`, values.ids, new Set([...items].map((item) => at(index, item)))),
    ),
    ...[...dataset.userAttributes].map(([name, { values, index }]) =>
      only(`user attribute ${name}`, values.ids, new Set([...users].map((user) => at(index, user)))),
    ),
  );
  return checks;
}

/** Popularity is the number of training events of an item. */
export async function checkPopularity(dataset: Dataset, popularity: Ranker): Promise<Check> {
  const counts = new Float64Array(dataset.items.ids.length);
  for (const user of usersOf(dataset))
    for (const position of positionsOf(dataset.feedOffsets, user)) {
      const item = at(dataset.feedItem, position);
      if (position < at(dataset.heldOutStart, user)) counts[item] = at(counts, item) + 1;
    }
  const scores = new Float32Array(counts.length);
  const anybody = { user: FIRST_INDEX, feedPosition: at(dataset.feedOffsets, FIRST_INDEX) };
  await popularity.scoreAll([anybody], (stretch) => scores.set(stretch.scores, stretch.firstItem));
  return check('popularity counts training events only', (see) => {
    for (let item = FIRST_INDEX; item < counts.length; item++)
      see(
        at(scores, item) === at(counts, item),
        () => `item ${named(dataset.items.ids, item)}: ${at(scores, item)}, not ${at(counts, item)}`,
      );
  });
}

/** No candidate was met by its user at any time; under global time, every one occurred before the cut, or is one of the new items that are let in. */
export function checkCandidates(dataset: Dataset, { name, lists }: NamedCandidates): Check[] {
  const { split } = dataset.manifest;
  const told = (user: number, item: number) =>
    `user ${named(dataset.users.ids, user)}, item ${item < FIRST_INDEX ? 'unknown' : named(dataset.items.ids, item)}`;
  const each = (look: (user: number, list: Int32Array) => void): void => {
    for (const user of usersOf(dataset)) look(user, candidatesOf(lists, user) ?? new Int32Array());
  };
  const unmet = check(`${name}: no candidate was met by its user, nor is their target`, (see) =>
    each((user, list) => {
      const met = new Set(positionsOf(dataset.feedOffsets, user).map((position) => at(dataset.feedItem, position)));
      for (const search of positionsOf(dataset.searchOffsets, user))
        for (const click of positionsOf(dataset.clickOffsets, search)) met.add(at(dataset.clickItem, click));
      met.delete(UNKNOWN);
      for (const item of list) see(!met.has(item), () => told(user, item));
    }),
  );
  if (split.strategy === 'leave-one-out') return [unmet];
  const first = firstTimes(dataset);
  const isKnown = (item: number): boolean =>
    item >= FIRST_INDEX && (item >= dataset.trainedItems || at(first, item) < split.validationFrom);
  const from = split.newItems ? ', but for new items of the item table' : '';
  const known = check(`${name}: no candidate is from after the validation cut${from}`, (see) =>
    each((user, list) => {
      for (const item of list) see(isKnown(item), () => told(user, item));
    }),
  );
  return [unmet, known];
}

/** When each item first occurs in the log, in a feed or as a click; infinity for items that never do. */
export function firstTimes(dataset: Dataset): Float64Array {
  const first = new Float64Array(dataset.items.ids.length).fill(Infinity);
  everyOccurrence(dataset, (item, _, time) => {
    if (time < at(first, item)) first[item] = time;
  });
  return first;
}

/** Walks over all feed events and clicks. A click without a time (data of format 1) counts from its search. */
export function everyOccurrence(dataset: Dataset, visit: (item: number, user: number, time: number) => void): void {
  for (const user of usersOf(dataset)) {
    for (const position of positionsOf(dataset.feedOffsets, user))
      visit(at(dataset.feedItem, position), user, at(dataset.feedTime, position));
    for (const search of positionsOf(dataset.searchOffsets, user))
      for (const click of positionsOf(dataset.clickOffsets, search)) {
        const time = at(dataset.clickTime, click);
        visit(at(dataset.clickItem, click), user, Number.isNaN(time) ? at(dataset.searchTime, search) : time);
      }
  }
}
