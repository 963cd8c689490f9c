import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Activation,
  activate,
  additiveAttention,
  bilinearAttention,
  dot,
  dotShared,
  perceptron,
  targetAttention,
} from '../../src/model/layers/interest-layers.js';
import { Parameters, Scope } from '../../src/model/index.js';
import { ops } from '../../src/tensor/index.js';
import { type Layer, checkLayer, close, layerOf, range, reader, total, valuesOf } from '../support/layer-check.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const ACTIVATIONS: readonly Activation[] = ['relu', 'leakyRelu', 'tanh', 'prelu', 'dice'];

/** An activation of unit `at`, from the parameters of a layer. */
function plainActivation(layer: Layer, name: string, activation: Activation, x: number, at: number): number {
  const of = (part: string): number => layer.given[`${name}.${part}`]?.[at] as number;
  switch (activation) {
    case 'relu':
      return Math.max(x, 0);
    case 'leakyRelu':
      return x > 0 ? x : 0.01 * x;
    case 'tanh':
      return Math.tanh(x);
    case 'prelu':
      return x > 0 ? x : of('slope') * x;
    case 'dice': {
      const p = 1 / (1 + Math.exp(-(of('scale') * x + of('shift'))));
      return p * x + (1 - p) * of('alpha') * x;
    }
  }
}

/** A perceptron of one vector, from the parameters of a layer. */
function plainPerceptron(layer: Layer, name: string, x: readonly number[], activation: Activation): number[] {
  let hidden = [...x];
  for (let at = 0; `${name}.${at}.weight` in layer.given; at++) {
    if (at > 0)
      hidden = hidden.map((value, unit) => plainActivation(layer, `${name}.${at - 1}`, activation, value, unit));
    const bias = layer.given[`${name}.${at}.bias`] as number[];
    const weight = reader(layer.given[`${name}.${at}.weight`] as number[], [bias.length, hidden.length]);
    hidden = bias.map((b, unit) => b + total(hidden.map((value, from) => value * weight(unit, from))));
  }
  return hidden;
}

describe('an activation', () => {
  for (const activation of ACTIVATIONS)
    test(`${activation} has its formula, for each unit its own`, async () => {
      const layer = layerOf({ x: [4, 3] }, (scope, { x }) => activate(scope, 'a', ops.mul(x, 3), activation));
      const x = layer.given['x'] as number[];
      assert.ok(x.some((value) => value > 0) && x.some((value) => value < 0));
      close(
        valuesOf(layer),
        x.map((value, at) => plainActivation(layer, 'a', activation, 3 * value, at % 3)),
      );
      await checkLayer(runtime, layer);
    });

  test('starts as what it generalises: prelu with slope 0.25, dice as x sigmoid(x)', () => {
    for (const [activation, expected] of [
      ['prelu', (x: number) => (x > 0 ? x : x / 4)],
      ['dice', (x: number) => x / (1 + Math.exp(-x))],
    ] as const) {
      const layer = layerOf({ x: [4, 3] }, (scope, { x }) => activate(scope, 'a', x, activation));
      const parameters = new Parameters(layer.scope.parameters.values());
      parameters.initialise(1);
      const given = { ...layer.given };
      for (const { name } of parameters.descriptions) given[name] = [...parameters.get(name)];
      close(valuesOf({ ...layer, given }), (layer.given['x'] as number[]).map(expected));
    }
  });
});

describe('a perceptron', () => {
  test('has its activation between its layers and not after the last', async () => {
    for (const activation of ACTIVATIONS) {
      const layer = layerOf({ x: [2, 2, 3] }, (scope, { x }) => perceptron(scope, 'mlp', x, [4, 3, 2], activation));
      const x = reader(layer.given['x'] as number[], [2, 2, 3]);
      const expected = range(2).flatMap((i) =>
        range(2).flatMap((j) =>
          plainPerceptron(
            layer,
            'mlp',
            range(3).map((k) => x(i, j, k)),
            activation,
          ),
        ),
      );
      close(valuesOf(layer), expected);
      await checkLayer(runtime, layer);
    }
  });

  test('is one linear layer where it has one, and drops out only what is between layers', () => {
    for (const [units, options, drops] of [
      [[2], {}, []],
      [[5, 4, 2], {}, [5, 4]],
      [[5, 4, 2], { dropout: false }, []],
    ] as const) {
      const scope = new Scope(0.1);
      perceptron(scope, 'mlp', scope.input('x', [2, 3]), units, 'dice', options);
      assert.deepEqual(
        scope.dropouts.map(({ shape }) => shape),
        drops.map((width) => [2, width]),
      );
      const own = [...scope.parameters.keys()].filter((name) => /weight|bias/.test(name));
      assert.deepEqual(
        own,
        units.flatMap((_, at) => [`mlp.${at}.weight`, `mlp.${at}.bias`]),
      );
    }
  });
});

describe('the attention unit of DIN', () => {
  const D = 3;
  const MASK = [1, 1, 0, 1, 0, 0];
  const unitOf = (
    {
      candidates = 2,
      positions = 3,
      mask = MASK,
      divisor,
    }: { candidates?: number; positions?: number; mask?: number[]; divisor?: number } = {},
    activation: Activation = 'dice',
    first = 4,
  ): Layer =>
    layerOf(
      { query: [2, candidates, D], keys: [2, positions, D], mask: [2, positions] },
      (scope, { query, keys, mask: known }) =>
        targetAttention(scope, 'unit', query, keys, known, {
          units: [first, 3],
          activation,
          ...(divisor === undefined ? {} : { divisor }),
        }),
      { mask },
    );
  /** With the features put together. */
  const plainUnit = (layer: Layer, activation: Activation, divisor: number): number[] => {
    const [, candidates, positions] = layer.output.shape as [number, number, number];
    const query = reader(layer.given['query'] as number[], [2, candidates, D]);
    const keys = reader(layer.given['keys'] as number[], [2, positions, D]);
    const mask = reader(layer.given['mask'] as number[], [2, positions]);
    return range(2).flatMap((row) =>
      range(candidates).flatMap((candidate) =>
        range(positions).map((position) => {
          const q = range(D).map((at) => query(row, candidate, at));
          const k = range(D).map((at) => keys(row, position, at));
          const features = [q, k, q.map((x, at) => x - (k[at] as number)), q.map((x, at) => x * (k[at] as number))];
          const [weight] = plainPerceptron(layer, 'unit', features.flat(), activation);
          return ((weight as number) * mask(row, position)) / divisor;
        }),
      ),
    );
  };

  for (const activation of ['dice', 'prelu', 'tanh'] as const)
    test(`weighs pairs by a perceptron of [q; k; q - k; q * k], with ${activation}`, async () => {
      // more positions than units in the first layer, and fewer
      for (const first of [2, 4]) {
        const layer = unitOf({}, activation, first);
        assert.deepEqual(layer.scope.parameters.get('unit.0.weight')?.shape, [first, 4 * D]);
        assert.deepEqual(layer.output.shape, [2, 2, 3]);
        close(valuesOf(layer), plainUnit(layer, activation, Math.sqrt(D)));
        await checkLayer(runtime, layer);
      }
    });

  test('is divided by what it is told', () => {
    const layer = unitOf({ divisor: 5 });
    close(valuesOf(layer), plainUnit(layer, 'dice', 5));
  });

  test('drops nothing out', () => {
    const scope = new Scope(0.1);
    const [query, keys, mask] = [scope.input('q', [2, 2, D]), scope.input('k', [2, 3, D]), scope.input('m', [2, 3])];
    targetAttention(scope, 'unit', query, keys, mask, { units: [4, 3], activation: 'dice' });
    assert.deepEqual(scope.dropouts, []);
  });

  test('gives padding no weight and does not see how much there is', () => {
    const short = unitOf();
    const long = unitOf({ positions: 6, mask: [1, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0] }, 'dice');
    const keys = short.given['keys'] as number[];
    const junk = Array.from({ length: 3 * D }, (_, at) => 5 - at);
    const given = { ...long.given, keys: [...keys.slice(0, 3 * D), ...junk, ...keys.slice(3 * D), ...junk] };
    const [before, after] = [reader(valuesOf(short), [2, 2, 3]), reader(valuesOf({ ...long, given }), [2, 2, 6])];
    for (const row of range(2))
      for (const candidate of range(2))
        for (const position of range(6)) {
          const isReal = position < (row === 0 ? 2 : 1);
          close([after(row, candidate, position)], [isReal ? before(row, candidate, position) : 0]);
        }
  });

  test('weighs each candidate by itself', () => {
    const layer = unitOf({ candidates: 2 });
    const swapped = (values: readonly number[] | Float64Array, width: number): number[] =>
      range(2).flatMap((row) =>
        [1, 0].flatMap((candidate) => {
          const start = (2 * row + candidate) * width;
          return Array.from(values.slice(start, start + width));
        }),
      );
    const query = swapped(layer.given['query'] as number[], D);
    const after = valuesOf({ ...layer, given: { ...layer.given, query } });
    assert.deepEqual(Array.from(after), swapped(valuesOf(layer), 3));
  });
});

describe('additive attention', () => {
  const INNER = 5;
  const poolOf = (mask: number[], count: number): Layer =>
    layerOf(
      { x: [2, count, 3], mask: [2, count] },
      (scope, { x, mask: known }) => additiveAttention(scope, 'view', x, known, INNER).pooled,
      { mask },
    );

  test('pools what it is given by the softmax of v^T tanh(U x + b)', async () => {
    const mask = [1, 0, 1, 1, 1, 0];
    const layer = poolOf(mask, 3);
    const x = reader(layer.given['x'] as number[], [2, 3, 3]);
    const [u, v] = [
      reader(layer.given['view.projection.weight'] as number[], [INNER, 3]),
      layer.given['view.score.weight'] as number[],
    ];
    const bias = layer.given['view.projection.bias'] as number[];
    const expected = range(2).flatMap((row) => {
      const powers = range(3).map((n) => {
        const inner = bias.map((b, i) => Math.tanh(b + total(range(3).map((k) => u(i, k) * x(row, n, k)))));
        return (mask[3 * row + n] as number) * Math.exp(total(inner.map((value, i) => value * (v[i] as number))));
      });
      return range(3).map((k) => total(powers.map((power, n) => power * x(row, n, k))) / total(powers));
    });
    close(valuesOf(layer), expected);
    await checkLayer(runtime, layer);
  });

  test('does not see how much padding there is, or what lies in it', () => {
    const [short, long] = [poolOf([1, 1, 1, 0], 2), poolOf([1, 1, 0, 0, 1, 0, 0, 0], 4)];
    const x = short.given['x'] as number[];
    const padding = [9, 8, -7, 6, 5, -4];
    close(
      valuesOf({ ...long, given: { ...long.given, x: [...x.slice(0, 6), ...padding, ...x.slice(6), ...padding] } }),
      valuesOf(short),
    );
  });

  test('gives zeros where nothing is there, and says so', async () => {
    const scope = new Scope();
    const [x, mask] = [scope.input('x', [2, 3, 3]), scope.input('mask', [2, 3])];
    const { pooled, isPresent } = additiveAttention(scope, 'view', x, mask, INNER);
    assert.deepEqual(isPresent.shape, [2, 1]);
    const program = await runtime.compile({ pooled, isPresent });
    const given: Record<string, number[]> = { ...poolOf([], 3).given, mask: [0, 0, 0, 0, 1, 0] };
    const results = await program.run(
      Object.fromEntries(program.inputs.map(({ key }) => [key, Float32Array.from(given[key] as number[])])),
    );
    assert.deepEqual([...(results['isPresent'] as Float32Array)], [0, 1]);
    assert.deepEqual(Array.from(results['pooled']?.slice(0, 3) ?? [], Math.abs), [0, 0, 0]);
    close(results['pooled']?.slice(3) ?? [], Float32Array.from((given['x'] as number[]).slice(12, 15)));
  });

  test('starts with scores of about unit scale', () => {
    const scope = new Scope();
    additiveAttention(scope, 'view', scope.input('x', [1, 2, 8]), scope.input('mask', [1, 2]), 400);
    const parameters = new Parameters(scope.parameters.values());
    parameters.initialise(1);
    const v = parameters.get('view.score.weight');
    assert.deepEqual(scope.parameters.get('view.score.weight')?.shape, [1, 400]);
    assert.ok(Math.abs(Math.sqrt(total([...v].map((value) => value ** 2))) - 1) < 0.12);
  });
});

describe('bilinear attention', () => {
  const attentionOf = (mask: number[], positions: number): Layer =>
    layerOf(
      { query: [2, 2, 3], keys: [2, positions, 4], mask: [2, positions] },
      (scope, { query, keys, mask: known }) => bilinearAttention(scope, 'attention', query, keys, known),
      { mask },
    );

  test('is the softmax of k^T W q over the real positions', async () => {
    const mask = [1, 1, 0, 1, 0, 1];
    const layer = attentionOf(mask, 3);
    const query = reader(layer.given['query'] as number[], [2, 2, 3]);
    const keys = reader(layer.given['keys'] as number[], [2, 3, 4]);
    const w = reader(layer.given['attention.weight'] as number[], [4, 3]);
    const expected = range(2).flatMap((row) =>
      range(2).flatMap((candidate) => {
        const powers = range(3).map((t) => {
          const score = total(
            range(4).flatMap((i) => range(3).map((j) => keys(row, t, i) * w(i, j) * query(row, candidate, j))),
          );
          return (mask[3 * row + t] as number) * Math.exp(score);
        });
        return powers.map((power) => power / total(powers));
      }),
    );
    close(valuesOf(layer), expected);
    await checkLayer(runtime, layer);
  });

  test('is zero where a row has no position', () => {
    assert.deepEqual(Array.from(valuesOf(attentionOf([0, 0, 1, 1], 2)).slice(0, 4), Math.abs), [0, 0, 0, 0]);
  });
});

describe('dot products', () => {
  test('score candidates of each user, or the same for all', async () => {
    const own = layerOf({ user: [2, 3], candidates: [2, 4, 3] }, (_, { user, candidates }) => dot(user, candidates));
    const shared = layerOf({ user: [2, 3], candidates: [4, 3] }, (_, { user, candidates }) =>
      dotShared(user, candidates),
    );
    for (const [layer, candidatesOf] of [
      [own, (row: number) => 4 * row],
      [shared, () => 0],
    ] as const) {
      const user = reader(layer.given['user'] as number[], [2, 3]);
      const candidates = reader(layer.given['candidates'] as number[], [8, 3]);
      const expected = range(2).flatMap((row) =>
        range(4).map((c) => total(range(3).map((k) => user(row, k) * candidates(candidatesOf(row) + c, k)))),
      );
      assert.deepEqual(layer.output.shape, [2, 4]);
      close(valuesOf(layer), expected);
      await checkLayer(runtime, layer);
    }
  });
});
