import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { Random } from '../../src/base/index.js';
import { Scope, type SesrecPreset, sesrecLosses } from '../../src/model/index.js';
import { type Tensor, gradients, lean, nn, ops, sizeOf, topologicalOrder } from '../../src/tensor/index.js';
import { largestError } from '../support/gradient-check.js';
import { evaluate } from '../support/interpreter.js';
import { tinyConfig } from '../support/tiny-sesrec.js';

const x = ops.placeholder('x', [2, 3]);
const y = ops.placeholder('y', [2, 3]);
const leaner = (tensor: Tensor): Tensor => lean({ tensor })['tensor'] as Tensor;
const names = (tensor: Tensor): string[] => topologicalOrder([leaner(tensor)]).map(({ op }) => op.name);
const shapesOf = { x: Array.from({ length: 6 }, (_, i) => i / 3 - 0.7), y: [1, -2, 0.5, 3, 0, -0.25] };

describe('a lean graph', () => {
  test('has what each pass leaves of it', () => {
    const cases: readonly (readonly [Tensor, readonly string[]])[] = [
      [ops.withGradient(ops.exp(x), [x, y], () => []), ['input', 'exp']],
      [ops.reshape(ops.reshape(ops.exp(x), [6]), [3, 2]), ['input', 'exp', 'reshape']],
      [ops.reshape(ops.reshape(ops.exp(x), [6]), [2, 3]), ['input', 'exp']],
      [ops.transpose(ops.transpose(x, [1, 0]), [1, 0]), ['input']],
      [ops.add(x, ops.neg(y)), ['input', 'input', 'sub']],
      [ops.add(ops.neg(y), x), ['input', 'input', 'sub']],
      [ops.neg(ops.neg(x)), ['input']],
      [ops.mul(ops.add(x, 0), 1), ['input']],
      [ops.sub(ops.div(x, 1), 0), ['input']],
      [ops.sub(0, x), ['input', 'neg']],
      [ops.mul(ops.exp(x), ops.exp(x)), ['input', 'exp', 'mul']],
      [
        ops.relu(ops.reshape(ops.matmul(x, y, { transposeB: true }), [4])),
        ['input', 'input', 'matmul', 'relu', 'reshape'],
      ],
    ];
    for (const [tensor, expected] of cases) {
      assert.deepEqual(names(tensor), expected);
      assert.deepEqual(leaner(tensor).shape, tensor.shape);
      assert.deepEqual(evaluate([leaner(tensor)], shapesOf), evaluate([tensor], shapesOf));
    }
  });

  test('keeps what only looks like nothing: a constant that makes the shape, and what differs by an attribute', () => {
    const one = ops.constant([1, 1], [2, 1]);
    const row = ops.placeholder('row', [1, 3]);
    for (const tensor of [ops.mul(row, one), ops.add(row, ops.mul(one, 0))]) {
      assert.deepEqual(leaner(tensor).shape, [2, 3]);
      assert.deepEqual(evaluate([leaner(tensor)], { row: [1, 2, 3] }), evaluate([tensor], { row: [1, 2, 3] }));
    }
    const apart = ops.add(ops.slice(x, 1, 0, 1), ops.slice(x, 1, 1, 2));
    assert.equal(names(apart).filter((name) => name === 'slice').length, 2);
    const twice = lean({ a: ops.leakyRelu(x, 0.1), b: ops.leakyRelu(x, 0.2), c: ops.leakyRelu(x, 0.1) });
    assert.notEqual(twice['a'], twice['b']);
    assert.equal(twice['a'], twice['c']);
  });

  test('computes the same, whatever the graph', () => {
    const graph = fc
      .array(fc.tuple(fc.nat({ max: 9 }), fc.nat({ max: 40 }), fc.nat({ max: 40 })), { minLength: 1, maxLength: 25 })
      .map((steps) => {
        const known: Tensor[] = [x, y, ops.constant([1, 1, 1, 1, 1, 1], [2, 3]), ops.constant(0), ops.constant(1)];
        for (const [kind, i, j] of steps) {
          const [a, b] = [known[i % known.length] as Tensor, known[j % known.length] as Tensor];
          const square = a.shape.length === 2;
          known.push(
            kind === 0
              ? ops.add(a, b)
              : kind === 1
                ? ops.sub(a, b)
                : kind === 2
                  ? ops.mul(a, b)
                  : kind === 3
                    ? ops.neg(a)
                    : kind === 4
                      ? ops.tanh(a)
                      : kind === 5 && square
                        ? ops.reshape(ops.transpose(a, [1, 0]), a.shape)
                        : kind === 6 && square
                          ? ops.transpose(ops.transpose(a, [1, 0]), [1, 0])
                          : kind === 7
                            ? ops.reshape(ops.reshape(a, [sizeOf(a.shape)]), a.shape)
                            : kind === 8
                              ? ops.withGradient(ops.mul(a, b), [a], (upstream) => [upstream])
                              : ops.div(a, 1),
          );
        }
        return known.at(-1) as Tensor;
      });
    fc.assert(
      fc.property(graph, (tensor) => {
        const after = leaner(tensor);
        assert.deepEqual(after.shape, tensor.shape);
        const [is, was] = [evaluate([after], shapesOf)[0], evaluate([tensor], shapesOf)[0]] as [
          Float64Array,
          Float64Array,
        ];
        assert.ok(largestError(is, was) < 1e-12);
        assert.ok(topologicalOrder([after]).length <= topologicalOrder([tensor]).length);
      }),
      { numRuns: 300 },
    );
  });

  test('computes the losses and gradients of SESRec as before, in fewer steps', () => {
    for (const preset of ['official', 'paper'] satisfies SesrecPreset[]) {
      const config = tinyConfig(preset, {});
      const scope = new Scope(config.dropout);
      const { feed, search } = config.window;
      const shape = { rows: 3, feed, search, candidates: 3, items: 6, queries: 4, words: 5 };
      const sizes = {
        ...shape,
        pairs: 3,
        anchorQueries: 2,
        anchorItems: 3,
        negativeItems: 4,
        negativeQueries: 3,
        extras: {},
      };
      const { loss, others, logits } = sesrecLosses(scope, config, sizes);
      const alignment = others['alignment'] as Tensor;
      const inputs = topologicalOrder([loss]).filter(({ op }) => op.name === 'input');
      const by = inputs.filter(({ dtype }) => dtype === 'float32');
      const before = [loss, alignment, logits, ...gradients(loss, by)];
      const after = Object.values(lean(Object.fromEntries(before.map((tensor, i) => [`${i}`, tensor]))));
      const random = new Random('lean', preset);
      const given = Object.fromEntries(
        inputs.map(({ op, shape, dtype }) => {
          assert.ok(op.name === 'input');
          const value = (): number =>
            dtype === 'int32' ? random.integer(2) : /mask/i.test(op.key) ? random.integer(2) : random.float() - 0.4;
          return [op.key, Array.from({ length: sizeOf(shape) }, value)];
        }),
      );
      const [was, is] = [evaluate(before, given), evaluate(after, given)];
      was.forEach((values, i) => assert.ok(largestError(is[i] as Float64Array, values) < 1e-10, `output ${i}`));
      const [many, few] = [topologicalOrder(before).length, topologicalOrder(after).length];
      assert.ok(few < 0.93 * many, `${few} of ${many} tensors`);
    }
  });

  test('leaves nothing to a gradient that nobody asks for', () => {
    const [w, v] = [ops.placeholder('w', [3, 3]), ops.placeholder('v', [3, 3])];
    const loss = nn.scalar(ops.sum(ops.matmul(ops.matmul(x, w), v)));
    const [byV] = gradients(loss, [v]);
    assert.ok(
      topologicalOrder([byV as Tensor]).every((tensor) => tensor.op.name !== 'matmul' || !tensor.op.transposeB),
    );
  });
});
