/**
 * Losses that put together what belongs together and part it from what was drawn: queries and items, two views of a row.
 * Knows similarities and their denominators; does not know where the vectors come from.
 *
 * Similarities are tanh(x^T W y) / tau with a learned W and tau. Since tanh bounds them by 1 / tau, exp needs no running
 * maximum; the floor of tau keeps 1025 e^(1 / tau) inside float32.
 *
 * Shapes: B rows, I, Q distinct items and queries of a batch, P query-click pairs, d width.
 */
import type { BatchSizes } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Scope, initialisers } from './layers.js';

const { add, div, matmul, mul, reshape, sub, sum } = ops;

/** Below any sum of exponentials: where there is nothing to compare with, a pair of weight 0 must not say 0 * log 0. */
const LEAST_SUM = 1e-37;

/** W and 1 / tau, parameters `name.bilinear` and `name.temperature`. */
function similarity(scope: Scope, name: string, width: number, temperature: number) {
  const bilinear = scope.parameter(`${name}.bilinear`, [width, width], initialisers.xavierNormal(width, width));
  const learned = scope.parameter(`${name}.temperature`, [], initialisers.constant(temperature));
  return { bilinear, inverse: div(1, ops.maximum(learned, 0.0125)) };
}

export interface AlignmentOptions {
  /** tau at the start. */
  readonly temperature: number;
  /** Whether a pair is among what it is compared with (InfoNCE), or only the negatives are (SESRec, Eq. 6). */
  readonly includesPositive: boolean;
  /** s(q,i) has the item on the right of W; the official code of SESRec puts it on the left when items look for queries. */
  readonly transposedItemToQuery: boolean;
}

/**
 * Query-item alignment (SESRec, Eq. 6, 7, 8) with s(q,i) = tanh(q^T W i), the part's share of the mean over pairs or rows. The
 * sum over negatives is made once per distinct query (item), with multiplicities, and shared by all pairs it is in. items: (I,d),
 * queries: (Q,d). Parameters `alignment.bilinear`, `alignment.temperature`. It takes what `Model.alignment` lets batches bring.
 */
export function alignmentLoss(
  scope: Scope,
  sizes: BatchSizes,
  items: Tensor,
  queries: Tensor,
  { temperature, includesPositive, transposedItemToQuery }: AlignmentOptions,
): Tensor {
  const at = (table: Tensor, key: string, size: number): Tensor => ops.gather(table, scope.input(key, [size], 'int32'));
  const anchorQueries = at(queries, 'anchorQueries', sizes.anchorQueries);
  const anchorItems = at(items, 'anchorItems', sizes.anchorItems);
  const negativeItems = at(items, 'negativeItems', sizes.negativeItems);
  const negativeQueries = at(queries, 'negativeQueries', sizes.negativeQueries);
  const { bilinear, inverse } = similarity(scope, 'alignment', items.shape[1] as number, temperature);
  const pairQuery = scope.input('pairQuery', [sizes.pairs], 'int32');
  const pairItem = scope.input('pairItem', [sizes.pairs], 'int32');
  const weight = reshape(scope.input('pairWeight', [sizes.pairs]), [sizes.pairs, 1]);

  // -log( e^(s+/tau) / sum ) over the pairs, in one direction
  const direction = (
    mapped: Tensor,
    negatives: Tensor,
    counts: Tensor,
    pairAnchor: Tensor,
    partners: Tensor,
  ): Tensor => {
    const column = reshape(counts, [counts.shape[0] as number, 1]);
    const sums = ops.gather(nn.boundedExponentialSums(mapped, negatives, column, inverse), pairAnchor); // (P,1)
    const positive = ops.tanh(sum(mul(ops.gather(mapped, pairAnchor), partners), [1])); // (P,1)
    const scaled = mul(positive, inverse);
    const denominator = includesPositive ? add(sums, ops.exp(scaled)) : ops.maximum(sums, LEAST_SUM);
    return nn.scalar(sum(mul(weight, sub(ops.log(denominator), scaled))));
  };
  const queryToItem = direction(
    nn.project(anchorQueries, bilinear),
    negativeItems,
    scope.input('negativeItemCount', [sizes.negativeItems]),
    pairQuery,
    ops.gather(anchorItems, pairItem),
  );
  const itemToQuery = direction(
    transposedItemToQuery ? nn.project(anchorItems, bilinear) : nn.linear(anchorItems, bilinear),
    negativeQueries,
    scope.input('negativeQueryCount', [sizes.negativeQueries]),
    pairItem,
    ops.gather(anchorQueries, pairQuery),
  );
  return mul(add(queryToItem, itemToQuery), 0.5);
}

/** The two views of some rows. */
export interface Views {
  /** (B,d) each. */
  readonly one: Tensor;
  readonly other: Tensor;
  /** (B,1), 1 for rows that have both views; the others are no negatives either. */
  readonly isPresent: Tensor;
}

/**
 * Contrast of two views of each row (UniSAR): for a view z_i the cross-entropy of its partner, the other view of the same row,
 * against all other views, s(i,j) = tanh(z_i^T W z_j) / tau; the sum over rows of the mean of their two views.
 *
 * Negatives are the views of the rows of the same group: rows 0 to `together` - 1 of the batch, the next `together`, and so on. A
 * batch is cut into parts between groups only (`Model.rowsTogether`), so its parts say what it says. Parameters `name.bilinear`,
 * `name.temperature`. Result: a scalar.
 */
export function viewContrast(
  scope: Scope,
  name: string,
  { one, other, isPresent }: Views,
  { together, temperature }: { together: number; temperature: number },
): Tensor {
  const [rows, width] = one.shape as [number, number];
  const parts = similarity(scope, name, width, temperature);
  const groups = Array.from({ length: Math.ceil(rows / together) }, (_, group) => {
    const own = (x: Tensor): Tensor => ops.slice(x, 0, group * together, Math.min(rows, (group + 1) * together));
    return groupContrast({ one: own(one), other: own(other), isPresent: own(isPresent) }, parts);
  });
  return groups.reduce((total, group) => add(total, group));
}

/** The sum over the rows of one group. */
function groupContrast({ one, other, isPresent }: Views, { bilinear, inverse }: ReturnType<typeof similarity>): Tensor {
  const count = 2 * (one.shape[0] as number);
  const views = ops.concat([one, other], 0);
  const partners = ops.concat([other, one], 0);
  const counts = ops.concat([isPresent, isPresent], 0);
  const mapped = nn.project(views, bilinear);
  const similarities = mul(ops.tanh(matmul(mapped, views, { transposeB: true })), inverse);
  const powers = mul(mul(ops.exp(similarities), reshape(counts, [1, count])), offDiagonal(count));
  const positive = mul(ops.tanh(sum(mul(mapped, partners), [1])), inverse);
  const each = sub(ops.log(ops.maximum(sum(powers, [1]), LEAST_SUM)), positive);
  return mul(nn.scalar(sum(mul(each, counts))), 0.5);
}

/** 0 on the diagonal, 1 elsewhere, (n,n). */
function offDiagonal(size: number): Tensor {
  const numbers = Array.from({ length: size }, (_, at) => at);
  const [row, column] = [ops.constant(numbers, [size, 1]), ops.constant(numbers, [1, size])];
  return add(ops.greater(row, column), ops.greater(column, row));
}
