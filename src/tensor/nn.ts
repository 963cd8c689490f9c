/**
 * Functions composed of primitives that every neural network needs. Knows shapes; does not know parameters by name
 * (model/layers/layers.ts does) nor what a network is for.
 *
 * Shapes: B batch, T positions, d width, h heads.
 */
import { assert } from '../base/index.js';
import type { Tensor } from './graph.js';
import * as ops from './ops.js';
import { add, matmul, mul, reshape, sub, sum } from './ops.js';

/** The mean over some axes, which stay with size 1; over all when none are given. */
export function mean(x: Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis)): Tensor {
  const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1);
  return mul(sum(x, axes), 1 / count);
}

/** The sum over some axes, which are dropped. */
export function sumOut(x: Tensor, axes: readonly number[]): Tensor {
  return reshape(
    sum(x, axes),
    x.shape.filter((_, axis) => !axes.includes(axis)),
  );
}

/** x W^T + b over the last axis. x: (…, in); weight: (out, in), as PyTorch keeps it; bias: (out) or none. Result (…, out). */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [out, inner] = weight.shape as [number, number];
  const lead = x.shape.slice(0, -1);
  const flat = reshape(x, [lead.reduce((product, size) => product * size, 1), inner]);
  return reshape(matmul(flat, weight, { transposeB: true }, bias), [...lead, out]);
}

/** x W over the last axis. x: (…, in); matrix: (in, out). */
export function project(x: Tensor, matrix: Tensor): Tensor {
  const [inner, out] = matrix.shape as [number, number];
  const lead = x.shape.slice(0, -1);
  return reshape(matmul(reshape(x, [lead.reduce((product, size) => product * size, 1), inner]), matrix), [
    ...lead,
    out,
  ]);
}

/**
 * Softmax over the last axis, restricted to the entries where mask is 1; entries outside get exactly 0. Where nothing
 * is inside, the result is finite but means nothing: use `maskedSoftmax` where that can happen and is looked at.
 * scores: any shape; mask: a shape that broadcasts to it, of 0 and 1.
 */
function softmaxWithin(scores: Tensor, mask: Tensor): Tensor {
  return ops.softmax(add(scores, mul(sub(mask, 1), 1e12))); // 0 inside, -1e12 outside: e^(-1e12) is exactly 0
}

/** Softmax over the last axis, restricted to the entries where mask is 1; entries outside, and rows with nothing inside, get exactly 0. */
export function maskedSoftmax(scores: Tensor, mask: Tensor): Tensor {
  return mul(softmaxWithin(scores, mask), mask);
}

/**
 * x times the probability that a standard normal variable stays below x (Hendrycks and Gimpel 2016), exactly:
 * x (1 + erf(x / sqrt 2)) / 2. In this very order ONNX Runtime makes one operator of it, where no gradient looks inside.
 */
export function gelu(x: Tensor): Tensor {
  const twice = add(ops.erf(ops.div(x, Math.SQRT2)), 1); // twice the probability
  return ops.withGradient(mul(mul(x, twice), 0.5), [x], (upstream) => {
    const twiceDensity = mul(ops.exp(mul(mul(x, x), -0.5)), Math.sqrt(2 / Math.PI));
    return [mul(upstream, mul(add(twice, mul(x, twiceDensity)), 0.5))];
  });
}

/**
 * log sum exp over the last axis, which stays with size 1, restricted to the entries where mask is 1; a row needs at least
 * one. With p the softmax it is sum p (x - log p), which does not overflow; its gradient is p.
 * scores: any shape; mask: a shape that broadcasts to it, of 0 and 1.
 */
export function maskedLogSumExp(scores: Tensor, mask: Tensor): Tensor {
  const weights = softmaxWithin(scores, mask);
  const logarithms = ops.log(ops.maximum(weights, 1e-30)); // p log p is 0 where p is
  const value = sum(mul(weights, sub(scores, logarithms)), [scores.shape.length - 1]);
  return ops.withGradient(value, [scores], (upstream) => [mul(upstream, weights)]);
}

/** Mean over the positions of a mask: sum(mask * x) / max(1, count). x: (B,T,d), mask: (B,T). Result (B,d). */
export function maskedMean(x: Tensor, mask: Tensor): Tensor {
  const [batch, positions, width] = x.shape as [number, number, number];
  const weights = ops.div(mask, ops.maximum(sum(mask, [1]), 1));
  return reshape(sum(mul(x, reshape(weights, [batch, positions, 1])), [1]), [batch, width]);
}

/** (B,T,d) to (B,h,T,d/h). */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [batch, positions, width] = x.shape as [number, number, number];
  return ops.transpose(reshape(x, [batch, positions, heads, width / heads]), [0, 2, 1, 3]);
}

/**
 * Softmax attention: each query's mean of the values, weighted by softmax(query . key) over the keys of the mask.
 * Shapes: query (…,S,w), key (…,T,w), value (…,T,v), mask: one that broadcasts to (…,S,T). Result (…,S,v).
 *
 * The gradient by the scores is weights * (g - sum(weights * g)) with g = upstream value^T; the sum equals that of
 * upstream * result, which is narrower than the T scores (Dao et al. 2022, section B.4). `drop`: of weights.
 */
export function attention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor,
  drop?: (weights: Tensor) => Tensor,
): Tensor {
  const weights = softmaxWithin(matmul(query, key, { transposeB: true }), mask);
  if (drop) return matmul(drop(weights), value); // dropped weights do not add up to one: no shorter gradient
  const result = matmul(weights, value);
  return ops.withGradient(result, [query, key, value], (upstream) => {
    const common = sum(mul(upstream, result), [result.shape.length - 1]);
    const byScores = mul(weights, sub(matmul(upstream, value, { transposeB: true }), common));
    return [
      matmul(byScores, key),
      matmul(byScores, query, { transposeA: true }),
      matmul(weights, upstream, { transposeA: true }),
    ];
  });
}

/**
 * Multi-head scaled dot-product attention (Vaswani et al. 2017) without its input and output projections.
 * query: (B,S,d); key, value: (B,T,d); mask: a shape that broadcasts to (B,h,S,T), 1 where a query may attend to a key, so
 * (B,1,1,T) is a mask of keys and (B,1,S,T) one of pairs. Queries without any key give finite values that mean nothing.
 * Result (B,S,d).
 */
export function multiHeadAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  mask: Tensor,
  heads: number,
  drop?: (weights: Tensor) => Tensor,
): Tensor {
  const [batch, positions, width] = query.shape as [number, number, number];
  assert(width % heads === 0, `width ${width} is not divisible by ${heads} heads`);
  const scaled = mul(splitHeads(query, heads), 1 / Math.sqrt(width / heads));
  const mixed = attention(scaled, splitHeads(key, heads), splitHeads(value, heads), mask, drop);
  return reshape(ops.transpose(mixed, [0, 2, 1, 3]), [batch, positions, width]);
}

/**
 * sum_j c_j exp(tanh(x . y_j) / tau) for each row x: the denominators of a contrastive loss whose similarities tanh
 * bounds, so that exp needs no running maximum.
 * Shapes: x (n,d), y (m,d), counts c (m,1), inverse: 1 / tau, a scalar. Result (n,1).
 *
 * In the gradient, factors of rows and columns stay out of the (n,m) matrices and on the small operands of the products.
 */
export function boundedExponentialSums(x: Tensor, y: Tensor, counts: Tensor, inverse: Tensor): Tensor {
  const similarity = ops.tanh(matmul(x, y, { transposeB: true }));
  const powers = ops.exp(mul(similarity, inverse));
  return ops.withGradient(matmul(powers, counts), [x, y, inverse], (upstream) => {
    const weighted = mul(powers, similarity);
    const slope = sub(powers, mul(weighted, similarity)); // e (1 - t^2)
    const rowFactor = mul(upstream, inverse);
    return [
      mul(matmul(slope, mul(y, counts)), rowFactor),
      mul(matmul(slope, mul(x, rowFactor), { transposeA: true }), counts),
      reshape(sum(mul(matmul(weighted, counts), upstream)), inverse.shape),
    ];
  });
}

/** Binary cross-entropy with logits, mean over all entries: softplus(z) - y z. labels: of the shape of logits. */
export function binaryCrossEntropy(logits: Tensor, labels: Tensor): Tensor {
  return scalar(mean(sub(ops.softplus(logits), mul(logits, labels))));
}

/** Euclidean norm over the last axis, which is dropped. */
export function norm(x: Tensor): Tensor {
  return ops.sqrt(sumOut(mul(x, x), [x.shape.length - 1]));
}

/** A tensor of one entry as a scalar, shape []. */
export function scalar(x: Tensor): Tensor {
  return reshape(x, []);
}

/** What a sum of exponentials is of, where that is not all of y once. */
export interface ExponentialSum {
  /** Each y_j counts so often; 1 unless told. */
  readonly weight: number;
  /** (n,1) What is added to the sum beside, in multiples of exp(r). No gradient. */
  readonly beside: Tensor;
  /** (n,m) What is added to x . y_j; nothing unless told. */
  readonly more?: Tensor;
}

/**
 * log(sum_j exp(x . y_j)) - r for each row x: cross-entropy over everything when r is the score of the right one. With `sampled`,
 * log(beside exp(r) + weight sum_j exp(x . y_j)) - r, where y are a sample. Scores that exceed r by more than 80 count as 80, where
 * float32 ends. Shapes: x (n,d), y (m,d), r (n,1). Result (n,1).
 *
 * The (n,m) matrix is made and read in blocks of columns that a cache holds: whole, half of the time goes into memory that is new each
 * time. Its own gradient goes over it twice, in products.
 */
export function logSumExp(x: Tensor, y: Tensor, r: Tensor, sampled?: ExponentialSum, block = BLOCK): Tensor {
  const more = sampled?.more;
  const blocks = blocksOf(x.shape[0] as number, y.shape[0] as number, block).map(([start, end]) => {
    const own = ops.slice(y, 0, start, end);
    const products = matmul(x, own, { transposeB: true });
    const scores = more ? add(products, ops.slice(more, 1, start, end)) : products;
    return { y: own, powers: powersOver(scores, r) };
  });
  const all = blocks.map(({ powers }) => sum(powers, [1])).reduce(add);
  const ofSample = sampled ? mul(all, sampled.weight) : all;
  const total = sampled ? add(ofSample, sampled.beside) : all;
  return ops.withGradient(ops.log(total), [x, y, r, ...(more ? [more] : [])], (upstream) => {
    const perTotal = ops.div(upstream, total);
    const scale = sampled ? mul(perTotal, sampled.weight) : perTotal;
    const scaled = mul(x, scale);
    return [
      mul(blocks.map(({ powers, y }) => matmul(powers, y)).reduce(add), scale),
      ops.concat(
        blocks.map(({ powers }) => matmul(powers, scaled, { transposeA: true })),
        0,
      ),
      // the shares of all others sum to 1, less what is beside
      ops.neg(sampled ? mul(perTotal, ofSample) : upstream),
      ...(more
        ? [
            ops.concat(
              blocks.map(({ powers }) => mul(powers, scale)),
              1,
            ),
          ]
        : []),
    ];
  });
}

/** Entries of a matrix that are worked on at once: 2 MB of float32. */
const BLOCK = 2 ** 19;

/** The ends of blocks of columns, alike to one, that hold about `block` entries of a matrix (rows,columns) each. */
function blocksOf(rows: number, columns: number, block: number): (readonly [start: number, end: number])[] {
  const count = Math.min(columns, Math.ceil((rows * columns) / block));
  const end = (block: number): number => Math.floor((block * columns) / count);
  return Array.from({ length: count }, (_, block) => [end(block), end(block + 1)] as const);
}

/** `logSumExp` of scores (n,m) that are no products. */
export function logSumExpOf(
  scores: Tensor,
  r: Tensor,
  { weight, beside }: Pick<ExponentialSum, 'weight' | 'beside'>,
): Tensor {
  return ops.log(add(mul(sum(powersOver(scores, r), [1]), weight), beside));
}

/** exp(score - r), at most exp(80). */
const powersOver = (scores: Tensor, r: Tensor): Tensor => ops.exp(ops.neg(ops.maximum(sub(r, scores), -80)));

/** The same values, from which no gradient goes back. */
export const withoutGradient = (x: Tensor): Tensor => ops.withGradient(x, [], () => []);
