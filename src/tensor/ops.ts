/**
 * The functions that build tensors by primitive operations, and the shape rule of each. Knows what an operation's result looks like;
 * does not know how it is differentiated (gradients.ts) or run (onnx.ts).
 *
 * Elementwise operations of two tensors broadcast as NumPy does. Comparisons give 1 and 0 as float32 and have no
 * gradient, so a mask is an ordinary tensor. No primitive draws random numbers: dropout masks are inputs.
 */
import { assert } from '../base/index.js';
import {
  type DataType,
  type Op,
  type OwnGradient,
  type RuleTable,
  type Shape,
  type Tensor,
  applyRule,
  sameShape,
  sizeOf,
} from './graph.js';

/** The shape that two shapes broadcast to. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    assert(left === right || left === 1 || right === 1, `shapes [${a}] and [${b}] do not broadcast`);
    return left === 1 ? right : left;
  });
}

const input = (inputs: readonly Shape[], position: number): Shape => {
  const shape = inputs[position];
  assert(shape, `input ${position} is missing`);
  return shape;
};
const elementwise = (_: unknown, inputs: readonly Shape[]): Shape => inputs.reduce(broadcastShape);
const sameAsFirst = (_: unknown, inputs: readonly Shape[]): Shape => input(inputs, 0);
const statisticsOfLastAxis = (_: unknown, inputs: readonly Shape[]): Shape => [...input(inputs, 0).slice(0, -1), 1];
const withAxis = (shape: Shape, axis: number, size: number): Shape =>
  shape.map((old, at) => (at === axis ? size : old));

const shapeRules: RuleTable<readonly Shape[], Shape> = {
  input: (op) => op.shape,
  constant: (op) => op.shape,
  add: elementwise,
  sub: elementwise,
  mul: elementwise,
  div: elementwise,
  maximum: elementwise,
  greater: elementwise,
  greaterOrEqual: elementwise,
  neg: sameAsFirst,
  exp: sameAsFirst,
  log: sameAsFirst,
  sqrt: sameAsFirst,
  tanh: sameAsFirst,
  sigmoid: sameAsFirst,
  relu: sameAsFirst,
  softplus: sameAsFirst,
  erf: sameAsFirst,
  leakyRelu: sameAsFirst,
  softmax: sameAsFirst,
  reshape: (op, inputs) => {
    assert(sizeOf(op.shape) === sizeOf(input(inputs, 0)), `cannot reshape [${inputs[0]}] to [${op.shape}]`);
    return op.shape;
  },
  broadcast: (op, inputs) => {
    assert(
      sameShape(broadcastShape(input(inputs, 0), op.shape), op.shape),
      `cannot broadcast [${inputs[0]}] to [${op.shape}]`,
    );
    return op.shape;
  },
  transpose: (op, inputs) => {
    const shape = input(inputs, 0);
    assert(
      sameShape(
        op.permutation.toSorted((a, b) => a - b),
        shape.map((_, axis) => axis),
      ),
      `[${op.permutation}] does not permute the axes of [${shape}]`,
    );
    return op.permutation.map((axis) => shape[axis] as number);
  },
  concat: (op, inputs) => {
    const first = input(inputs, 0);
    for (const shape of inputs)
      assert(
        sameShape(withAxis(shape, op.axis, 0), withAxis(first, op.axis, 0)),
        `cannot concatenate [${first}] and [${shape}] on axis ${op.axis}`,
      );
    return withAxis(
      first,
      op.axis,
      inputs.reduce((total, shape) => total + (shape[op.axis] as number), 0),
    );
  },
  slice: (op, inputs) => {
    const shape = input(inputs, 0);
    assert(
      op.start >= 0 && op.start < op.end && op.end <= (shape[op.axis] as number),
      `slice ${op.start}:${op.end} is outside axis ${op.axis} of [${shape}]`,
    );
    return withAxis(shape, op.axis, op.end - op.start);
  },
  pad: (op, inputs) =>
    withAxis(input(inputs, 0), op.axis, op.before + (input(inputs, 0)[op.axis] as number) + op.after),
  sum: (op, inputs) => input(inputs, 0).map((size, axis) => (op.axes.includes(axis) ? 1 : size)),
  matmul: (op, inputs) => {
    const [a, b] = [input(inputs, 0), input(inputs, 1)];
    const [rows, innerA] = op.transposeA ? [a.at(-1), a.at(-2)] : [a.at(-2), a.at(-1)];
    const [innerB, columns] = op.transposeB ? [b.at(-1), b.at(-2)] : [b.at(-2), b.at(-1)];
    assert(
      a.length >= 2 && innerA === innerB && sameShape(a.slice(0, -2), b.slice(0, -2)),
      `cannot multiply [${a}] and [${b}] (transposed: ${op.transposeA}, ${op.transposeB})`,
    );
    const bias = inputs[2];
    assert(
      !bias || (a.length === 2 && sameShape(bias, [columns as number])),
      `a product of [${a}] and [${b}] takes no bias of [${bias}]`,
    );
    return [...a.slice(0, -2), rows as number, columns as number];
  },
  layerNorm: (_, inputs) => {
    const [x, scale, shift] = [input(inputs, 0), input(inputs, 1), input(inputs, 2)];
    assert(
      sameShape(scale, x.slice(-1)) && sameShape(shift, x.slice(-1)),
      `layer norm of [${x}] with scale [${scale}]`,
    );
    return x;
  },
  layerNormMean: statisticsOfLastAxis,
  layerNormInverseDeviation: statisticsOfLastAxis,
  gather: (_, inputs) => [...input(inputs, 1), ...input(inputs, 0).slice(1)],
  scatterAdd: (op, inputs) => {
    const [indices, updates] = [input(inputs, 0), input(inputs, 1)];
    assert(
      indices.length === 1 && updates.length === 2 && indices[0] === updates[0],
      `scatterAdd of [${updates}] at [${indices}]`,
    );
    return [op.rows, updates[1] as number];
  },
  withGradient: sameAsFirst,
};

function make(op: Op, ...inputs: readonly Tensor[]): Tensor {
  const shape = applyRule(
    shapeRules,
    op,
    inputs.map((tensor) => tensor.shape),
  );
  const layoutOnly = op.name === 'reshape';
  inputs.forEach((tensor, position) => {
    const wantsIndices = (op.name === 'gather' && position === 1) || (op.name === 'scatterAdd' && position === 0);
    assert(
      layoutOnly || (tensor.dtype === 'int32') === wantsIndices,
      `${op.name} does not take ${tensor.dtype} as input ${position}`,
    );
  });
  const dtype = op.name === 'input' ? op.dtype : layoutOnly ? (inputs[0] as Tensor).dtype : 'float32';
  return { op, inputs, shape, dtype };
}

/** A tensor handed in at every run under `key`. */
export function placeholder(key: string, shape: Shape, dtype: DataType = 'float32'): Tensor {
  return make({ name: 'input', key, shape, dtype });
}

/** A scalar, or a small tensor, that never changes. */
export function constant(
  value: number | readonly number[],
  shape: Shape = typeof value === 'number' ? [] : [value.length],
): Tensor {
  const data = typeof value === 'number' ? [value] : value;
  assert(data.length === sizeOf(shape), `${data.length} values do not fill [${shape}]`);
  return make({ name: 'constant', data, shape });
}

type Operand = Tensor | number;
const asTensor = (operand: Operand): Tensor => (typeof operand === 'number' ? constant(operand) : operand);

/** An operand without a broadcast that the other operand's shape brings about anyway: nothing large is materialised. */
function unexpanded(operand: Tensor, other: Tensor): Tensor {
  const source = operand.op.name === 'broadcast' ? operand.inputs[0] : undefined;
  return source && sameShape(broadcastShape(source.shape, other.shape), operand.shape) ? source : operand;
}

function binary(name: 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'greater' | 'greaterOrEqual') {
  return (a: Operand, b: Operand): Tensor => {
    const [left, right] = [asTensor(a), asTensor(b)];
    const lean = unexpanded(left, right);
    return make({ name }, lean, unexpanded(right, lean));
  };
}
const unary =
  (name: 'neg' | 'exp' | 'log' | 'sqrt' | 'tanh' | 'sigmoid' | 'relu' | 'softplus' | 'erf') =>
  (x: Tensor): Tensor =>
    make({ name }, x);

export const add = binary('add');
export const sub = binary('sub');
export const mul = binary('mul');
export const div = binary('div');
/** The larger of two entries; where they are equal the gradient goes to the first. */
export const maximum = binary('maximum');
/** 1 where a > b, else 0. No gradient. */
export const greater = binary('greater');
/** 1 where a >= b, else 0. No gradient. */
export const greaterOrEqual = binary('greaterOrEqual');

export const neg = unary('neg');
export const exp = unary('exp');
export const log = unary('log');
export const sqrt = unary('sqrt');
export const tanh = unary('tanh');
export const sigmoid = unary('sigmoid');
/** max(x, 0), with gradient 0 at 0. */
export const relu = unary('relu');
/** log(1 + e^x), without overflow. */
export const softplus = unary('softplus');
/** The error function: 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x. */
export const erf = unary('erf');
/** x where x > 0, else slope * x. */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return make({ name: 'leakyRelu', slope }, x);
}

export function reshape(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : make({ name: 'reshape', shape }, x);
}
export function broadcast(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : make({ name: 'broadcast', shape }, x);
}
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return permutation.every((axis, position) => axis === position) ? x : make({ name: 'transpose', permutation }, x);
}
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  assert(tensors.length > 0, 'concat needs at least one tensor');
  return tensors.length === 1 ? (tensors[0] as Tensor) : make({ name: 'concat', axis }, ...tensors);
}
/** Entries `start` … `end - 1` of an axis. */
export function slice(x: Tensor, axis: number, start: number, end: number): Tensor {
  return start === 0 && end === x.shape[axis] ? x : make({ name: 'slice', axis, start, end }, x);
}
/** Zeros before and after an axis. */
export function pad(x: Tensor, axis: number, before: number, after: number): Tensor {
  return before === 0 && after === 0 ? x : make({ name: 'pad', axis, before, after }, x);
}
/** The sum over some axes, which stay with size 1. */
export function sum(x: Tensor, axes: readonly number[] = x.shape.map((_, axis) => axis)): Tensor {
  return axes.every((axis) => x.shape[axis] === 1) ? x : make({ name: 'sum', axes }, x);
}
/** Matrix product of the last two axes; the axes before them must be equal. A bias (columns) is added to each row of a product of two matrices. */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false } = {},
  bias: Tensor | null = null,
): Tensor {
  return make({ name: 'matmul', transposeA, transposeB }, a, b, ...(bias ? [bias] : []));
}
/** Softmax over the last axis. */
export function softmax(x: Tensor): Tensor {
  return make({ name: 'softmax' }, x);
}
/** (x - mean) / sqrt(variance + epsilon) * scale + shift over the last axis. scale, shift: (d). */
export function layerNorm(x: Tensor, scale: Tensor, shift: Tensor, epsilon: number): Tensor {
  return make({ name: 'layerNorm', epsilon }, x, scale, shift);
}
/** The mean over the last axis that a layer norm worked out on its way, last axis of size 1. No gradient. */
export function layerNormMean(normalised: Tensor): Tensor {
  assert(normalised.op.name === 'layerNorm', 'layerNormMean is a by-product of layerNorm');
  return make({ name: 'layerNormMean' }, normalised);
}
/** 1 / sqrt(variance + epsilon) that a layer norm worked out on its way, last axis of size 1. No gradient. */
export function layerNormInverseDeviation(normalised: Tensor): Tensor {
  assert(normalised.op.name === 'layerNorm', 'layerNormInverseDeviation is a by-product of layerNorm');
  return make({ name: 'layerNormInverseDeviation' }, normalised);
}
/** Rows of a table (rows, …) at int32 indices of any shape. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  return make({ name: 'gather' }, table, indices);
}
/** A table (rows, d) of zeros to which every update (n, d) is added at the row that indices (n) say, in a fixed order. */
export function scatterAdd(indices: Tensor, updates: Tensor, rows: number): Tensor {
  return make({ name: 'scatterAdd', rows }, indices, updates);
}
/**
 * A tensor as it is, with a gradient of its own: what leads to the tensor otherwise is not differentiated. For
 * functions whose gradient is cheaper than that of the primitives they are made of.
 */
export function withGradient(x: Tensor, sources: readonly Tensor[], rule: OwnGradient): Tensor {
  return make({ name: 'withGradient', rule }, x, ...sources);
}
