import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CorruptFileError, UserError } from '../../src/base/index.js';
import {
  type NamedTensor,
  type ParameterDescription,
  Parameters,
  Scope,
  type SesrecConfig,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
  sharedZeros,
} from '../../src/model/index.js';
import { initialisers } from '../../src/model/layers/layers.js';
import { tinyConfig } from '../support/tiny-sesrec.js';

const amazon: SesrecConfig = {
  ...sesrecPresets.official,
  ...sesrecShapes.amazon,
  itemAttributes: [],
  userAttributes: [],
  sizes: { items: 900, users: 300, queries: 200, words: 400, sources: 3 },
};

/** Root of the mean square: the standard deviation of values around zero. */
const deviation = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
const initialised = (config: SesrecConfig, seed = 1): Parameters => {
  const parameters = sesrecParameters(config);
  parameters.initialise(seed);
  return parameters;
};

describe('initialisation', () => {
  test('is Xavier-normal for tables and linear weights, uniform for the packed q, k, v, and flat for the official target attention', () => {
    const parameters = initialised(amazon);
    const d = 32;
    const expected: Record<string, number> = {
      'item.id': Math.sqrt(2 / (900 + 32)),
      'user.id': Math.sqrt(2 / (300 + 32)),
      'query.id': Math.sqrt(2 / (200 + 16)),
      'query.word': Math.sqrt(2 / (400 + 16)),
      'item.projection.weight': Math.sqrt(2 / (32 + d)),
      'coAttention.bilinear': Math.sqrt(2 / (d + d)),
      'alignment.bilinear': Math.sqrt(2 / (d + d)),
      'feed.encoder.0.feedForward.inner.weight': Math.sqrt(2 / (d + d)),
      'feed.encoder.0.attention.output.weight': Math.sqrt(2 / (d + d)),
      'feed.encoder.0.attention.query.weight': Math.sqrt(6 / (d + 3 * d)) / Math.sqrt(3), // of U(±a): a / sqrt(3)
      'search.encoder.0.attention.value.weight': Math.sqrt(6 / (d + 3 * d)) / Math.sqrt(3),
      'prediction.0.weight': Math.sqrt(2 / (256 + 200)), // 7 d + d_u = 256
      'prediction.1.weight': Math.sqrt(2 / (200 + 80)),
      'feed.interest.weight': 0.044, // docs/sesrec.md: an accident of the official code
      'search.interest.weight': 0.044,
    };
    for (const [name, wanted] of Object.entries(expected)) {
      const values = parameters.get(name);
      const found = deviation(values);
      assert.ok(
        Math.abs(found / wanted - 1) < 5 / Math.sqrt(2 * values.length) + 0.006,
        `${name} has deviation ${found}, not ${wanted}`,
      );
    }
    const bound = Math.sqrt(6 / (4 * d));
    assert.ok(
      parameters.get('feed.encoder.0.attention.key.weight').every((value) => Math.abs(value) <= bound),
      'uniform has bounds',
    );
    assert.ok(
      parameters.get('prediction.0.weight').some((value) => Math.abs(value) > 3 * Math.sqrt(2 / 456)),
      'normal has tails',
    );
  });

  test('of the paper has the target attention of an ordinary matrix', () => {
    const found = deviation(initialised({ ...amazon, ...sesrecPresets.paper }).get('feed.interest.weight'));
    assert.ok(Math.abs(found - 0.177) < 0.015, `${found}`);
  });

  test('sets biases to 0, norms to 1 and 0, the temperature to its start', () => {
    const parameters = initialised(amazon);
    for (const { name } of parameters.descriptions) {
      const values = parameters.get(name);
      if (name.endsWith('norm.weight'))
        assert.ok(
          values.every((value) => value === 1),
          name,
        );
      else if (name.endsWith('.bias'))
        assert.ok(
          values.every((value) => value === 0),
          name,
        );
      else if (name === 'alignment.temperature') assert.deepEqual(values, Float32Array.of(0.1));
      else
        assert.ok(
          values.some((value) => value !== 0),
          `${name} starts at zero`,
        );
    }
  });

  test('keeps padding rows at zero in `paper` and leaves them random in `official`', () => {
    const row = (preset: 'official' | 'paper', name: string): Float32Array =>
      initialised(tinyConfig(preset)).get(name).slice(0, 2);
    for (const name of ['item.id', 'query.id', 'query.word']) {
      assert.deepEqual([...row('paper', name)], [0, 0]);
      assert.ok(row('official', name).every((value) => value !== 0));
    }
    assert.ok(
      row('paper', 'user.id').every((value) => value !== 0),
      'users have no padding',
    );
  });

  test('is the same, bit for bit, for the same seed, and another for another', () => {
    const [one, same, other] = [initialised(amazon, 7), initialised(amazon, 7), initialised(amazon, 8)];
    for (const { name } of one.descriptions) assert.deepEqual(one.get(name), same.get(name), name);
    assert.notDeepEqual(one.get('item.id'), other.get('item.id'));
    assert.notDeepEqual(
      one.get('coAttention.bilinear'),
      one.get('alignment.bilinear'),
      'parameters of one shape do not start alike',
    );
  });

  test('does not depend on the order of declaration', () => {
    const { descriptions } = sesrecParameters(tinyConfig('official'));
    const reversed: ParameterDescription[] = descriptions.toReversed();
    const [one, other] = [new Parameters(descriptions), new Parameters(reversed)];
    one.initialise(3);
    other.initialise(3);
    for (const { name } of descriptions) assert.deepEqual(one.get(name), other.get(name), name);
  });

  test('of a normal distribution has the deviation that it is given', () => {
    const scope = new Scope();
    scope.parameter('w', [100, 200], initialisers.normal(0.02));
    const parameters = new Parameters(scope.parameters.values());
    parameters.initialise(1);
    const values = parameters.get('w');
    assert.ok(Math.abs(deviation(values) / 0.02 - 1) < 5 / Math.sqrt(2 * values.length), `${deviation(values)}`);
    assert.ok(
      values.some((value) => Math.abs(value) > 0.07),
      'normal has tails',
    );
  });
});

describe('parameters', () => {
  test('are as many as the layers of the Amazon shape have', () => {
    const d = 32;
    const encoder = 4 * (d * d + d) + 2 * (d * d + d) + 4 * d;
    const tables = 900 * 32 + 300 * 32 + 200 * 16 + 400 * 16 + 3 * d + 15 * d + 15 * d;
    const prediction = 256 * 200 + 200 + (200 * 80 + 80) + (80 + 1);
    assert.equal(
      sesrecParameters(amazon).size,
      tables + 2 * encoder + 2 * (d * d + d) + (d * d + 2 * d) + 2 * d * d + (d * d + 1) + prediction,
    );
  });

  test('copy rows out, in the order asked for, so that a batch cannot change the table', () => {
    const parameters = initialised(tinyConfig('official'));
    const rows = parameters.rowsOf('item.id', Int32Array.of(3, 0, 3));
    const table = parameters.get('item.id');
    assert.deepEqual([...rows], [...table.subarray(9, 12), ...table.subarray(0, 3), ...table.subarray(9, 12)]);
    rows.fill(5);
    assert.ok(!table.includes(5));
  });

  test('load all tensors or refuse, naming what is wrong, and stay as they were', () => {
    const config = tinyConfig('paper');
    const good = initialised(config, 1).tensors();
    const parameters = initialised(config, 2);
    const bias = good.get('item.projection.weight') as NamedTensor;
    const refuses = (name: string, tensor: NamedTensor | null, pattern: RegExp): void => {
      const tensors = new Map(good);
      if (tensor) tensors.set(name, tensor);
      else tensors.delete(name);
      assert.throws(
        () => parameters.load(tensors, 'here'),
        (error) => error instanceof CorruptFileError && pattern.test(error.message) && error.message.startsWith('here'),
      );
    };
    refuses('item.id', null, /no parameter item.id/);
    refuses(
      'item.projection.weight',
      { shape: bias.shape.toReversed(), data: bias.data },
      /item.projection.weight is \[5,4\], the model needs \[4,5\]/,
    );
    refuses(
      'item.projection.weight',
      { shape: bias.shape, data: bias.data.map((value, i) => (i === 7 ? Number.NaN : value)) },
      /not numbers/,
    );
    for (const { name } of parameters.descriptions)
      assert.deepEqual(parameters.get(name), initialised(config, 2).get(name));
    parameters.load(good, 'here');
    for (const { name } of parameters.descriptions)
      assert.deepEqual(parameters.get(name), initialised(config, 1).get(name));
  });
});

test('more values than there is room for are refused in a line that says how many', () => {
  assert.throws(
    () => sharedZeros(2 ** 33),
    (error) =>
      error instanceof UserError &&
      /^8589934592 values of one parameter need 32\.0 GiB in one piece, [^\n]*: train with fewer rows or narrower vectors$/.test(
        error.message,
      ),
  );
});

describe('a scope', () => {
  test('gives the same tensor for the same name and refuses two shapes', () => {
    const scope = new Scope();
    const zero = { kind: 'constant', value: 0 } as const;
    assert.equal(scope.parameter('w', [2, 3], zero), scope.parameter('w', [2, 3], zero));
    assert.throws(() => scope.parameter('w', [3, 2], zero), /two shapes/);
    assert.throws(() => scope.known('nothing'), /no input nothing/);
  });

  test('drops nothing in graphs that only score', () => {
    const [scoring, training, without] = [new Scope(), new Scope(0.5), new Scope(0)];
    const x = scoring.input('x', [2]);
    for (const rate of [undefined, 0.25]) assert.equal(scoring.dropout(x, rate), x);
    assert.notEqual(training.dropout(x), x);
    assert.notEqual(training.dropout(x, 0.25), x);
    assert.equal(training.dropout(x, 0), x);
    assert.deepEqual(training.dropouts, [
      { key: 'dropout 0', shape: [2], rate: 0.5 },
      { key: 'dropout 1', shape: [2], rate: 0.25 },
    ]);
    // a model that drops nothing by its own rate may do so by another
    assert.equal(without.dropout(x), x);
    assert.notEqual(without.dropout(x, 0.25), x);
  });
});
