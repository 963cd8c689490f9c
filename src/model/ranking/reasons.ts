/**
 * How much each action of a history counts for a recommended item, and the reasons that follow. Knows rankers and histories
 * without some actions; does not know how a model comes to its scores, nor how reasons are told.
 *
 * What is explained is the margin of an item: its score over the mean score of those that it competes with. A score alone may
 * fall because all fall, which moves nobody.
 */
import { at } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import { type Action, LANES, ordinalOf, without } from '../../features/index.js';
import { type Case, type Ranker, ranksOf, recommend } from './recommender.js';

/**
 * Ways to weigh actions, that of `explain` first. `deletion`: what the margin loses when the action had not happened. `gradient`:
 * the gradient of the margin by the vectors of the action times these vectors. `attention`: the attention that the item pays to it.
 */
export const REASON_METHODS = ['deletion', 'gradient', 'attention'] as const;
export type ReasonMethod = (typeof REASON_METHODS)[number];

/** Which side of the split an action lies on; null where the model has no sides, or the user one history only. */
export type Side = 'similar' | 'dissimilar' | null;

/** An action of a history, and its side. */
export interface SidedAction extends Action {
  readonly side: Side;
}

/** An action behind a recommendation. */
export interface Reason extends SidedAction {
  /** By the method that was asked for: comparable within the reasons of one item only. Above 0: it speaks for the item. */
  readonly weight: number;
  /** The rank that the item would have, among the same candidates, had this action not happened. */
  readonly rankWithout: number;
}

/** A ranker that can say what it looks at, and weigh it. */
export interface ExplainingRanker extends Ranker {
  /** The methods that the model is open to, the usual one first. */
  readonly reasonMethods: readonly ReasonMethod[];
  /** The actions in the window of a case, oldest first in each lane, the feed first, and the side of each. */
  sides(moment: Case): Promise<SidedAction[]>;
  /**
   * The weight of each of these actions for each item: a list per item.
   * @param contenders the items that margins are over
   */
  weigh(
    method: ReasonMethod,
    moment: Case,
    items: readonly number[],
    contenders: readonly number[],
  ): Promise<Float64Array[]>;
}

/** A margin is over so many of the best items for the user: those that may come to stand before an item, or behind. */
export const CONTENDERS = 100;

export interface ExplainOptions {
  readonly method?: ReasonMethod;
  /** The most reasons of each lane; 2 unless told. */
  readonly perLane?: number;
  /** Items that are out of the race. */
  readonly excluded?: ReadonlySet<number>;
}

/**
 * Why items are recommended: for each the actions of the window that weigh most for it, up to `perLane` of each lane, the
 * weightiest first, equal ones the newest first. An action that does not speak for the item is no reason; there may be none at all.
 */
export async function explain(
  ranker: ExplainingRanker,
  dataset: Dataset,
  moment: Case,
  items: readonly number[],
  { method = 'deletion', perLane = 2, excluded = new Set() }: ExplainOptions = {},
): Promise<Reason[][]> {
  const actions = await ranker.sides(moment);
  if (actions.length === 0) return items.map(() => []);
  const contenders = (await recommend(ranker, moment, CONTENDERS, excluded)).map(({ item }) => item);
  const weights = await ranker.weigh(method, moment, items, contenders);
  const chosen = weights.map((own) => {
    const order = byWeight(dataset, actions, own).filter((place) => at(own, place) > 0);
    const best = LANES.map((lane) => order.filter((place) => actions[place]?.lane === lane).slice(0, perLane));
    return order.filter((place) => best.some((ofLane) => ofLane.includes(place)));
  });
  const distinct = [...new Set(chosen.flat())];
  const imagined = distinct.map((place) => without(dataset, moment, [actions[place] as Action]));
  const catalogue = dataset.items.ids.length;
  const ranks = await ranksOf(ranker, imagined, items, { catalogue, excluded });
  return chosen.map((places, row) =>
    places.map((place) => ({
      ...(actions[place] as SidedAction),
      weight: at(weights[row] as Float64Array, place),
      rankWithout: at(ranks, distinct.indexOf(place) * items.length + row),
    })),
  );
}

/** Places of actions, the weightiest first, equal ones the newest first. */
export function byWeight(dataset: Dataset, actions: readonly Action[], weights: Float64Array): number[] {
  const ordinals = actions.map((action) => ordinalOf(dataset, action));
  return [...actions.keys()].sort((a, b) => at(weights, b) - at(weights, a) || at(ordinals, b) - at(ordinals, a));
}

/** What the margin of each item loses when each of the actions had not happened: a list per item. */
export async function weighByDeletion(
  ranker: Ranker,
  dataset: Dataset,
  moment: Case,
  actions: readonly Action[],
  items: readonly number[],
  contenders: readonly number[],
): Promise<Float64Array[]> {
  const cases = [moment, ...actions.map((action) => without(dataset, moment, [action]))];
  const candidates = [...new Set([...items, ...contenders])];
  const width = candidates.length;
  const scores = await ranker.score(cases, Int32Array.from(cases.flatMap(() => candidates)), width);
  return items.map((item) => {
    const shares = marginShares(item, contenders);
    const coefficients = candidates.map((candidate) => shares.get(candidate) ?? 0);
    const marginOf = (row: number): number =>
      coefficients.reduce((sum, share, column) => sum + share * at(scores, row * width + column), 0);
    const margin = marginOf(0);
    return Float64Array.from(actions, (_, place) => margin - marginOf(place + 1));
  });
}

/** What each score counts in the margin of an item: its own once, those of the other contenders less their mean. */
export function marginShares(item: number, contenders: readonly number[]): Map<number, number> {
  const others = contenders.filter((contender) => contender !== item);
  return new Map([[item, 1], ...others.map((other) => [other, -1 / others.length] as const)]);
}
