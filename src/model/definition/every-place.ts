/**
 * Learning from a user's whole feed at once: at each place the next item is told from others. Knows what that costs and
 * which inputs it takes; does not know how a model gets to its states.
 *
 * Shapes: B rows, T_r feed positions, I distinct items of a batch, P places with a next item, d width.
 */
import { FIRST_INDEX } from '../../data/index.js';
import { type BatchSizes, type NextItemChoice, type SharedItems, besideOf } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import type { Scope } from '../layers/layers.js';

/** What the states and the items of a training batch are. */
export interface Places {
  /** (B,T_r,d), what stands for the user at each place. */
  readonly states: Tensor;
  /** (I,d) */
  readonly items: Tensor;
  /** What else scores have than the product. For `shared` alone. */
  readonly more?: SharedScores;
}

/** Scores that are no products: `scoreOf`, entry by entry and where there is a next item alone, of what a place has for items. */
export interface SharedScores {
  /** (B,T_r,K), for items that a batch shares. */
  readonly shared: Tensor;
  /** (B,T_r), for the next one. */
  readonly next: Tensor;
  readonly scoreOf: (x: Tensor) => Tensor;
}

/**
 * The cost of the next item at every place, the part's share of the mean over all places of the batch; a scalar. Logits are
 * products. Against `all` items or those `shared` by the batch: cross-entropy, these weighed for all that they stand for
 * (nn.logSumExp). Against `count` items of each place's own: binary cross-entropy, in which they weigh as much as the next item.
 *
 * @param catalogue items that there are, padding and unknown not counted
 */
export function costOfPlaces(
  scope: Scope,
  sizes: BatchSizes,
  { states, items, more }: Places,
  choice: NextItemChoice,
  catalogue: number,
): Tensor {
  const places = sizes.extras['places'] as number;
  const width = states.shape.at(-1) as number;
  const itemsAt = (name: string, count: number): Tensor => ops.gather(items, scope.input(name, [count], 'int32'));
  const here = atPlaces(scope, sizes, states, width); // (P,d)
  const product = ops.sum(ops.mul(here, itemsAt('nextItem', places)), [1]); // (P,1)
  const score = more ? ops.add(product, more.scoreOf(atPlaces(scope, sizes, more.next, 1))) : product;
  const each = (): Tensor => {
    if (choice === 'all') return nn.logSumExp(here, itemsAt('everyItem', catalogue), score);
    if ('shared' in choice) {
      const count = Math.min(choice.shared, catalogue);
      return nn.logSumExp(here, itemsAt('sharedItem', count), score, {
        ...sampleOf(scope, sizes, 'sharedItem', count, catalogue),
        ...(more ? { more: more.scoreOf(atPlaces(scope, sizes, more.shared, count)) } : {}),
      });
    }
    return ops.add(ops.softplus(ops.neg(score)), againstOwn(scope, items, here, choice.count));
  };
  return meanOf(scope, sizes, each());
}

/** `costOfPlaces` by scores that are no products, against the items of `moreShared`. */
export function costOfScores(
  scope: Scope,
  sizes: BatchSizes,
  { shared, next, scoreOf }: SharedScores,
  catalogue: number,
): Tensor {
  const count = shared.shape.at(-1) as number;
  const others = scoreOf(atPlaces(scope, sizes, shared, count));
  const score = scoreOf(atPlaces(scope, sizes, next, 1));
  return meanOf(scope, sizes, nn.logSumExpOf(others, score, sampleOf(scope, sizes, 'moreShared', count, catalogue)));
}

/** What every position of the feeds has, (B,T_r) or (B,T_r,each), where there is a next item: (P,each). */
const atPlaces = (scope: Scope, { rows, feed, extras }: BatchSizes, x: Tensor, each: number): Tensor =>
  ops.gather(ops.reshape(x, [rows * feed, each]), scope.input('places', [extras['places'] as number], 'int32'));

/** What `count` items stand for that a batch shares. */
function sampleOf(
  scope: Scope,
  { extras }: BatchSizes,
  name: SharedItems,
  count: number,
  catalogue: number,
): { readonly weight: number; readonly beside: Tensor } {
  const places = extras['places'] as number;
  return { weight: catalogue / count, beside: ops.reshape(scope.input(besideOf(name), [places]), [places, 1]) };
}

/** The part's share of the mean of costs, (P,1). */
function meanOf(scope: Scope, { extras }: BatchSizes, costs: Tensor): Tensor {
  const places = extras['places'] as number;
  const weights = ops.reshape(scope.input('placeWeight', [places]), [places, 1]);
  return nn.scalar(ops.sum(ops.mul(costs, weights)));
}

/** The sum of what each place's negatives cost, over their number. here: (P,d). Result (P,1). */
function againstOwn(scope: Scope, items: Tensor, here: Tensor, count: number): Tensor {
  const [places, width] = here.shape as [number, number];
  const others = ops.gather(items, scope.input('placeNegatives', [places, count], 'int32')); // (P,n,d)
  const scores = ops.matmul(others, ops.reshape(here, [places, width, 1])); // (P,n,1)
  return ops.mul(ops.reshape(ops.sum(ops.softplus(scores), [1]), [places, 1]), 1 / count);
}

/** Items that a model chooses from, of a vocabulary that has padding and unknown too. */
export const catalogueSize = ({ items }: { readonly items: number }): number => items - FIRST_INDEX;
