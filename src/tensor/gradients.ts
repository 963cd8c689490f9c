/**
 * Reverse-mode differentiation, from graph to graph. Knows the gradient rule of each primitive; does not know how
 * anything is run. The gradient graph is made of the same primitives and can be compiled together with the forward
 * graph, so that both share what they have in common.
 */
import { assert } from '../base/index.js';
import { type RuleTable, type Shape, type Tensor, applyRule, sameShape, topologicalOrder } from './graph.js';
import * as ops from './ops.js';
import { add, div, matmul, mul, neg, reshape, sub, sum } from './ops.js';

interface Step {
  /** The tensor that is differentiated. */
  readonly output: Tensor;
  /** Its inputs. */
  readonly inputs: readonly Tensor[];
  /** The gradient of the loss by `output`, of the same shape. */
  readonly upstream: Tensor;
}
/** The gradient by each input in turn; null where there is none. */
type Gradients = readonly (Tensor | null)[];

/** Sums a gradient over the axes along which an operand of the given shape was repeated. */
function unbroadcast(gradient: Tensor, shape: Shape): Tensor {
  if (sameShape(gradient.shape, shape)) return gradient;
  const lead = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) =>
    axis < lead || (shape[axis - lead] === 1 && size !== 1) ? [axis] : [],
  );
  return reshape(sum(gradient, axes), shape);
}

/** A rule for two operands that broadcast. */
function binary(rule: (step: { a: Tensor; b: Tensor; output: Tensor; upstream: Tensor }) => readonly [Tensor, Tensor]) {
  return (_: unknown, { output, inputs, upstream }: Step): Gradients => {
    const [a, b] = inputs as [Tensor, Tensor];
    const [byA, byB] = rule({ a, b, output, upstream });
    return [unbroadcast(byA, a.shape), unbroadcast(byB, b.shape)];
  };
}

/** A rule for one operand, elementwise. */
function unary(rule: (step: { x: Tensor; y: Tensor; upstream: Tensor }) => Tensor) {
  return (_: unknown, { output, inputs, upstream }: Step): Gradients => [
    rule({ x: inputs[0] as Tensor, y: output, upstream }),
  ];
}

const none = (_: unknown, { inputs }: Step): Gradients => inputs.map(() => null);
const first = (inputs: readonly Tensor[]): Tensor => inputs[0] as Tensor;
const lastAxis = (x: Tensor): readonly number[] => [x.shape.length - 1];

const gradientRules: RuleTable<Step, Gradients> = {
  input: none,
  constant: none,
  add: binary(({ upstream }) => [upstream, upstream]),
  sub: binary(({ upstream }) => [upstream, neg(upstream)]),
  mul: binary(({ a, b, upstream }) => [mul(upstream, b), mul(upstream, a)]),
  div: binary(({ b, output, upstream }) => {
    const quotient = div(upstream, b);
    return [quotient, neg(mul(quotient, output))];
  }),
  maximum: binary(({ a, b, upstream }) => {
    const fromFirst = ops.greaterOrEqual(a, b);
    return [mul(upstream, fromFirst), mul(upstream, sub(1, fromFirst))];
  }),
  greater: none,
  greaterOrEqual: none,
  neg: unary(({ upstream }) => neg(upstream)),
  exp: unary(({ y, upstream }) => mul(upstream, y)),
  log: unary(({ x, upstream }) => div(upstream, x)),
  sqrt: unary(({ y, upstream }) => div(mul(upstream, 0.5), y)),
  tanh: unary(({ y, upstream }) => mul(upstream, sub(1, mul(y, y)))),
  sigmoid: unary(({ y, upstream }) => mul(upstream, mul(y, sub(1, y)))),
  // the results have the signs of the arguments, which need not be kept
  relu: unary(({ y, upstream }) => mul(upstream, ops.greater(y, 0))),
  softplus: unary(({ x, upstream }) => mul(upstream, ops.sigmoid(x))),
  erf: unary(({ x, upstream }) => mul(upstream, mul(ops.exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI)))),
  leakyRelu: (op, { output, upstream }) => [mul(upstream, add(mul(ops.greater(output, 0), 1 - op.slope), op.slope))],
  reshape: (_, { inputs, upstream }) => [
    first(inputs).dtype === 'int32' ? null : reshape(upstream, first(inputs).shape),
  ],
  broadcast: (_, { inputs, upstream }) => [unbroadcast(upstream, first(inputs).shape)],
  transpose: (op, { upstream }) => [
    ops.transpose(
      upstream,
      op.permutation.map((__, axis) => op.permutation.indexOf(axis)),
    ),
  ],
  concat: (op, { inputs, upstream }) => {
    let start = 0;
    return inputs.map((part) => {
      const end = start + (part.shape[op.axis] as number);
      const gradient = ops.slice(upstream, op.axis, start, end);
      start = end;
      return gradient;
    });
  },
  slice: (op, { inputs, upstream }) => [
    ops.pad(upstream, op.axis, op.start, (first(inputs).shape[op.axis] as number) - op.end),
  ],
  pad: (op, { inputs, upstream }) => [
    ops.slice(upstream, op.axis, op.before, op.before + (first(inputs).shape[op.axis] as number)),
  ],
  sum: (_, { inputs, upstream }) => [ops.broadcast(upstream, first(inputs).shape)],
  matmul: ({ transposeA, transposeB }, { inputs, upstream }) => {
    const [a, b, bias] = inputs as [Tensor, Tensor, Tensor?];
    return [
      transposeA
        ? matmul(b, upstream, { transposeA: transposeB, transposeB: true })
        : matmul(upstream, b, { transposeB: !transposeB }),
      transposeB
        ? matmul(upstream, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, upstream, { transposeA: !transposeA }),
      ...(bias ? [unbroadcast(upstream, bias.shape)] : []),
    ];
  },
  softmax: unary(({ y, upstream }) => mul(y, sub(upstream, sum(mul(upstream, y), lastAxis(y))))),
  layerNorm: (_, { output, inputs, upstream }) => {
    const [x, scale] = inputs as [Tensor, Tensor, Tensor];
    const width = x.shape.at(-1) as number;
    const mean = (values: Tensor): Tensor => mul(sum(values, lastAxis(x)), 1 / width);
    const inverse = ops.layerNormInverseDeviation(output);
    const normalised = mul(sub(x, ops.layerNormMean(output)), inverse);
    const scaled = mul(upstream, scale);
    const centred = sub(sub(scaled, mean(scaled)), mul(normalised, mean(mul(scaled, normalised))));
    return [
      mul(centred, inverse),
      unbroadcast(mul(upstream, normalised), scale.shape),
      unbroadcast(upstream, scale.shape),
    ];
  },
  layerNormMean: none,
  layerNormInverseDeviation: none,
  gather: (_, { inputs, upstream }) => {
    const [table, indices] = inputs as [Tensor, Tensor];
    const rows = table.shape[0] as number;
    const count = indices.shape.reduce((product, size) => product * size, 1);
    const flat = ops.scatterAdd(
      reshape(indices, [count]),
      reshape(upstream, [count, upstreamWidth(table.shape)]),
      rows,
    );
    return [reshape(flat, table.shape), null];
  },
  scatterAdd: (_, { inputs, upstream }) => [null, ops.gather(upstream, first(inputs))],
  withGradient: (op, { upstream }) => [null, ...op.rule(upstream)],
};

const upstreamWidth = (tableShape: Shape): number => tableShape.slice(1).reduce((product, size) => product * size, 1);

/**
 * Gradients of a scalar by each of the given tensors, as tensors of their shapes. A tensor that the loss does not
 * depend on gets zeros.
 */
export function gradients(loss: Tensor, by: readonly Tensor[]): Tensor[] {
  assert(
    loss.shape.every((size) => size === 1),
    `a loss is a scalar, not [${loss.shape}]`,
  );
  const order = topologicalOrder([loss]);
  // Only what leads from a wanted tensor to the loss needs a gradient.
  const wanted = new Set(by);
  const leads = new Set<Tensor>();
  for (const tensor of order)
    if (wanted.has(tensor) || tensor.inputs.some((source) => leads.has(source))) leads.add(tensor);

  const total = new Map<Tensor, Tensor>([[loss, ops.broadcast(ops.constant(1), loss.shape)]]);
  for (const tensor of order.toReversed()) {
    const upstream = total.get(tensor);
    if (!upstream || !leads.has(tensor)) continue;
    const rules = applyRule(gradientRules, tensor.op, { output: tensor, inputs: tensor.inputs, upstream });
    rules.forEach((gradient, position) => {
      const source = tensor.inputs[position] as Tensor;
      if (!gradient || !leads.has(source)) return;
      assert(
        sameShape(gradient.shape, source.shape),
        `gradient of ${tensor.op.name} has shape [${gradient.shape}], not [${source.shape}]`,
      );
      const sofar = total.get(source);
      total.set(source, sofar ? add(sofar, gradient) : gradient);
    });
  }
  return by.map((tensor) => total.get(tensor) ?? ops.broadcast(ops.constant(0), tensor.shape));
}
