/**
 * An item-to-item recommender: what is met by the same people is similar, and what is similar to the newest actions is
 * recommended. Knows who met what in training; does not know why, nor items that nobody met. It learns no parameters, is
 * made in seconds, and is the line that a model of sequences must clear.
 *
 * Sources: Linden, Smith and York, "Amazon.com recommendations: item-to-item collaborative filtering", IEEE Internet
 * Computing 2003; Deshpande and Karypis, "Item-based top-N recommendation algorithms", ACM TOIS 2004.
 */
import { Largest, UserError, at, grouped, offsetsOf } from '../../base/index.js';
import { type Dataset, FIRST_INDEX } from '../../data/index.js';
import { type Case, clickPositionsBefore, recentFeed, recentSearches } from '../../features/index.js';
import { countTrainingEvents } from './popularity.js';
import type { Ranker } from '../ranking/recommender.js';

export interface ItemToItemOptions {
  /** Count clicks on search results as the feed events that they stand between, in training and in the history; false unless told. */
  readonly useSearches?: boolean;
  /** Neighbours kept of every item, the most similar ones; 200 unless told. */
  readonly neighbours?: number;
  /** Added to √(n_i n_j), in people: similarity that rests on few of them is trusted less. 2 unless told. */
  readonly shrinkage?: number;
  /**
   * What a pair of items counts less for every step that lies between them in somebody's sequence: a pair `distance` apart
   * counts distanceDecay^(distance - 1). In (0, 1], 0.9 unless told; at 1, near and far count alike.
   */
  readonly distanceDecay?: number;
  /** Pairs further apart than this in somebody's sequence do not count, which bounds the work; 50 unless told. */
  readonly farthest?: number;
  /**
   * Somebody who met L items counts L^-lengthExponent, in pairs and in n: who meets everything says little of what belongs
   * together. 0: all people alike. 1: rows of unit length, as Deshpande and Karypis have them. 0.5 unless told.
   */
  readonly lengthExponent?: number;
  /** How many items of a history are looked at, the newest; 50 unless told. */
  readonly window?: number;
  /** What an item of the history weighs less for every step back. In (0, 1], 0.7 unless told; at 1, order does not matter. */
  readonly recencyDecay?: number;
  /**
   * Order items that are similar to nothing in the history by popularity, all of them below those that are; true unless told.
   * Without it they are tied at 0, and the tie rate of an evaluation says how often similarity is silent; with it, only items
   * that are equally popular stay tied, which hides that. Items that are similar, and equally so, are tied either way.
   */
  readonly popularityTieBreak?: boolean;
}

/**
 * Scores an item by its similarity to the history of a case:
 *
 *   similarity(i, j) = pairs_ij / (√(n_i n_j) + shrinkage)        cosine, but for the shrinkage
 *   score(j)         = Σ over history items i of recencyDecay^steps · similarity(i, j), j among the neighbours of i
 *
 * with n_i the number of people who met i in training and pairs_ij of those who met both, weighed as the options say.
 * A sequence, of training as of a history, has every item once, where it was met last; steps are counted from 0, its end.
 * Held-out events are never counted. An item without any similarity to the history scores 0, or with
 * `popularityTieBreak` -1 / (1 + its training events), which is below 0.
 *
 * Memory grows with the events and with the neighbours kept, never with items by items or users by items.
 * An option out of its range is a `UserError`.
 */
export function itemToItemRanker(dataset: Dataset, options: ItemToItemOptions = {}): Ranker {
  const settings = { ...defaults, ...options };
  check(settings);
  const sequences = trainingSequences(dataset, settings.useSearches);
  const neighbourhood = findNeighbours(sequences, dataset.items.ids.length, settings);
  const unrelated = unrelatedScores(dataset, settings);
  const withScores = scorer(dataset, neighbourhood, unrelated, settings);
  return {
    name: settings.useSearches ? 'item-to-item, with clicks in searches' : 'item-to-item',
    score: async (cases, candidates, perCase) => {
      const scores = new Float32Array(candidates.length);
      for (const [row, moment] of cases.entries()) {
        withScores(moment, (all) => {
          for (let i = row * perCase; i < (row + 1) * perCase; i++) scores[i] = at(all, at(candidates, i));
        });
      }
      return scores;
    },
    scoreAll: async (cases, consume, references) => {
      for (const [position, moment] of cases.entries()) {
        withScores(moment, (scores) => {
          const reference = references ? at(scores, at(references, position)) : null;
          consume({ position, firstItem: 0, scores, reference });
        });
      }
    },
  };
}

type Settings = Required<ItemToItemOptions>;

/** Chosen on the validation events of Amazon Beauty, from six settings (LOG.md), of which the last two hardly differ. */
const defaults: Settings = {
  useSearches: false,
  neighbours: 200,
  shrinkage: 2,
  distanceDecay: 0.9,
  farthest: 50,
  lengthExponent: 0.5,
  window: 50,
  recencyDecay: 0.7,
  popularityTieBreak: true,
};

function check(settings: Settings): void {
  const refuse = (name: keyof Settings, wanted: string): never => {
    throw new UserError(`${name} is ${settings[name]}: give ${wanted}`);
  };
  for (const name of ['neighbours', 'farthest', 'window'] as const)
    if (!Number.isInteger(settings[name]) || settings[name] < 1) refuse(name, 'a whole number from 1');
  for (const name of ['shrinkage', 'lengthExponent'] as const)
    if (!(settings[name] >= 0 && settings[name] < Infinity)) refuse(name, 'a number from 0');
  for (const name of ['distanceDecay', 'recencyDecay'] as const)
    if (!(settings[name] > 0 && settings[name] <= 1)) refuse(name, 'a number above 0, at most 1');
}

/** The items of a case's history, each once, the newest first, `limit` of them. Clicks where `counts` says so. */
function newestItems(
  dataset: Dataset,
  moment: Case,
  limit: number,
  counts: ((search: number, click: number) => boolean) | null,
): number[] {
  const clicks = counts ? newestClicks(dataset, moment, counts) : [];
  const items = new Set<number>();
  const feed = recentFeed(dataset, moment);
  for (let next = 0; items.size < limit && (feed.length > 0 || next < clicks.length);) {
    const [position, click] = [feed.at(-1), clicks[next]];
    const isClick =
      click !== undefined &&
      (position === undefined || at(dataset.clickOrdinal, click) > at(dataset.feedOrdinal, position));
    const item = isClick ? at(dataset.clickItem, click) : at(dataset.feedItem, position as number);
    if (item >= FIRST_INDEX) items.add(item);
    if (isClick) next++;
    else feed.pop();
  }
  return [...items];
}

/** Positions of the clicks before a case, the newest first. */
function newestClicks(dataset: Dataset, moment: Case, counts: (search: number, click: number) => boolean): number[] {
  const clicks = recentSearches(dataset, moment).flatMap((search) =>
    clickPositionsBefore(dataset, moment, search).filter((click) => counts(search, click)),
  );
  return clicks.sort((one, other) => at(dataset.clickOrdinal, other) - at(dataset.clickOrdinal, one));
}

/** What every user met in training, newest first: user u has items[offsets[u]] … items[offsets[u + 1] - 1], all distinct. */
interface Sequences {
  readonly offsets: Int32Array;
  readonly items: Int32Array;
}

/**
 * Training ends before the first held-out event. A search that led to one held-out event may come before the other, and
 * under global time somebody may hold no feed event out and yet search after the cut, or click late: the split says what
 * of searches is training.
 */
function trainingSequences(dataset: Dataset, useSearches: boolean): Sequences {
  const { split } = dataset.manifest;
  const until = split.strategy === 'global-time' ? split.validationFrom : null;
  const counts = (search: number, click: number): boolean =>
    dataset.searchIsTraining[search] === 1 && (until === null || at(dataset.clickTime, click) < until);
  const offsets = new Int32Array(dataset.users.ids.length + 1);
  const items = new Int32Array(dataset.feedItem.length + (useSearches ? dataset.clickItem.length : 0));
  for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
    const moment = { user, feedPosition: at(dataset.heldOutStart, user) };
    const met = newestItems(dataset, moment, Infinity, useSearches ? counts : null);
    const start = at(offsets, user);
    items.set(met, start);
    offsets[user + 1] = start + met.length;
  }
  return { offsets, items: items.slice(0, at(offsets, dataset.users.ids.length)) };
}

/** The most similar items of item i: item[offsets[i]] … item[offsets[i + 1] - 1], most similar first, equal ones by index. */
interface Neighbourhood {
  readonly offsets: Int32Array;
  readonly item: Int32Array;
  readonly similarity: Float32Array;
}

/** Where the items occur: item i at positions at[offsets[i]] … of the sequences, the one of user[…]. */
interface Occurrences {
  readonly offsets: Int32Array;
  readonly position: Int32Array;
  readonly user: Int32Array;
}

function findOccurrences({ offsets, items }: Sequences, count: number): Occurrences {
  const owners = new Int32Array(items.length);
  for (let owner = 0; owner + 1 < offsets.length; owner++)
    owners.fill(owner, at(offsets, owner), at(offsets, owner + 1));
  const starts = offsetsOf(items, count);
  const position = grouped(items, starts);
  return { offsets: starts, position, user: position.map((place) => at(owners, place)) };
}

/** One item after another: of those that were met together with it, the most similar are kept. */
function findNeighbours(sequences: Sequences, count: number, settings: Settings): Neighbourhood {
  const occurrences = findOccurrences(sequences, count);
  const weights = userWeights(sequences, settings.lengthExponent);
  const met = metBy(occurrences, weights, count);
  const forEachPair = pairCounter(sequences, occurrences, weights, settings);
  const room = roomFor(occurrences, sequences, count, settings);
  const [offsets, item, similarity] = [new Int32Array(count + 1), new Int32Array(room), new Float32Array(room)];
  const offered = new Float32Array(1);
  for (let own = 0, end = 0; own < count; own++) {
    const best = new Largest(settings.neighbours);
    const ownMet = at(met, own);
    forEachPair(own, (other, pairs) => {
      offered[0] = pairs / (Math.sqrt(ownMet * (met[other] as number)) + settings.shrinkage);
      best.offer(offered, other);
    });
    for (const { index, value } of best.sorted()) {
      item[end] = index;
      similarity[end++] = value;
    }
    offsets[own + 1] = end;
  }
  const end = at(offsets, count);
  return { offsets, item: item.slice(0, end), similarity: similarity.slice(0, end) };
}

/**
 * Makes a function that adds up with which other items an item was met, over the people who met it, in a row as long as
 * the catalogue that is used again and again; then it visits those items, in no order. The hot loop of all this: no calls.
 */
function pairCounter(
  { offsets, items }: Sequences,
  occurrences: Occurrences,
  weights: Float64Array,
  { farthest, distanceDecay }: Settings,
): (item: number, visit: (other: number, pairs: number) => void) => void {
  const worth = Float64Array.from({ length: farthest + 1 }, (_, distance) => distanceDecay ** (distance - 1));
  const row = new Float64Array(occurrences.offsets.length - 1);
  const touched = new Int32Array(row.length);
  return (item, visit) => {
    let reached = 0;
    for (let slot = at(occurrences.offsets, item); slot < at(occurrences.offsets, item + 1); slot++) {
      const [own, user] = [at(occurrences.position, slot), at(occurrences.user, slot)];
      const [first, last] = reachOf(own, user, offsets, farthest);
      const weight = at(weights, user);
      for (let place = first; place < last; place++) {
        if (place === own) continue;
        const other = items[place] as number;
        const added = weight * (worth[place < own ? own - place : place - own] as number);
        if (added === 0) continue; // it underflowed, and 0 in the row means untouched
        const before = row[other] as number;
        if (before === 0) touched[reached++] = other;
        row[other] = before + added;
      }
    }
    for (let i = 0; i < reached; i++) {
      const other = touched[i] as number;
      visit(other, row[other] as number);
      row[other] = 0;
    }
  };
}

/** The positions [first, last) of a user's sequence that are at most `farthest` away from their position `own`. */
function reachOf(own: number, user: number, offsets: Int32Array, farthest: number): readonly [number, number] {
  return [Math.max(at(offsets, user), own - farthest), Math.min(at(offsets, user + 1), own + farthest + 1)];
}

/** What a user counts. */
function userWeights({ offsets }: Sequences, lengthExponent: number): Float64Array {
  return Float64Array.from(
    { length: offsets.length - 1 },
    (_, user) => (at(offsets, user + 1) - at(offsets, user)) ** -lengthExponent,
  );
}

/** n_i: what those who met an item count, together. */
function metBy({ offsets, user }: Occurrences, weights: Float64Array, count: number): Float64Array {
  const met = new Float64Array(count);
  for (let item = 0; item < count; item++)
    for (let slot = at(offsets, item); slot < at(offsets, item + 1); slot++)
      met[item] = at(met, item) + at(weights, at(user, slot));
  return met;
}

/** No more neighbours than this are kept: an item has at most as many as there are places within reach of its own. */
function roomFor(occurrences: Occurrences, sequences: Sequences, count: number, settings: Settings): number {
  let room = 0;
  for (let item = 0; item < count; item++) {
    let reached = 0;
    for (let slot = at(occurrences.offsets, item); slot < at(occurrences.offsets, item + 1); slot++) {
      const own = at(occurrences.position, slot);
      const [first, last] = reachOf(own, at(occurrences.user, slot), sequences.offsets, settings.farthest);
      reached += last - first - 1;
    }
    room += Math.min(settings.neighbours, reached, count - FIRST_INDEX);
  }
  return room;
}

/** What items score that are similar to nothing in the history. */
function unrelatedScores(dataset: Dataset, { popularityTieBreak }: Settings): Float32Array {
  return popularityTieBreak
    ? countTrainingEvents(dataset).map((events) => -1 / (1 + events))
    : new Float32Array(dataset.items.ids.length);
}

/** Calls `read` with the score of every item for a case, to be read before it returns. */
function scorer(
  dataset: Dataset,
  { offsets, item, similarity }: Neighbourhood,
  unrelated: Float32Array,
  { useSearches, window, recencyDecay }: Settings,
): (moment: Case, read: (scores: Float32Array) => void) => void {
  const scores = unrelated.slice();
  const sums = new Float64Array(scores.length);
  return (moment, read) => {
    const touched: number[] = [];
    const history = newestItems(dataset, moment, window, useSearches ? () => true : null);
    for (const [steps, met] of history.entries()) {
      const weight = recencyDecay ** steps;
      for (let slot = at(offsets, met); slot < at(offsets, met + 1); slot++) {
        const other = item[slot] as number; // a hot loop: no calls
        const before = sums[other] as number;
        if (before === 0) touched.push(other);
        sums[other] = before + weight * (similarity[slot] as number);
      }
    }
    for (const other of touched) {
      scores[other] = at(sums, other);
      sums[other] = 0;
    }
    try {
      read(scores);
    } finally {
      for (const other of touched) scores[other] = at(unrelated, other);
    }
  };
}
