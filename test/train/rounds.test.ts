/** Training in rounds: shares, sums that do not depend on who is first, outer steps, and one worker that is no other than `fit`. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { InterruptedError, Random, UserError, at } from '../../src/base/index.js';
import {
  type Model,
  type NamedTensor,
  type ParameterDescription,
  TensorFile,
  buildModel,
  descriptionsOf,
  parametersOf,
} from '../../src/model/index.js';
import { Epoch, TrainingRows } from '../../src/train/epoch.js';
import {
  type FitOptions,
  type Round,
  type RoundStart,
  OuterOptimizer,
  Stepper,
  createOptimizer,
  fit,
  fitInRounds,
  roundsHere,
  sharesOf,
  summedBlocks,
  Workbench,
  startFrom,
  workShare,
} from '../../src/train/index.js';
import { MeanMoves, movedBlocks } from '../../src/train/rounds/blocks.js';
import { runtimeForTests } from '../support/runtime.js';
import { encodeSafetensors } from '../support/safetensors.js';
import { everyPreset, tinyModel } from '../support/tiny-model.js';

const runtime = runtimeForTests();

test('the shares of rounds are all steps of an epoch, in order, as even as they can be', () => {
  fc.assert(
    fc.property(
      fc.record({
        workers: fc.integer({ min: 1, max: 9 }),
        localSteps: fc.integer({ min: 1, max: 9 }),
        steps: fc.integer({ min: 1, max: 200 }),
      }),
      ({ workers, localSteps, steps }) => {
        let next = 0;
        while (next < steps) {
          const shares = sharesOf({ workers, localSteps, outerLearningRate: 1, outerMomentum: 0 }, next, steps);
          const sizes = shares.map(([from, to]) => to - from);
          assert.ok(sizes.length >= 1 && sizes.length <= workers);
          assert.ok(
            Math.min(...sizes) >= 1 && Math.max(...sizes) <= localSteps && Math.max(...sizes) - Math.min(...sizes) <= 1,
          );
          for (const [from, to] of shares) {
            assert.equal(from, next);
            next = to;
          }
        }
        assert.equal(next, steps);
      },
    ),
  );
});

const DESCRIPTIONS: ParameterDescription[] = [
  { name: 'table', shape: [6, 3], table: 'items', initialiser: { kind: 'constant', value: 0 }, padding: 'none' },
  { name: 'dense', shape: [5000], table: null, initialiser: { kind: 'constant', value: 0 }, padding: 'none' },
];
const SIZES: Readonly<Record<string, number>> = { table: 18, dense: 5000 };
const stateFrom = (value: (name: string, tensor: number, place: number) => number): Map<string, NamedTensor> =>
  new Map(
    DESCRIPTIONS.flatMap(({ name, shape }) =>
      ['', ' / first moment', ' / second moment'].map(
        (suffix, tensor) =>
          [
            `${name}${suffix}`,
            {
              shape,
              data: Float32Array.from({ length: SIZES[name] as number }, (_, place) => value(name, tensor, place)),
            },
          ] as const,
      ),
    ),
  );
const collect = async (lines: AsyncIterable<string>): Promise<string[]> => {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
};

/** The mean moves of sums. */
function meanOf(sums: Iterable<string>, workers: number): MeanMoves {
  const moves = new MeanMoves(DESCRIPTIONS, (name) => SIZES[name] as number, workers);
  for (const sum of sums) moves.take(sum);
  return moves;
}

test('moves are averaged over all workers, and what nobody moved stays', async () => {
  const start = stateFrom(() => 1);
  // worker 0 moves row 1, worker 2 rows 1 and 4; both move what is dense
  const moved = [0, 2].map((worker) => {
    const end = stateFrom((name, tensor, place) => {
      if (name === 'dense') return 1 + (worker + 1) * (tensor + 1);
      const row = Math.floor(place / 3);
      return row === 1 || (row === 4 && worker === 2) ? 1 + (worker + 1) * (tensor + 1) : 1;
    });
    return [...movedBlocks(DESCRIPTIONS, start, end, { worker })];
  });
  const keyOf = (line: string): string => line.split(' ')[0] as string;
  assert.deepEqual(moved[0]?.map(keyOf), ['0.1', '1.0', '1.1']);
  assert.deepEqual(moved[1]?.map(keyOf), ['0.1', '0.4', '1.0', '1.1']);
  const byKey = moved.flat().toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
  const sums = await collect(summedBlocks(byKey));
  const moves = meanOf(sums.toReversed(), 2);
  const told = (index: number, every: boolean): unknown[] =>
    [...moves.of(index, { every })]
      .map(([from, move]) => [from, ...move.map((values) => [...values])] as const)
      .toSorted(([a], [b]) => a - b);
  const threeOf = (...values: number[]): number[][] => values.map((value) => [value, value, value]);
  assert.deepEqual(told(0, false), [
    [3, ...threeOf(2, 4, 6)],
    [12, ...threeOf(1.5, 3, 4.5)],
  ]);
  assert.deepEqual(
    told(0, true),
    [0, 2, 0, 0, 1.5, 0].map((value, row) => [3 * row, ...threeOf(value, 2 * value, 3 * value)]),
  );
  const filled = (length: number): number[][] => [2, 4, 6].map((value) => Array<number>(length).fill(value));
  for (const every of [false, true])
    assert.deepEqual(told(1, every), [
      [0, ...filled(4096)],
      [4096, ...filled(904)],
    ]);
});

test('lines that are none, come twice, or out of order are refused in a line', async () => {
  const start = stateFrom(() => 0);
  const [line = ''] = movedBlocks(
    DESCRIPTIONS,
    start,
    stateFrom(() => 1),
    { worker: 3 },
  );
  const refused = async (lines: string[], message: RegExp): Promise<void> =>
    assert.rejects(collect(summedBlocks(lines)), (error) => error instanceof UserError && message.test(error.message));
  await refused([line, line], /do not come by worker/);
  await refused(['nonsense'], /is no block of a round/);
  await refused(['0.1 2 AAA='], /not whole/);
  await refused([line, line.replace(/ 3 .*/, ' 4 AAAAAA==')], /are not alike/);
  const sums = await collect(summedBlocks([line]));
  assert.throws(() => meanOf([...sums, ...sums], 1), /were added up in pieces/);
  assert.throws(() => meanOf(sums, 0), /no block of this model/, 'more workers than there are');
  for (const key of ['7.0', '0.6', '1.2', '1.0'])
    assert.throws(
      () =>
        meanOf(
          sums.map((sum) => sum.replace(/^\S+/, key)),
          1,
        ),
      /no block of this model/,
      key,
    );
});

test("outer steps are those of gradient descent with Nesterov's momentum, written out", async () => {
  const [rate, decay] = [0.7, 0.9];
  const outer = new OuterOptimizer(
    DESCRIPTIONS,
    { outerLearningRate: rate, outerMomentum: decay },
    (name) => SIZES[name] as number,
  );
  const state = stateFrom(() => 1);
  let [value, momentum] = [1, 0];
  for (const move of [0.5, -0.25, 0]) {
    // what did not move is not told of, and momentum carries it on
    const end = stateFrom((_, tensor) => (tensor === 2 ? -2 : move));
    const blocks = [
      ...movedBlocks(
        DESCRIPTIONS,
        stateFrom(() => 0),
        end,
        { worker: 0 },
      ),
    ].filter((line) => move !== 0 || !line.startsWith('0.1 '));
    outer.apply(state, meanOf(await collect(summedBlocks(blocks)), 1));
    const gradient = -move;
    momentum = decay * momentum + gradient;
    value -= rate * (gradient + decay * momentum);
    assert.ok(Math.abs((state.get('table')?.data[4] as number) - value) < 1e-6);
  }
  assert.ok(Math.abs((state.get('dense / first moment')?.data[0] as number) - 1.25) < 1e-6);
  assert.equal(state.get('dense / second moment')?.data[0], 0, 'a mean of squares is never negative');
  assert.deepEqual([...outer.momentumTensors().keys()], ['table / outer momentum', 'dense / outer momentum']);
});

const OPTIONS: FitOptions = {
  seed: 5,
  epochs: 1,
  batchSize: 4,
  learningRate: 0.01,
  learningRatePatience: 2,
  minimumLearningRate: 1e-5,
  patience: 3,
  shuffle: true,
  requireBoth: false,
};
const hooks = {
  validate: async () => ({ score: 1, metrics: {} }),
  save: async () => undefined,
  onEvent: () => undefined,
};

for (const optimizer of ['adam', 'adamCatchUp', 'lazyAdam'] as const)
  test(`one worker that takes all steps moves the parameters where fit does: ${optimizer}`, async () => {
    const { model, dataset } = tinyModel({ id: 'sesrec', preset: 'official' });
    const train = async (rounds: boolean) => {
      const parameters = parametersOf(buildModel(model.card.id as 'sesrec', model.config));
      parameters.initialise(1);
      const start = new Map([...parameters.tensors()].map(([name, { data }]) => [name, data.slice()]));
      const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: optimizer, weightDecay: 0.01 }));
      if (!rounds) await fit(dataset, model, stepper, OPTIONS, hooks);
      else {
        const options = { workers: 1, localSteps: 1000, outerLearningRate: 1, outerMomentum: 0 };
        const outer = new OuterOptimizer(parameters.descriptions, options, (name) => parameters.get(name).length);
        const shared = { dataset, model, options: { ...OPTIONS, optimizer, weightDecay: 0.01 } };
        const runRound = roundsHere(shared, runtime);
        const end = await fitInRounds({ ...shared, stepper, outer }, { ...OPTIONS, ...options }, hooks, runRound);
        assert.equal(end.epoch, 1);
      }
      stepper.level();
      return { start, end: parameters.tensors() };
    };
    const [whole, inRounds] = [await train(false), await train(true)];
    let moved = 0;
    for (const [name, { data }] of inRounds.end) {
      const [from, to] = [whole.start.get(name) as Float32Array, whole.end.get(name)?.data as Float32Array];
      const expected = from.map((value, i) => value + Math.fround((to[i] as number) - value));
      assert.deepEqual(data, expected, name);
      if (to.some((value, i) => value !== from[i])) moved++;
    }
    assert.ok(moved > 5, `${moved} parameters moved`);
  });

for (const optimizer of ['adam', 'adamCatchUp', 'lazyAdam'] as const)
  test(`a share says the same whatever was worked at its bench before: ${optimizer}`, async () => {
    const { model, dataset } = tinyModel({ id: 'sesrec', preset: 'official' });
    const trained = { dataset, model, options: { ...OPTIONS, optimizer, weightDecay: 0.01 } };
    const bench = new Workbench(trained, runtime);
    const start = startFrom(stateOf(model));
    const shares = [
      [0, 1],
      [1, 2],
      [2, 4],
    ] as const;
    const round: Round = { epoch: 0, learningRate: 0.01, optimizerSteps: 0, reached: {}, shares };
    const said = async (at: Workbench, worker: number): Promise<unknown> => {
      const lines: string[] = [];
      const { milliseconds: _, ...report } = await workShare(
        trained,
        at,
        start,
        round,
        worker,
        (line) => void lines.push(line),
      );
      assert.ok(lines.length > 5);
      return { lines, report };
    };
    for (const worker of [1, 0, 2, 1])
      assert.deepEqual(
        await said(bench, worker),
        await said(new Workbench(trained, runtime, { wholeUpTo: 0 }), worker),
        `worker ${worker}`,
      );
  });

test('a share that is asked to stop does so at its next step, and hands out nothing', async () => {
  const { model, dataset } = tinyModel({ id: 'sesrec', preset: 'official' });
  const trained = { dataset, model, options: { ...OPTIONS, optimizer: 'adam' as const, weightDecay: 0 } };
  const bench = new Workbench(trained, runtime);
  const stop = new AbortController();
  const round: Round = { epoch: 0, learningRate: 0.01, optimizerSteps: 0, reached: {}, shares: [[0, 4]] };
  const { stepper } = bench;
  const update = stepper.update.bind(stepper);
  let steps = 0;
  stepper.update = (...parts): void => {
    update(...parts);
    if (++steps === 2) stop.abort();
  };
  const work = workShare(trained, bench, startFrom(stateOf(model)), round, 0, () => assert.fail(), stop.signal);
  await assert.rejects(work, InterruptedError);
  assert.equal(steps, 2);
});

/** What a training begins from: drawn parameters, and moments that are none of them zero. */
function stateOf(model: Model): Map<string, NamedTensor> {
  const parameters = parametersOf(model);
  parameters.initialise(1);
  const random = new Random('moments');
  return new Map(
    [...parameters.tensors()].flatMap(([name, { shape, data }]) => {
      const drawn = (): NamedTensor => ({ shape, data: data.map(() => 1e-4 * random.float()) });
      return [
        [name, { shape, data }],
        [`${name} / first moment`, drawn()],
        [`${name} / second moment`, drawn()],
      ] as const;
    }),
  );
}

for (const { name, ...entry } of everyPreset)
  test(`a worker holds the rows that its batches read, and no others; from a file too, to the same bits: ${name}`, async () => {
    const { model, dataset } = tinyModel(entry);
    const trained = { dataset, model, options: { ...OPTIONS, optimizer: 'lazyAdam' as const, weightDecay: 0.01 } };
    const tensors = stateOf(model);
    const asked = new Map<string, number>();
    const counting = (start: RoundStart): RoundStart => ({
      whole: async (name) => {
        assert.ok(
          !parametersOf(model).descriptions.some(({ name: own, table }) => table && name.startsWith(own)),
          name,
        );
        return start.whole(name);
      },
      rows: async (name, rows) => {
        assert.deepEqual(rows, rows.toSorted());
        asked.set(name, rows.length);
        return start.rows(name, rows);
      },
    });
    const folder = await mkdtemp(join(tmpdir(), 'sesrec-rounds-'));
    try {
      const path = join(folder, 'state.safetensors');
      await writeFile(path, encodeSafetensors(tensors, { state: 'this one' }));
      await using file = await TensorFile.open(path);
      assert.equal(file.metadata['state'], 'this one');
      const round: Round = { epoch: 0, learningRate: 0.01, optimizerSteps: 3, reached: {}, shares: [[0, 1]] };
      const said = async (start: RoundStart): Promise<string[]> => {
        const lines: string[] = [];
        await workShare(
          trained,
          new Workbench(trained, runtime, { wholeUpTo: 0 }),
          start,
          round,
          0,
          (line) => void lines.push(line),
        );
        return lines;
      };
      const lines = await said(counting(startFrom(tensors)));
      assert.deepEqual(await said(file), lines);
      // the same step with all rows at hand
      const parameters = parametersOf(model);
      const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'lazyAdam', weightDecay: 0.01 }));
      const all = new Map([...parameters.tensors(), ...stepper.momentTensors()]);
      for (const [name, { data }] of all) data.set((tensors.get(name) as NamedTensor).data);
      stepper.steps = 3;
      const epoch = new Epoch(new TrainingRows(dataset, model, trained.options, {}), 0);
      for await (const _ of epoch.take(stepper, [0, 1], 0.01));
      assert.deepEqual(lines, [...movedBlocks(parameters.descriptions, tensors, all, { worker: 0 })]);
      assert.ok(
        [...asked].some(([name, held]) => held < (tensors.get(name)?.shape[0] ?? 0)),
        JSON.stringify([...asked]),
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });

test('tables of 10^9 rows, 96 GB with their moments, take the room of the rows that batches read', async () => {
  const { model: small, dataset } = tinyModel({ id: 'sesrec', preset: 'official' });
  const sizes = { ...small.config.sizes, items: 1e9, users: 1e9 };
  const model = buildModel('sesrec', { ...small.config, sizes });
  const shapes = new Map(descriptionsOf(model).map(({ name, shape }) => [name, shape]));
  const bytes = [...shapes.values()].reduce((total, shape) => total + 12 * shape.reduce((a, b) => a * b, 1), 0);
  assert.ok(bytes > 90e9, `${bytes} bytes`);
  // values that a row and a column tell, wherever they lie
  const start: RoundStart = {
    whole: async (name) => {
      const shape = shapes.get(name.replace(/ \/ .*/, '')) as readonly number[];
      assert.ok(
        shape.every((size) => size < 1e6),
        `all of ${name}`,
      );
      return new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(1e-3);
    },
    rows: async (name, rows) => {
      const width = shapes.get(name.replace(/ \/ .*/, ''))?.[1] as number;
      return Float32Array.from(
        { length: rows.length * width },
        (_, place) => 1e-3 * ((at(rows, Math.floor(place / width)) + place) % 7),
      );
    },
  };
  const trained = { dataset, model, options: { ...OPTIONS, optimizer: 'lazyAdam' as const, weightDecay: 0.01 } };
  const round: Round = { epoch: 0, learningRate: 0.01, optimizerSteps: 0, reached: {}, shares: [[0, 4]] };
  const before = process.memoryUsage().rss;
  let lines = 0;
  const { steps } = await workShare(trained, new Workbench(trained, runtime), start, round, 0, () => void lines++);
  assert.deepEqual([steps, lines > 10], [4, true]);
  assert.ok(process.memoryUsage().rss - before < 500e6, `${process.memoryUsage().rss - before} bytes more`);
});
