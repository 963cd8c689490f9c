/**
 * Layers that weigh a history for a candidate, or by itself, and those that score: perceptrons, attention units, dot
 * products. Knows tensors and masks; does not know what a position stands for, nor any one model.
 *
 * Shapes: B rows, C candidates, T positions, d width. A mask (B,T) is 1 at real positions, wherever they are.
 */
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Initialiser, type Scope, initialisers, linear } from './layers.js';

const { add, matmul, mul, reshape, sub } = ops;

/**
 * What follows a linear layer.
 *
 * `prelu`: max(x, 0) + a min(x, 0), with a learned per unit, start 0.25 (He et al. 2015).
 *
 * `dice`: x (p + (1 - p) alpha) with p = sigmoid(scale x + shift), alpha, scale and shift learned per unit, starts 0, 1 and 0.
 * This is Eq. 3 of Zhou et al. 2018 (DIN) with a learned scale and shift in place of mean and variance of the batch, since a
 * score must not depend on the company in the batch; the running statistics that DIN is evaluated with are just such constants.
 */
export type Activation = 'relu' | 'leakyRelu' | 'tanh' | 'prelu' | 'dice';

/** Applies an activation over the last axis; learned parts are parameters under `name`. x: (…,units). Result (…,units). */
export function activate(scope: Scope, name: string, x: Tensor, activation: Activation): Tensor {
  const perUnit = (part: string, start: number): Tensor =>
    scope.parameter(`${name}.${part}`, [x.shape.at(-1) as number], initialisers.constant(start));
  switch (activation) {
    case 'relu':
      return ops.relu(x);
    case 'leakyRelu':
      return ops.leakyRelu(x);
    case 'tanh':
      return ops.tanh(x);
    case 'prelu': {
      const positive = ops.relu(x);
      return add(positive, mul(sub(x, positive), perUnit('slope', 0.25)));
    }
    case 'dice': {
      const alpha = perUnit('alpha', 0);
      const p = ops.sigmoid(add(mul(x, perUnit('scale', 1)), perUnit('shift', 0)));
      return mul(x, add(mul(p, sub(1, alpha)), alpha));
    }
  }
}

/**
 * The layers of a perceptron after its first linear map, whose result is given: for those who put that together from parts.
 * first: (…,units[0]). Result (…,last of units).
 */
export function layersAfterFirst(
  scope: Scope,
  name: string,
  first: Tensor,
  units: readonly number[],
  activation: Activation,
  { dropout }: { dropout: boolean },
): Tensor {
  return units.slice(1).reduce((before, width, at) => {
    const active = activate(scope, `${name}.${at}`, before, activation);
    return linear(scope, `${name}.${at + 1}`, dropout ? scope.dropout(active) : active, width);
  }, first);
}

/**
 * A multi-layer perceptron: linear layers `name.0`, `name.1`, … with an activation, and dropout unless it is told not to,
 * between them. x: (…,in); units: the width of each layer. Result (…,last of units).
 */
export function perceptron(
  scope: Scope,
  name: string,
  x: Tensor,
  units: readonly [number, ...number[]],
  activation: Activation,
  { dropout = true } = {},
): Tensor {
  return layersAfterFirst(scope, name, linear(scope, `${name}.0`, x, units[0]), units, activation, { dropout });
}

export interface TargetAttentionOptions {
  /** Widths of the layers before the one that gives the weight. */
  readonly units: readonly [number, ...number[]];
  readonly activation: Activation;
  /** What the weights are divided by; sqrt(d) unless told. */
  readonly divisor?: number;
}

/**
 * The attention unit of DIN (Zhou et al. 2018, section 4.3): the weight of position t for candidate c is a perceptron of
 * [q; k; q - k; q * k], q the candidate and k the position. There is no softmax: the strength of an interest is kept; the
 * weights of padded positions are 0.
 * query: (B,C,d), keys: (B,T,d), mask: (B,T). Result (B,C,T). Parameters: the layers `name.0`, …, of which the first has
 * weights (units, 4d).
 *
 * The features are never put together: W [q; k; q - k; q * k] = (W_1 + W_3) q + (W_2 - W_3) k + W_4 (q * k).
 */
export function targetAttention(
  scope: Scope,
  name: string,
  query: Tensor,
  keys: Tensor,
  mask: Tensor,
  { units, activation, divisor }: TargetAttentionOptions,
): Tensor {
  const [rows, candidates, width] = query.shape as [number, number, number];
  const positions = keys.shape[1] as number;
  const first = pairLayer(scope, `${name}.0`, query, keys, units[0]); // (B,T,C,u)
  const scores = layersAfterFirst(scope, name, first, [...units, 1], activation, { dropout: false });
  const byCandidate = ops.transpose(reshape(scores, [rows, positions, candidates]), [0, 2, 1]);
  const share = mul(mask, 1 / (divisor ?? Math.sqrt(width)));
  return mul(byCandidate, reshape(share, [rows, 1, positions]));
}

/**
 * W [q; k; q - k; q * k] + b of each pair of a candidate (B,C,d) and a position (B,T,d). Result (B,T,C,units).
 *
 * With fewer positions than units, q * k is what there is least of; with more, it is W_4 scaled by q, which also takes in what
 * k adds by itself. Each is the quicker on its side (LOG.md).
 */
function pairLayer(scope: Scope, name: string, query: Tensor, keys: Tensor, units: number): Tensor {
  const [rows, candidates, width] = query.shape as [number, number, number];
  const positions = keys.shape[1] as number;
  const weight = scope.parameter(`${name}.weight`, [units, 4 * width], initialisers.xavierNormal(4 * width, units));
  const bias = scope.parameter(`${name}.bias`, [units], initialisers.constant(0));
  const part = (at: number): Tensor => ops.slice(weight, 1, at * width, (at + 1) * width);
  const [ofQuery, ofKey, ofProduct] = [add(part(0), part(2)), sub(part(1), part(2)), part(3)]; // (units,d) each
  const queryShare = reshape(nn.linear(query, ofQuery, bias), [rows, 1, candidates, units]);

  if (positions > units) {
    const scaled = add(mul(reshape(query, [rows, candidates, 1, width]), ofProduct), ofKey); // (B,C,units,d)
    const shares = matmul(keys, reshape(scaled, [rows, candidates * units, width]), { transposeB: true });
    return add(reshape(shares, [rows, positions, candidates, units]), queryShare);
  }
  const products = mul(reshape(query, [rows, 1, candidates, width]), reshape(keys, [rows, positions, 1, width]));
  const keyShare = reshape(nn.linear(keys, ofKey), [rows, positions, 1, units]);
  return add(add(nn.linear(products, ofProduct), keyShare), queryShare);
}

/** What additive attention makes of a set. */
export interface Pooled {
  /** (B,d); zeros where nothing is in the set. */
  readonly pooled: Tensor;
  /** (B,1); 1 where something is. */
  readonly isPresent: Tensor;
}

/**
 * Additive attention (Wu et al. 2019, NRHUB): the mean of x, weighted by the softmax of v^T tanh(U x + b) over the mask.
 * x: (B,N,d), mask: (B,N); inner: the width of U x. Parameters `name.projection`, U and b, and `name.score.weight`, v, which
 * starts with deviation 1 / sqrt(inner), so that scores start with that of tanh.
 */
export function additiveAttention(scope: Scope, name: string, x: Tensor, mask: Tensor, inner: number): Pooled {
  const [rows, count, width] = x.shape as [number, number, number];
  const projected = ops.tanh(linear(scope, `${name}.projection`, x, inner));
  const scores = linear(scope, `${name}.score`, projected, 1, {
    bias: false,
    initialiser: initialisers.normal(1 / Math.sqrt(inner)),
  });
  const weights = nn.maskedSoftmax(reshape(scores, [rows, count]), mask);
  return {
    pooled: reshape(matmul(reshape(weights, [rows, 1, count]), x), [rows, width]),
    isPresent: ops.greater(ops.sum(mask, [1]), 0),
  };
}

/**
 * Bilinear attention (Zhou et al. 2019, DIEN): the softmax of k^T W q over the positions of the mask, W: `name.weight`.
 * query: (B,C,e), keys: (B,T,d), mask: (B,T). Result (B,C,T); zeros where a row has no position.
 */
export function bilinearAttention(
  scope: Scope,
  name: string,
  query: Tensor,
  keys: Tensor,
  mask: Tensor,
  { initialiser }: { initialiser?: Initialiser } = {},
): Tensor {
  const [rows, positions, width] = keys.shape as [number, number, number];
  const projected = linear(scope, name, query, width, { bias: false, ...(initialiser ? { initialiser } : {}) });
  return nn.maskedSoftmax(matmul(projected, keys, { transposeB: true }), reshape(mask, [rows, 1, positions]));
}

/** What a user is, beside each of their candidates. user: (B,w). Result (B,count,w). */
export function forEachCandidate(user: Tensor, count: number): Tensor {
  const [rows, width] = user.shape as [number, number];
  return ops.broadcast(reshape(user, [rows, 1, width]), [rows, count, width]);
}

/**
 * Scores of each user's own candidates. user: (B,d), candidates: (B,C,d). Result (B,C).
 *
 * Not a matrix product: ONNX Runtime's adds up the last columns in another order than the others, and equal candidates would not
 * tie.
 */
export function dot(user: Tensor, candidates: Tensor): Tensor {
  const [rows, , width] = candidates.shape as [number, number, number];
  return nn.sumOut(mul(reshape(user, [rows, 1, width]), candidates), [2]);
}

/** Scores of the same candidates for every user. user: (B,d), candidates: (N,d). Result (B,N). */
export function dotShared(user: Tensor, candidates: Tensor): Tensor {
  return matmul(user, candidates, { transposeB: true });
}
