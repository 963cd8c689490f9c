/**
 * What a graph can do without, found before it is lowered. Knows the meaning of the primitives that it rewrites; does not
 * know gradients, nor who runs the graph. Each pass is one thought, changes no result beyond rounding, and looks at one
 * tensor whose inputs have been through all passes:
 *
 *   forget     a gradient of its own has done its work: the tensor it was given to takes its place
 *   merge      of layout changes that follow one another only the last shape counts
 *   subtract   adding a negative is subtracting
 *   neutral    multiplying by one and adding zero change nothing
 *   unite      what is computed twice is computed once
 *
 * Tensors that no output needs are not met at all: a graph is what its outputs refer to.
 */
import { getOrCreate } from '../base/index.js';
import { type Tensor, sameShape, topologicalOrder } from './graph.js';
import { neg, reshape, sub, transpose } from './ops.js';

/** A tensor that says the same with less, or null. */
type Pass = (tensor: Tensor) => Tensor | null;

const forget: Pass = ({ op, inputs }) => (op.name === 'withGradient' ? (inputs[0] as Tensor) : null);

const merge: Pass = ({ op, inputs, shape }) => {
  const [source] = inputs;
  const before = source?.inputs[0];
  if (!source || !before) return null;
  if (op.name === 'reshape' && source.op.name === 'reshape') return reshape(before, shape);
  if (op.name !== 'transpose' || source.op.name !== 'transpose') return null;
  const { permutation } = source.op;
  return transpose(
    before,
    op.permutation.map((axis) => permutation[axis] as number),
  );
};

const subtract: Pass = ({ op, inputs, shape }) => {
  const [a, b] = inputs as [Tensor, Tensor];
  const negated = (x: Tensor): Tensor | null => (x.op.name === 'neg' ? (x.inputs[0] as Tensor) : null);
  if (op.name === 'neg') return negated(a);
  if (op.name !== 'add') return null;
  const [left, right] = [negated(a), negated(b)];
  const difference = right ? sub(a, right) : left ? sub(b, left) : null;
  return difference && sameShape(difference.shape, shape) ? difference : null;
};

const neutral: Pass = ({ op, inputs, shape }) => {
  const [a, b] = inputs as [Tensor, Tensor];
  const isAll = (x: Tensor, value: number): boolean =>
    x.op.name === 'constant' && x.op.data.every((entry) => entry === value);
  const kept = (x: Tensor): Tensor | null => (sameShape(x.shape, shape) ? x : null);
  if (op.name === 'mul') return isAll(b, 1) ? kept(a) : isAll(a, 1) ? kept(b) : null;
  if (op.name === 'div') return isAll(b, 1) ? kept(a) : null;
  if (op.name === 'add') return isAll(b, 0) ? kept(a) : isAll(a, 0) ? kept(b) : null;
  if (op.name === 'sub') return isAll(b, 0) ? kept(a) : isAll(a, 0) && sameShape(b.shape, shape) ? neg(b) : null;
  return null;
};

const PASSES: readonly Pass[] = [forget, merge, subtract, neutral];

/** The same graph, leaner: named tensors in, tensors of the same names, shapes and values out. */
export function lean(outputs: Readonly<Record<string, Tensor>>): Record<string, Tensor> {
  const placed = new Map<Tensor, Tensor>(); // what takes the place of a tensor
  const number = new Map<Tensor, number>(); // those that are kept
  const known = new Map<string, Tensor>();
  const unite = ({ op, inputs, shape, dtype }: Tensor): Tensor => {
    const own = inputs.map((input) => (number.has(input) ? input : unite(input))); // a pass may have made several
    const key = [...Object.values(op), ...own.map((input) => number.get(input))].join('|');
    return getOrCreate(known, key, () => {
      const kept = { op, inputs: own, shape, dtype };
      number.set(kept, number.size);
      return kept;
    });
  };
  for (const tensor of topologicalOrder(Object.values(outputs))) {
    let current: Tensor = { ...tensor, inputs: tensor.inputs.map((input) => placed.get(input) as Tensor) };
    for (let next: Tensor | null = current; next;) {
      current = next;
      next = number.has(current) ? null : firstOf(current);
    }
    placed.set(tensor, number.has(current) ? current : unite(current));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, placed.get(tensor) as Tensor]));
}

function firstOf(tensor: Tensor): Tensor | null {
  for (const pass of PASSES) {
    const found = pass(tensor);
    if (found) return found;
  }
  return null;
}
