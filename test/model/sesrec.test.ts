import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { type Rows, type AlignedPart, totalsOf } from '../../src/features/index.js';
import {
  type Parameters,
  type SesrecConfig,
  type SesrecPreset,
  seesPadding,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
} from '../../src/model/index.js';
import { type Tensor, gradients } from '../../src/tensor/index.js';
import { largestError } from '../support/gradient-check.js';
import { evaluate } from '../support/interpreter.js';
import { runtimeForTests } from '../support/runtime.js';
import {
  type Built,
  type Lengths,
  build,
  forward,
  kindOf,
  lively,
  randomRows,
  randomTraining,
  rowOf,
  run,
  tinyConfig,
  wordsOfQuery,
} from '../support/tiny-sesrec.js';

const PRESETS: readonly SesrecPreset[] = ['official', 'paper'];
const ALL: readonly Lengths[] = [
  [3, 3],
  [2, 3],
  [3, 1],
  [1, 2],
  [1, 1],
];

const runtime = runtimeForTests();

const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance = 1e-5): void => {
  const error = largestError(actual, expected);
  assert.ok(error <= tolerance, `differs by ${error}`);
};
const get = (results: Record<string, Float32Array>, key: string): Float32Array => results[key] as Float32Array;
const number = (results: Record<string, Float32Array>, key: string): number => get(results, key)[0] as number;
const setup = (preset: SesrecPreset, lengths: readonly Lengths[], changes: Partial<SesrecConfig> = {}, seed = 1) => {
  const config = tinyConfig(preset, changes);
  const random = new Random('sesrec test', seed);
  return {
    config,
    rows: randomRows(config, lengths, random),
    training: randomTraining(config, lengths.length, random),
    parameters: lively(config, seed),
  };
};
const allFinite = (results: Record<string, Float32Array>): void => {
  for (const [key, values] of Object.entries(results)) assert.ok(values.every(Number.isFinite), `${key} is not finite`);
};

/** The same rows and parameters at a longer window; the positions gained are padding, their embeddings random. */
function extended(
  config: SesrecConfig,
  rows: Rows,
  parameters: Parameters,
  by: number,
): { config: SesrecConfig; rows: Rows; parameters: Parameters } {
  const longer = {
    ...config,
    window: { ...config.window, feed: config.window.feed + by, search: config.window.search + by },
  };
  const stretch = (values: Int32Array, from: number, to: number): Int32Array => {
    const result = new Int32Array(rows.count * to);
    for (let row = 0; row < rows.count; row++) result.set(values.subarray(row * from, (row + 1) * from), row * to);
    return result;
  };
  const { feed, search, clicks } = config.window;
  const other = lively(longer, 99);
  for (const { name } of parameters.descriptions) other.get(name).set(parameters.get(name)); // positions: the first ones
  return {
    config: longer,
    rows: {
      ...rows,
      extent: { feed: feed + by, search: search + by },
      feed: stretch(rows.feed, feed, feed + by),
      search: stretch(rows.search, search, search + by),
      source: stretch(rows.source, search, search + by),
      clicks: stretch(rows.clicks, search * clicks, (search + by) * clicks),
    },
    parameters: other,
  };
}

describe('a batch in parts', () => {
  test('has losses that add up to those of the whole', async () => {
    for (const preset of PRESETS) {
      const uneven: readonly Lengths[] = [...ALL, [2, 0], [0, 2]];
      const { config, rows, training, parameters } = setup(preset, uneven);
      const whole = await forward(runtime, config, parameters, rows, training);
      const totals = totalsOf([rows]);
      assert.equal(totals.both, ALL.length);
      const width = training.candidates.length / rows.count;
      const parts = [];
      for (let row = 0; row < rows.count; row++) {
        const candidates = training.candidates.slice(row * width, (row + 1) * width);
        parts.push(await forward(runtime, config, parameters, rowOf(rows, row), { ...training, candidates, totals }));
      }
      for (const key of ['loss', 'prediction', 'alignment', 'contrast'])
        close([parts.reduce((sum, part) => sum + number(part, key), 0)], [number(whole, key)]);
    }
  });
});

describe('padding', () => {
  test('does not matter to `paper`: logits and losses stay when windows grow', async () => {
    const { config, rows, training, parameters } = setup('paper', ALL);
    const longer = extended(config, rows, parameters, 10);
    const [short, long] = [
      await forward(runtime, config, parameters, rows, training),
      await forward(runtime, longer.config, longer.parameters, longer.rows, training),
    ];
    for (const key of ['logits', 'prediction', 'alignment', 'contrast']) close(get(long, key), get(short, key));
  });

  test('is not needed by models that do not see it: cut to less than the window, losses stay', async () => {
    for (const changes of [{}, { useSearch: false }]) {
      const { config, rows, training, parameters } = setup('paper', ALL, changes);
      assert.equal(seesPadding(config), false);
      const longer = extended(config, rows, parameters, 10);
      const [cut, full] = [
        await forward(runtime, longer.config, longer.parameters, rows, training),
        await forward(runtime, longer.config, longer.parameters, longer.rows, training),
      ];
      for (const key of ['logits', 'prediction', 'alignment', 'contrast']) close(get(cut, key), get(full, key));
    }
    assert.equal(seesPadding(setup('official', ALL).config), true);
  });

  test('matters to `official`, whose co-attention sums over it (docs/sesrec.md), and not once it is masked', async () => {
    const { config, rows, training, parameters } = setup('official', ALL);
    const differs = async (changes: Partial<SesrecConfig>): Promise<number> => {
      const changed = { ...config, ...changes };
      const longer = extended(changed, rows, parameters, 10);
      const [short, long] = [
        await forward(runtime, changed, parameters, rows, training),
        await forward(runtime, longer.config, longer.parameters, longer.rows, training),
      ];
      return largestError(get(long, 'logits'), get(short, 'logits'));
    };
    assert.ok((await differs({})) > 1e-3);
    assert.ok((await differs({ maskCoAttention: true })) < 1e-5);
  });

  test('may hold any source without any effect on logits and losses under `paper`', async () => {
    const { config, rows, training, parameters } = setup('paper', ALL);
    const source = rows.source.map((value, position) => (rows.search[position] === 0 ? 3 : value));
    assert.notDeepEqual(source, rows.source);
    const [one, other] = [
      await forward(runtime, config, parameters, rows, training),
      await forward(runtime, config, parameters, { ...rows, source }, training),
    ];
    for (const key of ['logits', 'loss']) close(get(other, key), get(one, key));
  });
});

describe('the split', () => {
  for (const preset of PRESETS) {
    test(`parts the real positions in two, unless one side would be empty (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, [...ALL, ...ALL, ...ALL]);
      const results = await forward(runtime, config, parameters, rows, training);
      let whole = 0;
      for (const [lane, ids, length] of [
        ['feed', rows.feed, config.window.feed],
        ['search', rows.search, config.window.search],
      ] as const) {
        for (let row = 0; row < rows.count; row++) {
          const cut = (values: ArrayLike<number>): number[] =>
            Array.from(values).slice(row * length, (row + 1) * length);
          const real = cut(ids).map((id): number => (id === 0 ? 0 : 1));
          const [attention, similar, dissimilar] = ['co-attention', 'similar', 'dissimilar'].map((part) =>
            cut(get(results, `${lane} ${part}`)),
          ) as [number[], number[], number[]];
          const count = real.reduce((a, b) => a + b, 0);
          assert.ok(Math.abs(attention.reduce((a, b) => a + b, 0) - 1) < 1e-5, 'co-attention sums to 1');
          assert.ok(
            attention.every((weight, i) => weight >= 0 && (real[i] === 1 || weight === 0)),
            'over the real positions',
          );
          const gamma = Math.fround(1 / count);
          const ruled = attention.map((weight, i) =>
            real[i] === 1 && (preset === 'official' ? weight >= gamma : weight > gamma) ? 1 : 0,
          );
          assert.deepEqual(cut(get(results, `${lane} is similar`)), ruled);
          const sides = [ruled, real.map((one, i) => one - (ruled[i] as number))].map((side) =>
            side.includes(1) ? side : real,
          );
          assert.deepEqual([similar, dissimilar], sides);
          if (sides.includes(real)) whole++;
        }
      }
      assert.ok(whole >= 6, 'histories of one action use the rule for empty sides');
      assert.ok(whole < rows.count, 'others do not');
    });
  }

  test('at the median threshold follows the median of the real positions, odd and even in number', async () => {
    const window = { feed: 5, search: 4, clicks: 1, words: 2 };
    const { config, rows, training, parameters } = setup(
      'paper',
      [
        [5, 4],
        [4, 3],
        [3, 2],
        [2, 1],
        [1, 4],
      ],
      { threshold: 'median', window },
    );
    const results = await forward(runtime, config, parameters, rows, training);
    for (const [lane, ids, length] of [
      ['feed', rows.feed, window.feed],
      ['search', rows.search, window.search],
    ] as const) {
      for (let row = 0; row < rows.count; row++) {
        const count = rowOf(rows, row)[lane].filter((id) => id !== 0).length;
        const cut = (key: string): number[] =>
          Array.from(get(results, `${lane} ${key}`)).slice(row * length, row * length + count);
        const sorted = cut('co-attention').toSorted((a, b) => a - b);
        const median = ((sorted[(count - 1) >> 1] as number) + (sorted[count >> 1] as number)) / 2;
        assert.deepEqual(
          cut('is similar'),
          cut('co-attention').map((weight) => (weight > Math.fround(median) ? 1 : 0)),
          `${lane} of ${ids.length}, row ${row}`,
        );
      }
    }
  });

  test('at a constant threshold that nothing passes is the whole history on both sides', async () => {
    const { config, rows, training, parameters } = setup('official', [[3, 2]], { threshold: 1.5 });
    const results = await forward(runtime, config, parameters, rows, training);
    assert.deepEqual([...get(results, 'feed similar'), ...get(results, 'feed dissimilar')], [1, 1, 1, 1, 1, 1]);
    assert.deepEqual([...get(results, 'search similar'), ...get(results, 'search dissimilar')], [1, 1, 0, 1, 1, 0]);
  });
});

describe('a missing history', () => {
  const EMPTY: readonly Lengths[] = [
    [3, 0],
    [0, 2],
    [0, 0],
    [2, 3],
  ];
  for (const preset of PRESETS) {
    test(`gives finite numbers and gradients everywhere (${preset})`, async () => {
      for (const lengths of [
        EMPTY,
        [
          [0, 0],
          [0, 0],
        ],
        [[3, 0]],
        [[0, 3]],
      ] as const) {
        const { config, rows, training, parameters } = setup(preset, lengths);
        const built = build(config, parameters, rows, training);
        const keys = [
          ...[...built.scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name),
          ...built.scope.lookups.keys(),
        ];
        const outputs = { ...built.outputs };
        gradients(
          built.losses.loss,
          keys.map((key) => built.scope.known(key)),
        ).forEach((gradient, i) => {
          outputs[`gradient of ${keys[i]}`] = gradient;
        });
        allFinite(await run(runtime, { outputs, given: built.given }));
      }
    });

    test(`draws nothing from it: whatever its encoder would say, the logits stay (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, EMPTY);
      const before = await forward(runtime, config, parameters, rows, training);
      const change = async (pattern: RegExp): Promise<boolean[]> => {
        const other = lively(config, 1);
        for (const { name } of other.descriptions)
          if (pattern.test(name))
            other.get(name).forEach((_, i, values) => {
              values[i] = Math.sin(7 * i + name.length);
            });
        const results = await forward(runtime, config, other, rows, training);
        return [0, 1, 2, 3].map(
          (row) =>
            largestError(
              get(results, 'logits').slice(3 * row, 3 * row + 3),
              get(before, 'logits').slice(3 * row, 3 * row + 3),
            ) > 1e-4,
        );
      };
      assert.deepEqual(await change(/^search\.|^coAttention\./), [false, true, false, true]);
      assert.deepEqual(await change(/^feed\.|^coAttention\./), [true, false, false, true]);
    });

    test(`leaves the other one undivided: there is nothing to compare it with (${preset})`, async () => {
      for (const seed of [1, 2, 3]) {
        const { config, rows, training, parameters } = setup(
          preset,
          [
            [3, 0],
            [2, 0],
            [0, 3],
            [0, 2],
          ],
          {},
          seed,
        );
        const results = await forward(runtime, config, parameters, rows, training);
        const masks = { feed: [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0], search: [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0] };
        for (const lane of ['feed', 'search'] as const)
          for (const side of ['similar', 'dissimilar'])
            assert.deepEqual([...get(results, `${lane} ${side}`)], masks[lane]);
      }
    });

    test(`leaves the contrast to the rows that have both, and has none without any (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, EMPTY);
      const both = await forward(runtime, config, parameters, rows, training);
      const alone = await forward(runtime, config, parameters, rowOf(rows, 3), {
        ...training,
        candidates: training.candidates.slice(9),
      });
      assert.ok(number(alone, 'contrast') > 0);
      close(get(both, 'contrast'), get(alone, 'contrast'));
      const none = await forward(runtime, config, parameters, rowOf(rows, 0), {
        ...training,
        candidates: training.candidates.slice(0, 3),
      });
      assert.equal(number(none, 'contrast'), 0);
    });

    test(`makes the alignment nothing, not NaN, when nobody has clicked, or there is nothing to compare with (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, ALL);
      const results = await forward(
        runtime,
        config,
        parameters,
        { ...rows, clicks: rows.clicks.map(() => 0) },
        training,
      );
      allFinite(results);
      assert.equal(Math.abs(number(results, 'alignment')), 0);
      // searches that are all held out leave no queries to draw from
      const noQueries = { ...training, negatives: { items: training.negatives.items, queries: new Int32Array(0) } };
      allFinite(await forward(runtime, config, parameters, { ...rows, clicks: rows.clicks.map(() => 0) }, noQueries));
    });
  }
});

describe('search', () => {
  for (const preset of PRESETS) {
    test(`that is off has no parameters, no losses of its own, and no influence (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, ALL, { useSearch: false });
      assert.deepEqual(
        parameters.descriptions
          .map(({ name }) => name)
          .filter((name) => /^(search|query|coAttention|alignment)\./.test(name)),
        [],
      );
      const results = await forward(runtime, config, parameters, rows, training);
      assert.deepEqual([number(results, 'alignment'), number(results, 'contrast')], [0, 0]);
      assert.equal(number(results, 'loss'), number(results, 'prediction'));
      const other = randomRows(config, ALL, new Random('another search history'));
      const blind = await forward(
        runtime,
        config,
        parameters,
        { ...rows, search: other.search, source: other.source, clicks: other.clicks },
        training,
      );
      assert.deepEqual(get(blind, 'logits'), get(results, 'logits'));
    });

    test(`that is on matters: the query, its source and its clicks alike (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, ALL);
      const logits = async (other: Partial<Rows>): Promise<Float32Array> =>
        get(await forward(runtime, config, parameters, { ...rows, ...other }, training), 'logits');
      const before = await logits({});
      const next = (values: Int32Array, size: number): Int32Array =>
        values.map((value) => (value === 0 ? 0 : 1 + (value % (size - 1))));
      for (const other of [
        { search: next(rows.search, config.sizes.queries) },
        { source: next(rows.source, config.sizes.sources) },
        { clicks: next(rows.clicks, config.sizes.items) },
      ]) {
        assert.ok(largestError(await logits(other), before) > 1e-3);
      }
    });
  }
});

describe('scores', () => {
  for (const preset of PRESETS) {
    test(`of permuted candidates are the permuted scores (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, ALL);
      const results = await forward(runtime, config, parameters, rows, training);
      const permuted = training.candidates.map((_, i) => training.candidates[i - (i % 3) + ((i + 1) % 3)] as number);
      const other = await forward(runtime, config, parameters, rows, { ...training, candidates: permuted });
      close(
        get(other, 'logits'),
        get(results, 'logits').map((_, i) => get(results, 'logits')[i - (i % 3) + ((i + 1) % 3)] as number),
        1e-6,
      );
      assert.ok(largestError(get(other, 'logits'), get(results, 'logits')) > 1e-3);
    });

    test(`of a row do not depend on the other rows of its batch (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, [...ALL, [3, 0], [0, 2]]);
      const results = await forward(runtime, config, parameters, rows, training);
      for (let row = 0; row < rows.count; row++) {
        const alone = await forward(runtime, config, parameters, rowOf(rows, row), {
          ...training,
          candidates: training.candidates.slice(3 * row, 3 * row + 3),
        });
        close(get(alone, 'logits'), get(results, 'logits').slice(3 * row, 3 * row + 3));
      }
    });
  }
});

describe('losses', () => {
  for (const preset of PRESETS) {
    test(`at the start are those of a model that knows nothing (${preset})`, async () => {
      const config: SesrecConfig = {
        ...sesrecPresets[preset],
        ...sesrecShapes.amazon,
        itemAttributes: [],
        userAttributes: [],
        alignmentReduction: 'pairs',
        sizes: { items: 3000, users: 50, queries: 400, words: 100, sources: 3 },
      };
      const random = new Random('start');
      const rows = randomRows(
        config,
        [
          [15, 15],
          [4, 9],
          [1, 1],
          [7, 2],
        ],
        random,
      );
      const parameters = sesrecParameters(config);
      parameters.initialise(5);
      const results = await forward(runtime, config, parameters, rows, randomTraining(config, rows.count, random));
      // near ln 2 only: layer norms make interests of unit size, so that logits are not tiny
      assert.ok(
        Math.abs(number(results, 'prediction') - Math.LN2) < 0.2,
        `prediction ${number(results, 'prediction')}`,
      );
      const chance = Math.log(preset === 'official' ? 1025 : 1024);
      assert.ok(Math.abs(number(results, 'alignment') - chance) < 0.1, `alignment ${number(results, 'alignment')}`);
      assert.ok(number(results, 'contrast') >= 0);
    });

    test(`the contrast is never negative, and twice the margin for histories of one action (${preset})`, async () => {
      for (let seed = 0; seed < 5; seed++) {
        const { config, rows, training, parameters } = setup(preset, ALL, {}, seed);
        assert.ok(number(await forward(runtime, config, parameters, rows, training), 'contrast') >= 0);
      }
      const { config, rows, training, parameters } = setup(
        preset,
        [
          [1, 1],
          [1, 1],
        ],
        { margin: 0.37 },
      );
      assert.ok(
        Math.abs(number(await forward(runtime, config, parameters, rows, training), 'contrast') - 2 * 0.37) < 1e-6,
      ); // one margin per history
    });

    test(`the whole loss is Eq. 23 (${preset})`, async () => {
      const { config, rows, training, parameters } = setup(preset, ALL, { alpha: 0.7, beta: 0.9 });
      const results = await forward(runtime, config, parameters, rows, training);
      assert.ok(
        Math.abs(
          number(results, 'loss') -
            number(results, 'prediction') -
            0.7 * number(results, 'alignment') -
            0.9 * number(results, 'contrast'),
        ) < 1e-5,
      );
      const without = await forward(
        runtime,
        { ...config, useAlignment: false, useContrast: false },
        parameters,
        rows,
        training,
      );
      assert.equal(number(without, 'loss'), number(without, 'prediction'));
      close(get(without, 'logits'), get(results, 'logits'), 1e-6);
    });

    test(`the alignment is that of a loop over the pairs (${preset})`, async () => {
      for (let seed = 1; seed <= 3; seed++) {
        const { config, rows, training, parameters } = setup(preset, ALL, {}, seed);
        rows.search.set([3, 3, 3]); // one query, searched three times, with the same item clicked more than once
        rows.clicks.set([5, 6, 5, 0, 5, 7]);
        const results = await forward(runtime, config, parameters, rows, training);
        const expected = alignmentPairByPair(config, parameters, rows, training);
        assert.ok(
          Math.abs(number(results, 'alignment') - expected) < 1e-5,
          `${number(results, 'alignment')}, not ${expected}`,
        );
      }
    });

    for (const splitBy of ['coAttention', 'alignment'] as const)
      test(`have the gradients of finite differences by every parameter and table (${preset}, split by ${splitBy})`, async () => {
        const config = tinyConfig(preset, { margin: 2, splitBy });
        const lengths: readonly Lengths[] = [
          [3, 2],
          [2, 3],
        ];
        const attempt = (seed: number): Built & { gap: number; random: Random } => {
          const random = new Random('gradients of sesrec', seed);
          const [rows, training] = [randomRows(config, lengths, random), randomTraining(config, 2, random)];
          rows.clicks.set([4, 9, 4]);
          const built = build(config, lively(config, seed), rows, training);
          const attentions = evaluate(
            [built.outputs['feed co-attention'], built.outputs['search co-attention']] as [Tensor, Tensor],
            built.given,
          );
          const gaps = lengths.flatMap((ofRow, row) =>
            ofRow.flatMap((length, lane) =>
              Array.from((attentions[lane] as Float64Array).subarray(3 * row, 3 * row + length), (weight) =>
                Math.abs(weight - 1 / length),
              ),
            ),
          );
          return { ...built, random, gap: Math.min(...gaps) };
        };
        // The split is a hard choice: an action near the threshold would jump.
        const found = [1, 2, 3, 4, 5, 6, 7, 8].map(attempt).find(({ gap }) => gap > 1e-2);
        assert.ok(found, 'no seed keeps all actions away from the threshold');
        const { scope, losses, given, random } = found;

        const parts = [losses.prediction, losses.alignment, losses.contrast] as const;
        const keys = [
          ...[...scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name),
          ...scope.lookups.keys(),
        ];
        const symbolic = parts.map((part) =>
          gradients(
            part,
            keys.map((key) => scope.known(key)),
          ),
        );
        const exact = evaluate(symbolic.flat(), given);
        const touched = new Set<string>();
        keys.forEach((key, position) => {
          const values = given[key] as Float32Array;
          for (let trial = 0; trial < 3; trial++) {
            const direction = Float64Array.from(values, () => random.normal());
            const at = (step: number): number[] =>
              evaluate(parts, {
                ...given,
                [key]: Float64Array.from(values, (value, i) => value + step * (direction[i] as number)),
              }).map((loss) => loss[0] as number);
            const step = 1e-5;
            const [above, below] = [at(step), at(-step)];
            parts.forEach((_, part) => {
              const gradient = exact[part * keys.length + position] as Float64Array;
              const slope = gradient.reduce((sum, value, i) => sum + value * (direction[i] as number), 0);
              const numeric = ((above[part] as number) - (below[part] as number)) / (2 * step);
              assert.ok(
                Math.abs(slope - numeric) < 1e-6 * Math.max(1, Math.abs(numeric)),
                `loss ${part} by ${key}: ${slope}, finite differences say ${numeric}`,
              );
              if (Math.abs(numeric) > 1e-4) touched.add(key);
            });
          }
        });
        // Keys have no bias that matters: softmax does not see a shift.
        assert.deepEqual(
          keys.filter((key) => !touched.has(key) && !key.endsWith('attention.key.bias')),
          [],
          'every parameter has a gradient',
        );

        // And ONNX Runtime computes the same in float32.
        const named = Object.fromEntries(symbolic.flat().map((tensor, i) => [`gradient ${i}`, tensor]));
        const results = await run(runtime, { outputs: named, given });
        exact.forEach((gradient, i) => close(get(results, `gradient ${i}`), gradient, 2e-5));
      });
  }
});

/** Eq. 6 to 8 with the rules of docs/sesrec.md, one pair after another, from the tables up. */
function alignmentPairByPair(
  config: SesrecConfig,
  parameters: Parameters,
  rows: Rows,
  { negatives }: AlignedPart,
): number {
  const cut = (name: string, row: number, width: number): number[] =>
    Array.from(parameters.get(name).subarray(row * width, (row + 1) * width));
  const project = (name: string, x: readonly number[]): number[] =>
    Array.from({ length: config.width }, (_, out) =>
      x.reduce(
        (sum, value, i) => sum + value * (parameters.get(`${name}.weight`)[out * x.length + i] as number),
        config.projectionBias ? (parameters.get(`${name}.bias`)[out] as number) : 0,
      ),
    );
  const itemVector = (item: number): number[] =>
    project('item.projection', [...cut('item.id', item, config.itemIdWidth), ...cut('item.kind', kindOf(item), 2)]);
  const queryVector = (query: number): number[] => {
    const words = (wordsOfQuery[query] as readonly number[]).slice(0, config.window.words);
    const mean = Array.from(
      { length: config.wordWidth },
      (_, i) =>
        words.reduce((sum, word) => sum + (cut('query.word', word, config.wordWidth)[i] as number), 0) /
        Math.max(1, words.length),
    );
    return project('query.projection', [...cut('query.id', query, config.queryIdWidth), ...mean]);
  };
  const matrix = parameters.get('alignment.bilinear');
  const bilinear = (left: readonly number[], right: readonly number[]): number =>
    Math.tanh(
      left.reduce(
        (sum, a, i) => sum + right.reduce((inner, b, j) => inner + a * (matrix[i * config.width + j] as number) * b, 0),
        0,
      ),
    );
  const tau = parameters.get('alignment.temperature')[0] as number;
  const loss = (positive: number, others: readonly number[]): number => {
    const denominator = [...others, ...(config.alignmentIncludesPositive ? [positive] : [])].reduce(
      (sum, s) => sum + Math.exp(s / tau),
      0,
    );
    return -Math.log(Math.exp(positive / tau) / denominator);
  };
  const perRow = Array.from({ length: rows.count }, () => 0);
  let pairs = 0;
  rows.clicks.forEach((item, position) => {
    const search = Math.floor(position / config.window.clicks);
    const query = rows.search[search] as number;
    if (item === 0) return;
    pairs++;
    const [q, i] = [queryVector(query), itemVector(item)];
    const queryToItem = loss(
      bilinear(q, i),
      Array.from(negatives.items, (other) => bilinear(q, itemVector(other))),
    );
    const itemToQuery = config.transposedItemToQuery
      ? loss(
          bilinear(i, q),
          Array.from(negatives.queries, (other) => bilinear(i, queryVector(other))),
        )
      : loss(
          bilinear(q, i),
          Array.from(negatives.queries, (other) => bilinear(queryVector(other), i)),
        );
    const row = Math.floor(search / config.window.search);
    perRow[row] = (perRow[row] as number) + (queryToItem + itemToQuery) / 2;
  });
  const total = perRow.reduce((a, b) => a + b, 0);
  return total / (config.alignmentReduction === 'pairs' ? pairs : rows.count);
}
