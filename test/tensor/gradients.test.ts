import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import { Random } from '../../src/base/index.js';
import { Runtime, type Shape, type Tensor, gradients, nn, ops, sizeOf } from '../../src/tensor/index.js';
import type { OpName } from '../../src/tensor/graph.js';
import { type Given, checkGradients, largestError, weightedSum } from '../support/gradient-check.js';
import { evaluate } from '../support/interpreter.js';

interface Example {
  /** Shapes of the differentiable inputs. */
  readonly shapes: readonly Shape[];
  /** Entries are drawn from [low, high]. */
  readonly low?: number;
  readonly high?: number;
  readonly build: (...inputs: Tensor[]) => Tensor;
  /** Index inputs by key. */
  readonly indices?: Given;
}

const indices = (key: string, shape: Shape): Tensor => ops.placeholder(key, shape, 'int32');

// Every primitive, so that a new one does not compile without examples of its own.
const examples: Readonly<Record<OpName, readonly Example[]>> = {
  input: [{ shapes: [[2, 3]], build: (x) => x }],
  constant: [{ shapes: [[2]], build: (x) => ops.mul(x, ops.constant([2, 3])) }],
  add: [
    {
      shapes: [
        [2, 3],
        [2, 3],
      ],
      build: (a, b) => ops.add(a, b),
    },
    { shapes: [[2, 3], [3]], build: (a, b) => ops.add(a, b) },
    {
      shapes: [
        [2, 1, 3],
        [4, 1],
      ],
      build: (a, b) => ops.add(a, b),
    },
  ],
  sub: [{ shapes: [[3], [2, 3]], build: (a, b) => ops.sub(a, b) }],
  mul: [
    {
      shapes: [
        [2, 3],
        [2, 1],
      ],
      build: (a, b) => ops.mul(a, b),
    },
    { shapes: [[2, 3], []], build: (a, b) => ops.mul(a, b) },
    { shapes: [[4]], build: (a) => ops.mul(a, a) },
  ],
  div: [{ shapes: [[2, 3], [3]], low: 0.5, high: 2, build: (a, b) => ops.div(a, b) }],
  maximum: [
    {
      shapes: [
        [2, 3],
        [2, 3],
      ],
      build: (a, b) => ops.maximum(a, b),
    },
  ],
  greater: [{ shapes: [[6], [6]], build: (a, b) => ops.mul(a, ops.greater(a, b)) }],
  greaterOrEqual: [{ shapes: [[6], [6]], build: (a, b) => ops.mul(a, ops.greaterOrEqual(a, b)) }],
  neg: [{ shapes: [[3]], build: (x) => ops.neg(x) }],
  exp: [{ shapes: [[3]], build: (x) => ops.exp(x) }],
  log: [{ shapes: [[3]], low: 0.2, high: 3, build: (x) => ops.log(x) }],
  sqrt: [{ shapes: [[3]], low: 0.2, high: 3, build: (x) => ops.sqrt(x) }],
  tanh: [{ shapes: [[5]], build: (x) => ops.tanh(x) }],
  sigmoid: [{ shapes: [[5]], low: -5, high: 5, build: (x) => ops.sigmoid(x) }],
  relu: [{ shapes: [[7]], build: (x) => ops.relu(x) }],
  softplus: [{ shapes: [[7]], low: -30, high: 30, build: (x) => ops.softplus(x) }],
  erf: [{ shapes: [[9]], low: -3, high: 3, build: (x) => ops.erf(x) }],
  leakyRelu: [{ shapes: [[7]], build: (x) => ops.leakyRelu(x, 0.01) }],
  reshape: [{ shapes: [[2, 6]], build: (x) => ops.reshape(x, [3, 4]) }],
  broadcast: [
    { shapes: [[1, 3]], build: (x) => ops.broadcast(x, [4, 2, 3]) },
    {
      shapes: [
        [2, 1],
        [2, 3],
      ],
      build: (x, y) => ops.mul(ops.broadcast(x, [2, 3]), y),
    },
  ],
  transpose: [{ shapes: [[2, 3, 4]], build: (x) => ops.transpose(x, [2, 0, 1]) }],
  concat: [
    {
      shapes: [
        [2, 1, 2],
        [2, 3, 2],
      ],
      build: (a, b) => ops.concat([a, b], 1),
    },
  ],
  slice: [{ shapes: [[3, 5]], build: (x) => ops.slice(x, 1, 1, 4) }],
  pad: [{ shapes: [[2, 3]], build: (x) => ops.pad(x, 0, 1, 2) }],
  sum: [
    { shapes: [[2, 3, 4]], build: (x) => ops.sum(x, [0, 2]) },
    { shapes: [[2, 3]], build: (x) => ops.sum(x) },
  ],
  matmul: [false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB): Example[] => [
      {
        shapes: [transposeA ? [3, 2] : [2, 3], transposeB ? [4, 3] : [3, 4]],
        build: (a, b) => ops.matmul(a, b, { transposeA, transposeB }),
      },
      {
        shapes: [transposeA ? [3, 2] : [2, 3], transposeB ? [4, 3] : [3, 4], [4]],
        build: (a, b, bias) => ops.matmul(a, b, { transposeA, transposeB }, bias),
      },
      {
        shapes: [transposeA ? [2, 2, 3, 2] : [2, 2, 2, 3], transposeB ? [2, 2, 4, 3] : [2, 2, 3, 4]],
        build: (a, b) => ops.matmul(a, b, { transposeA, transposeB }),
      },
    ]),
  ),
  softmax: [{ shapes: [[2, 3, 4]], build: (x) => ops.softmax(x) }],
  layerNorm: [{ shapes: [[2, 3, 5], [5], [5]], build: (x, scale, shift) => ops.layerNorm(x, scale, shift, 1e-8) }],
  // by-products without a gradient: their values are checked through the layer norm's own gradient, and here
  layerNormMean: [],
  layerNormInverseDeviation: [],
  gather: [
    {
      shapes: [[4, 3]],
      indices: { rows: [3, 0, 3, 3, 1, 0] },
      build: (table) => ops.gather(table, indices('rows', [2, 3])),
    },
    { shapes: [[4, 3]], indices: { rows: [2] }, build: (table) => ops.gather(table, indices('rows', [1])) },
  ],
  scatterAdd: [
    {
      shapes: [[5, 2]],
      indices: { rows: [1, 0, 1, 3, 1] },
      build: (updates) => ops.scatterAdd(indices('rows', [5]), updates, 4),
    },
  ],
  withGradient: [
    {
      shapes: [[2, 3], [3]],
      build: (a, b) =>
        ops.withGradient(ops.mul(ops.mul(a, a), b), [a, b], (upstream) => [
          ops.mul(upstream, ops.mul(ops.mul(a, b), 2)),
          ops.reshape(ops.sum(ops.mul(upstream, ops.mul(a, a)), [0]), [3]),
        ]),
    },
  ],
};

const composed: Readonly<Record<string, Example>> = {
  'linear with bias': { shapes: [[2, 3, 4], [5, 4], [5]], build: (x, w, b) => nn.linear(x, w, b) },
  project: {
    shapes: [
      [2, 3, 4],
      [4, 5],
    ],
    build: (x, w) => nn.project(x, w),
  },
  'masked softmax': {
    shapes: [[2, 4]],
    build: (x) => nn.maskedSoftmax(x, ops.constant([1, 1, 0, 1, 0, 0, 0, 0], [2, 4])),
  },
  'masked log sum exp': {
    shapes: [[2, 4]],
    build: (x) => nn.maskedLogSumExp(x, ops.constant([1, 1, 0, 1, 0, 0, 1, 0], [2, 4])),
  },
  'masked mean': { shapes: [[2, 3, 2]], build: (x) => nn.maskedMean(x, ops.constant([1, 0, 1, 0, 0, 0], [2, 3])) },
  // every row attends to something: what a row without keys gives means nothing, see nn.ts
  'multi-head attention': {
    shapes: [
      [2, 3, 4],
      [2, 3, 4],
      [2, 3, 4],
    ],
    build: (q, k, v) => nn.multiHeadAttention(q, k, v, ops.constant([1, 1, 0, 1, 0, 0], [2, 1, 1, 3]), 2),
  },
  'multi-head attention across sequences, with a mask of pairs': {
    shapes: [
      [2, 2, 4],
      [2, 3, 4],
      [2, 3, 4],
    ],
    build: (q, k, v) =>
      nn.multiHeadAttention(q, k, v, ops.constant([1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1], [2, 1, 2, 3]), 2),
  },
  gelu: { shapes: [[9]], low: -3, high: 3, build: (x) => nn.gelu(x) },
  'binary cross-entropy': {
    shapes: [[3, 2]],
    low: -3,
    high: 3,
    build: (z) => nn.binaryCrossEntropy(z, ops.constant([1, 0, 1, 0, 0, 1], [3, 2])),
  },
  norm: { shapes: [[3, 4]], build: (x) => nn.norm(x) },
  'attention whose keys and values have widths and lengths of their own': {
    shapes: [
      [2, 3, 4],
      [2, 5, 4],
      [2, 5, 2],
    ],
    build: (q, k, v) => nn.attention(q, k, v, ops.constant([1, 1, 0, 1, 1, 0, 0, 1, 0, 0], [2, 1, 5])),
  },
  'the logarithm of a sum of exponentials': {
    shapes: [
      [3, 4],
      [5, 4],
      [3, 1],
    ],
    build: (x, y, r) => nn.logSumExp(x, y, r),
  },
  'the logarithm of a sum of exponentials told from a sample': {
    shapes: [
      [3, 4],
      [5, 4],
      [3, 1],
    ],
    build: (x, y, r) => nn.logSumExp(x, y, r, { weight: 2.5, beside: ops.constant([1, -0.4, 1], [3, 1]) }),
  },
  'the same in blocks of columns, with what is added to products': {
    shapes: [
      [3, 4],
      [5, 4],
      [3, 1],
      [3, 5],
    ],
    build: (x, y, r, more) =>
      nn.logSumExp(x, y, r, { weight: 2.5, beside: ops.constant([1, -0.4, 1], [3, 1]), more }, 6),
  },
  'the same of scores that are no products': {
    shapes: [
      [3, 5],
      [3, 1],
    ],
    build: (scores, r) => nn.logSumExpOf(scores, r, { weight: 2.5, beside: ops.constant([1, -0.4, 1], [3, 1]) }),
  },
  'bounded exponential sums': {
    shapes: [[3, 4], [5, 4], []],
    low: 0.3,
    build: (x, y, inverse) => nn.boundedExponentialSums(x, y, ops.constant([1, 2, 0, 3, 1], [5, 1]), inverse),
  },
};

describe('gradients', () => {
  let runtime: Runtime;
  before(() => {
    runtime = new Runtime({ threads: 2 });
  });
  after(async () => runtime.dispose());

  const check = async (
    name: string,
    { shapes, low = -1, high = 1, build, indices: given = {} }: Example,
  ): Promise<void> => {
    const random = new Random('gradients', name);
    const inputs = shapes.map((shape, position) => ops.placeholder(`x${position}`, shape));
    const values: Given = { ...given };
    shapes.forEach((shape, position) => {
      values[`x${position}`] = Array.from({ length: sizeOf(shape) }, () => low + (high - low) * random.float());
    });
    await checkGradients(runtime, weightedSum(build(...inputs)), inputs, values);
  };

  for (const [name, list] of Object.entries(examples)) {
    list.forEach((example, position) => {
      it(`of ${name} equal finite differences in float64 (example ${position + 1})`, () => check(name, example));
    });
  }
  for (const [name, example] of Object.entries(composed))
    it(`of ${name} equal finite differences in float64`, () => check(name, example));

  it('of a tensor used twice add up', () => {
    const x = ops.placeholder('x', [2]);
    const [gradient] = gradients(nn.scalar(ops.sum(ops.mul(ops.exp(x), x))), [x]);
    const expected = [0.5, -1].map((value) => Math.exp(value) * (1 + value));
    assert(largestError(evaluate([gradient as Tensor], { x: [0.5, -1] })[0] as Float64Array, expected) < 1e-12);
  });

  it('by a tensor that the loss does not depend on are zero', () => {
    const [x, unrelated] = [ops.placeholder('x', [2]), ops.placeholder('y', [3])];
    const [gradient] = gradients(nn.scalar(ops.sum(x)), [unrelated]);
    assert.deepEqual(Array.from(evaluate([gradient as Tensor], {})[0] as Float64Array), [0, 0, 0]);
  });

  it('the error function, and gelu with it, have the values of tables', async () => {
    // Abramowitz and Stegun, tables 7.1 and 26.1
    const values = [0, 0.5, 1, 2, 3, 7];
    const table = [0, 0.5204998778130465, 0.8427007929497149, 0.9953222650189527, 0.9999779095030014, 1];
    const normal = [
      0.5, 0.6914624612740131, 0.8413447460685429, 0.9772498680518208, 0.9986501019683699, 0.99999999999872,
    ];
    const [erf, negative, gelu] = [ops.placeholder('x', [6])].flatMap((x) => [
      ops.erf(x),
      ops.erf(ops.neg(x)),
      nn.gelu(x),
    ]) as [Tensor, Tensor, Tensor];
    const exact = evaluate([erf, negative, gelu], { x: values });
    const expected = [table, table.map((y) => -y), values.map((x, i) => x * (normal[i] as number))];
    const program = await runtime.compile({ 0: erf, 1: negative, 2: gelu });
    const results = await program.run({ x: Float32Array.from(values) });
    expected.forEach((entries, i) => {
      assert(largestError(exact[i] as Float64Array, entries) < 1e-12);
      assert(largestError(results[i] as Float32Array, entries) < 5e-7);
    });
  });

  it('of a masked softmax are finite where nothing is inside the mask', async () => {
    const x = ops.placeholder('x', [1, 3]);
    const program = await runtime.compile({ y: nn.maskedSoftmax(x, ops.constant([0, 0, 0], [1, 3])) });
    assert.deepEqual(
      Array.from((await program.run({ x: Float32Array.of(5, -3, 1) }))['y'] as Float32Array).map(Math.abs),
      [0, 0, 0],
    );
  });

  it('a log sum exp within a mask does not overflow, nor see what is outside', async () => {
    const x = ops.placeholder('x', [2, 3]);
    const y = nn.maskedLogSumExp(x, ops.constant([1, 1, 0, 0, 1, 0], [2, 3]));
    const values = [900, 901, 5000, 5000, -700, 3];
    const expected = [901 + Math.log(1 + Math.exp(-1)), -700];
    const program = await runtime.compile({ y });
    const { y: found } = await program.run({ x: Float32Array.from(values) });
    assert(largestError(evaluate([y], { x: values })[0] as Float64Array, expected) < 1e-12);
    assert(largestError(found as Float32Array, expected) < 1e-6);
  });

  it('a layer norm hands out its mean and inverse deviation', async () => {
    const x = ops.placeholder('x', [2, 4]);
    const y = ops.layerNorm(x, ops.constant([1, 1, 1, 1]), ops.constant([0, 0, 0, 0]), 1e-8);
    const outputs = { mean: ops.layerNormMean(y), inverse: ops.layerNormInverseDeviation(y) };
    const program = await runtime.compile(outputs);
    const values = [1, 2, 3, 4, -1, 5, 0, 2];
    const results = await program.run({ x: Float32Array.from(values) });
    const exact = evaluate(Object.values(outputs), { x: values });
    assert(largestError(results['mean'] as Float32Array, exact[0] as Float64Array) < 1e-6);
    assert(largestError(results['inverse'] as Float32Array, exact[1] as Float64Array) < 1e-6);
  });

  it('the check itself notices a wrong gradient', async () => {
    const [x, y] = [ops.placeholder('x', [2]), ops.placeholder('y', [2])];
    // greater() claims to have no gradient; its product with itself shifted is flat, but the loss below is not
    const loss = nn.scalar(ops.sum(ops.mul(ops.greater(x, y), 1)));
    await assert.rejects(
      checkGradients(runtime, nn.scalar(ops.add(loss, ops.sum(x))), [y], { x: [0, 1], y: [0, 5] }),
      /finite differences/,
    );
  });
});
