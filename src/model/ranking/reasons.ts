/**
 * Which actions of a history a recommendation rests on. Knows rankers, and histories without some actions; does not know how a
 * model comes to its scores, nor how reasons are told.
 *
 * What is explained is the standing of an item among its contenders, the items that may come to stand before or behind it: minus
 * log2 of a soft rank, 1 + Σ σ((s_c - s) / τ) over the other contenders' scores s_c, with the standard deviation τ of all their
 * scores as things are. One less is a rank twice as far down. A score alone may fall because all fall, which moves nobody; a rank
 * alone stays where it is until somebody passes.
 */
import { at } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import { type Action, ordinalOf, withOnly, without } from '../../features/index.js';
import { type Case, type Ranker, recommend } from './recommender.js';

/**
 * Ways to find reasons, that of `explain` first. `stepwise`: one after another, each together with those before it, by what the
 * standing loses without them and keeps with nothing else. `deletion`: each by itself, by what the standing loses without it.
 * `gradient`: the gradient of the standing by the vectors of an action times these vectors. `attention`: what the item pays to it.
 */
export const REASON_METHODS = ['stepwise', 'deletion', 'gradient', 'attention'] as const;
export type ReasonMethod = (typeof REASON_METHODS)[number];

/** Which side of the split an action lies on; null where the model has no sides, or the user one history only. */
export type Side = 'similar' | 'dissimilar' | null;

/** An action of a history, and its side. */
export interface SidedAction extends Action {
  readonly side: Side;
  /** Weight of Eq. 10, which the side is told from: sums to 1 over the lane's window. Null where the side is. */
  readonly coAttention: number | null;
}

export interface SidesOptions {
  /** Asks to stop before the next block of cases, with an `InterruptedError`. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What is asked of a ranker. */
export interface Question {
  readonly moment: Case;
  /** The items to be explained. */
  readonly items: readonly number[];
  /** Those that they contend with; an item may be among them. */
  readonly contenders: readonly number[];
  /** So many reasons per item are wanted, where the window has as many actions. */
  readonly most: number;
}

/** An action and its weight for an item. */
export interface Weighed {
  /** Its place in the list of actions of the window. */
  readonly place: number;
  /**
   * Above 0: it speaks for the item. `stepwise` and `deletion`: the standing that is lost without it (and those before it, for
   * `stepwise`); `gradient`: an estimate of that; `attention`: in multiples of an even share.
   */
  readonly weight: number;
}

/** How much each feed event that a model sees agrees with each search that it sees. */
export interface Affinity {
  /** Oldest first, as in `sides`. */
  readonly feed: readonly Action[];
  readonly search: readonly Action[];
  /** (feed, search), row-major, -1 to 1: Eq. 9, or cosines where the split goes by the alignment. */
  readonly values: Float32Array;
}

/** A ranker that can say what it looks at, and weigh it. */
export interface ExplainingRanker extends Ranker {
  /** The methods that the model is open to, the usual one first. */
  readonly reasonMethods: readonly ReasonMethod[];
  /** The actions in the window of each case, oldest first in each lane, the feed first, and the side of each. */
  sides(cases: readonly Case[], options?: SidesOptions): Promise<SidedAction[][]>;
  /** The strongest reasons of each item, strongest first: as many as are wanted, or more. */
  weigh(method: ReasonMethod, question: Question): Promise<Weighed[][]>;
}

/** How many of the best items for a user contend with one another. */
export const CONTENDERS = 100;
/** Ranks without a reason are counted among so many of the best items. */
const RANKED = 1000;
/** `stepwise` chooses among so many actions from the second step on, those that are worth most by themselves. */
const POOL = 8;

/** An action behind a recommendation. */
export interface Reason extends SidedAction {
  readonly weight: Weighed['weight'];
  /** The rank that the item would have had this action not happened, among the thousand items that are best as things are. */
  readonly rankWithout: number;
  /** The same had neither this action nor any reason before it happened. */
  readonly rankWithoutAll: number;
}

export interface ExplainOptions {
  readonly method?: ReasonMethod;
  /** The most reasons of an item; 3 unless told. */
  readonly most?: number;
  /** Items that are out of the race. */
  readonly excluded?: ReadonlySet<number>;
}

/**
 * Why items are recommended: the actions that each rests on, the strongest first. Actions that do not speak for the item are no
 * reasons, nor those without which it would stand higher; there may be none at all.
 */
export async function explain(
  ranker: ExplainingRanker,
  dataset: Dataset,
  moment: Case,
  items: readonly number[],
  { method = 'stepwise', most = 3, excluded = new Set() }: ExplainOptions = {},
): Promise<Reason[][]> {
  const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
  if (actions.length === 0) return items.map(() => []);
  const best = (await recommend(ranker, moment, RANKED, excluded)).map(({ item }) => item);
  const question = { moment, items, contenders: best.slice(0, CONTENDERS), most };
  const chosen = (await ranker.weigh(method, question)).map((weighed) => weighed.slice(0, most));
  const imagined = new Imagined(dataset, moment, actions);
  const sets = new DistinctSets(chosen.flatMap((reasons) => reasons.flatMap((_, i) => setsOf(reasons, i))));
  const cases = [moment, ...imagined.without(sets.distinct)];
  const ranks = await ranksAmong(ranker, cases, items, [...new Set([...items, ...best])]);
  return chosen.map((reasons, row) => {
    const rankOf = (index: number): number => at(ranks, index * items.length + row);
    const told = reasons.map(({ place, weight }, i): Reason => {
      const [own, all] = setsOf(reasons, i).map((places) => rankOf(1 + sets.indexOf(places))) as [number, number];
      return { ...(actions[place] as SidedAction), weight, rankWithout: own, rankWithoutAll: all };
    });
    return told.slice(0, countOfReasons(method, told, rankOf(0)));
  });
}

/**
 * How many of the actions found are reasons: those before the first that does not speak for the item. One of `stepwise` may do
 * nothing until the next is gone too; there it is all until the last that adds to what they are worth together.
 */
function countOfReasons(method: ReasonMethod, found: readonly Reason[], rankNow: number): number {
  let total = 0;
  const speaks = found.map(({ weight, rankWithoutAll }) => {
    total = method === 'stepwise' ? total + weight : weight;
    return weight > 0 && total > 0 && rankWithoutAll >= rankNow;
  });
  if (method === 'stepwise') return speaks.lastIndexOf(true) + 1;
  return speaks.includes(false) ? speaks.indexOf(false) : found.length;
}

/** The action of a reason by itself, and with those before it. */
function setsOf(reasons: readonly Weighed[], i: number): [number[], number[]] {
  const places = reasons.slice(0, i + 1).map(({ place }) => place);
  return [[places[i] as number], places];
}

/** Ranks among some candidates, row-major (cases, items), 1 for the best; equal scores in order of index, as `recommend` has them. */
async function ranksAmong(
  ranker: Ranker,
  cases: readonly Case[],
  items: readonly number[],
  candidates: readonly number[],
): Promise<number[]> {
  const width = candidates.length;
  const scores = await ranker.score(cases, Int32Array.from(cases.flatMap(() => candidates)), width);
  return cases.flatMap((_, row) =>
    items.map((item) => {
      const own = at(scores, row * width + candidates.indexOf(item));
      return candidates.reduce((rank, other, column) => {
        const score = at(scores, row * width + column);
        return score > own || (score === own && other < item) ? rank + 1 : rank;
      }, 1);
    }),
  );
}

/** All actions of a window in order of their weights for an item, equal ones the newest first. */
export function weighed(dataset: Dataset, actions: readonly Action[], weights: ArrayLike<number>): Weighed[] {
  const ordinals = actions.map((action) => ordinalOf(dataset, action));
  return actions
    .map((_, place) => ({ place, weight: at(weights, place) }))
    .sort((a, b) => b.weight - a.weight || at(ordinals, b.place) - at(ordinals, a.place));
}

/** Sets of places, each kept once, in whatever order its places come: items of a user often rest on the same actions. */
class DistinctSets {
  readonly distinct: (readonly number[])[] = [];
  readonly #indices = new Map<string, number>();

  constructor(sets: Iterable<readonly number[]>) {
    for (const places of sets) {
      const key = DistinctSets.#keyOf(places);
      if (!this.#indices.has(key)) this.#indices.set(key, this.distinct.push(places) - 1);
    }
  }

  indexOf(places: readonly number[]): number {
    return this.#indices.get(DistinctSets.#keyOf(places)) as number;
  }

  static #keyOf(places: readonly number[]): string {
    return places.toSorted((a, b) => a - b).join(' ');
  }
}

/** Moments as they would be, by places in a list of actions. */
class Imagined {
  readonly #dataset: Dataset;
  readonly #moment: Case;
  readonly #actions: readonly Action[];

  constructor(dataset: Dataset, moment: Case, actions: readonly Action[]) {
    this.#dataset = dataset;
    this.#moment = moment;
    this.#actions = actions;
  }

  without(sets: readonly (readonly number[])[]): Case[] {
    return sets.map((places) => without(this.#dataset, this.#moment, this.#at(places)));
  }

  withOnly(sets: readonly (readonly number[])[]): Case[] {
    return sets.map((places) => withOnly(this.#dataset, this.#moment, this.#at(places)));
  }

  #at(places: readonly number[]): Action[] {
    return places.map((place) => this.#actions[place] as Action);
  }
}

/** What each score of the candidates counts for the standings of the items. */
export interface Race {
  /** The items and their contenders, each once, the items first. */
  readonly candidates: readonly number[];
  /** τ: 1 where all scores are the same. */
  readonly spread: number;
}

/** The race that a question is about. */
export async function raceOf(ranker: Ranker, { moment, items, contenders }: Question): Promise<Race> {
  const candidates = [...new Set([...items, ...contenders])];
  const scores = await ranker.score([moment], Int32Array.from(candidates), candidates.length);
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length;
  return { candidates, spread: Math.sqrt(variance) || 1 };
}

/** The standings of the first candidates, as many as there are items, at each of some moments. */
async function standings(
  ranker: Ranker,
  { candidates, spread }: Race,
  cases: readonly Case[],
  items: number,
): Promise<Float64Array[]> {
  const width = candidates.length;
  const scores = await ranker.score(cases, Int32Array.from(cases.flatMap(() => candidates)), width);
  return cases.map((_, row) => {
    const own = scores.subarray(row * width, (row + 1) * width);
    return Float64Array.from({ length: items }, (__, item) => standing(own, item, spread));
  });
}

function standing(scores: Float32Array, item: number, spread: number): number {
  const own = at(scores, item);
  let rank = 1;
  for (let other = 0; other < scores.length; other++)
    if (other !== item) rank += 1 / (1 + Math.exp((own - at(scores, other)) / spread));
  return -Math.log2(rank);
}

/** Reasons by deletion: what the standing of each item loses without each of the actions. */
export async function byDeletion(
  ranker: Ranker,
  dataset: Dataset,
  actions: readonly Action[],
  question: Question,
): Promise<Weighed[][]> {
  const { moment, items } = question;
  const each = actions.map((_, place) => [place]);
  const cases = [moment, ...new Imagined(dataset, moment, actions).without(each)];
  const [now, ...gone] = (await standings(ranker, await raceOf(ranker, question), cases, items.length)) as [
    Float64Array,
    ...Float64Array[],
  ];
  return items.map((_, item) =>
    weighed(
      dataset,
      actions,
      gone.map((standing) => at(now, item) - at(standing, item)),
    ),
  );
}

/** One item's reasons so far. */
interface Steps {
  readonly chosen: readonly Weighed[];
  /** What may be chosen next. */
  readonly pool: readonly number[];
  /** The standing without what is chosen. */
  readonly standing: number;
}

/** What there would be of an item's reasons with one action more. */
interface NextStep {
  readonly place: number;
  /** The standing without them. */
  readonly gone: number;
  /** The standing with nothing but them, less that without them. */
  readonly worth: number;
}

/**
 * Reasons one after another: each time the action with which the reasons are worth most, that is, the standing is lowest without
 * them and highest with nothing else. Two actions that say the same do nothing when one is gone; together they are found.
 */
export async function stepwise(
  ranker: Ranker,
  dataset: Dataset,
  actions: readonly Action[],
  question: Question,
): Promise<Weighed[][]> {
  const { moment, items, most } = question;
  const race = await raceOf(ranker, question);
  const imagined = new Imagined(dataset, moment, actions);
  const [now] = (await standings(ranker, race, [moment], items.length)) as [Float64Array];
  const pool = [...actions.keys()];
  let all = items.map((_, item): Steps => ({ chosen: [], pool, standing: at(now, item) }));
  for (let step = 0; step < Math.min(most, actions.length); step++) {
    const sets = new DistinctSets(all.flatMap((steps) => steps.pool.map((place) => withNext(steps, place))));
    const cases = [...imagined.without(sets.distinct), ...imagined.withOnly(sets.distinct)];
    const found = await standings(ranker, race, cases, items.length);
    all = all.map((steps, item) => {
      const nextSteps = steps.pool.map((place): NextStep => {
        const index = sets.indexOf(withNext(steps, place));
        const gone = at(found[index] as Float64Array, item);
        const alone = at(found[index + sets.distinct.length] as Float64Array, item);
        return { place, gone, worth: alone - gone };
      });
      return takeBest(steps, nextSteps, Math.max(POOL, most));
    });
  }
  return all.map(({ chosen }) => [...chosen]);
}

const withNext = ({ chosen }: Steps, place: number): number[] => [...chosen.map((earlier) => earlier.place), place];

/** Takes the action that is worth most, of equal ones the one that comes last in its lane; `keep` of the others may be taken later. */
function takeBest({ chosen, standing }: Steps, found: readonly NextStep[], keep: number): Steps {
  const [best, ...others] = found.toSorted((a, b) => b.worth - a.worth || b.place - a.place) as [
    NextStep,
    ...NextStep[],
  ];
  return {
    chosen: [...chosen, { place: best.place, weight: standing - best.gone }],
    pool: others.slice(0, keep - 1).map(({ place }) => place),
    standing: best.gone,
  };
}
