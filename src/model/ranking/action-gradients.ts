/**
 * Gradient times input, for every model that looks at vectors of actions. Knows where a graph takes in what somebody did; does
 * not know any one model.
 *
 * The vector of an action is whatever the graph gathers by the slots that a batch has for it: the item of a feed event; the query
 * of a search, its source, and each item clicked. Places in time are not the action's own. Where a model gathers an action more
 * than once, the parts add up.
 */
import { at } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import {
  type Action,
  type Case,
  type Window,
  clickPositionsBefore,
  ordinalsOf,
  recentFeed,
  recentSearches,
} from '../../features/index.js';
import { type Tensor, gradients, ops, topologicalOrder } from '../../tensor/index.js';

/** Inputs that hold slots of actions. `alignedFeed`: see features/aligned.ts. */
const ACTION_INPUTS = ['feed', 'alignedFeed', 'search', 'searchSource', 'clicks'] as const;
type ActionInput = (typeof ACTION_INPUTS)[number];

/** The output with the shares of the actions whose slots are in an input. */
const shareKey = (input: ActionInput): string => `shares of ${input}`;

/**
 * The standing (reasons.ts) of candidate r in row r among all candidates. logits: (B,C), C at least B; spread: a scalar, τ. Result
 * (B,1).
 */
export function standings(logits: Tensor, spread: Tensor): Tensor {
  const [rows, count] = logits.shape as [number, number];
  const isOwn = ops.constant(
    Array.from({ length: rows * count }, (_, i) => (i % count === Math.floor(i / count) ? 1 : 0)),
    [rows, count],
  );
  const own = ops.sum(ops.mul(logits, isOwn), [1]);
  const before = ops.mul(ops.sigmoid(ops.div(ops.sub(logits, own), spread)), ops.sub(1, isOwn));
  return ops.mul(ops.log(ops.add(1, ops.sum(before, [1]))), -1 / Math.LN2);
}

/** Whether an outcome depends on vectors of actions at all. */
export const seesActionVectors = (outcome: Tensor): boolean => actionVectors(outcome).length > 0;

/**
 * The gradient of the sum of outcomes (B,…), of which each row depends on its own history alone, times the vectors of the actions,
 * added up over the width: (B,places) for every input that has slots of actions.
 */
export function gradientTimesInput(outcome: Tensor): Record<string, Tensor> {
  const found = actionVectors(outcome);
  const total = ops.sum(outcome, [...outcome.shape.keys()]);
  const byVectors = gradients(
    total,
    found.map(({ vectors }) => vectors),
  );
  const [rows] = outcome.shape as [number];
  const shares: Record<string, Tensor> = {};
  found.forEach(({ key, vectors }, i) => {
    const lastAxis = vectors.shape.length - 1;
    const places = vectors.shape.slice(0, -1).reduce((product, size) => product * size, 1) / rows;
    const share = ops.reshape(ops.sum(ops.mul(byVectors[i] as Tensor, vectors), [lastAxis]), [rows, places]);
    const known = shares[shareKey(key)];
    shares[shareKey(key)] = known ? ops.add(known, share) : share;
  });
  return shares;
}

/** Everything that is gathered by slots of actions. */
function actionVectors(outcome: Tensor): { key: ActionInput; vectors: Tensor }[] {
  return topologicalOrder([outcome]).flatMap((tensor) => {
    if (tensor.op.name !== 'gather') return [];
    const key = keyOf(tensor.inputs[1] as Tensor);
    const known = ACTION_INPUTS.find((name) => name === key);
    return known ? [{ key: known, vectors: tensor }] : [];
  });
}

/** The input that slots come from, if it is one as it is. */
function keyOf(slots: Tensor): string | null {
  if (slots.op.name === 'input') return slots.op.key;
  return slots.op.name === 'reshape' ? keyOf(slots.inputs[0] as Tensor) : null;
}

/**
 * What each action has of the shares of a row: those of everything that happened with it, in both lanes.
 * @param window the room of the batch
 * @param shares what came of `gradientTimesInput`
 */
export function weightsFromShares(
  dataset: Dataset,
  moment: Case,
  actions: readonly Action[],
  window: Window,
  shares: Readonly<Record<string, Float32Array>>,
  row: number,
): Float64Array {
  const byOrdinal = new Map<number, number>();
  const add = (ordinal: number, input: ActionInput, place: number, places: number): void => {
    const own = shares[shareKey(input)];
    if (own) byOrdinal.set(ordinal, (byOrdinal.get(ordinal) ?? 0) + at(own, row * places + place));
  };
  const feed = recentFeed(dataset, moment, window.feed);
  feed.forEach((position, place) => {
    add(at(dataset.feedOrdinal, position), 'feed', place, window.feed);
    add(at(dataset.feedOrdinal, position), 'alignedFeed', window.feed - feed.length + place, window.feed);
  });
  recentSearches(dataset, moment, window.search).forEach((search, place) => {
    add(at(dataset.searchOrdinal, search), 'search', place, window.search);
    add(at(dataset.searchOrdinal, search), 'searchSource', place, window.search);
    clickPositionsBefore(dataset, moment, search, window.clicks).forEach((click, nth) =>
      add(at(dataset.clickOrdinal, click), 'clicks', place * window.clicks + nth, window.search * window.clicks),
    );
  });
  return Float64Array.from(actions, (action) =>
    ordinalsOf(dataset, moment, action).reduce((sum, ordinal) => sum + (byOrdinal.get(ordinal) ?? 0), 0),
  );
}
