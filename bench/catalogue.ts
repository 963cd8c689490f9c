/**
 * The same training step over ever more items: Amazon widths, and in every step as many distinct items, whatever the
 * catalogue. Knows how to make such batches and where the time goes; judges nothing beyond the ratio. Usage, on a quiet
 * machine with 6 GB to spare:
 *
 *   npm run bench -- catalogue [--items 1e4,1e6,1e7] [--optimizers lazyAdam,adamCatchUp] [--steps 30] [--threads 2] [--aged 1000] [--json]
 *
 * Rows of a large catalogue are met for the first time in every step. `aged`: as many steps went before, so that such a row
 * has them all to catch up with; measured beside the early steps, and the worst case: all 4096 items are drawn uniformly.
 * Each size and update rule runs in a process of its own, in rounds, so that memory is free between them. Medians in
 * milliseconds. The last line is one JSON object; with --json there is nothing else.
 */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random, range } from '../src/base/index.js';
import { type Batch, BatchAssembler, type Catalogue, type Rows, type TrainingPart } from '../src/features/index.js';
import {
  type SesrecConfig,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
  publishedShapes,
  sesrecModel,
} from '../src/model/index.js';
import { Runtime } from '../src/tensor/index.js';
import { OPTIMIZERS, type OptimizerName, Stepper, checkGradients, createOptimizer } from '../src/train/index.js';
import { choiceOption, conditions, conditionsLine, median, runBench, sayUnless, wholeOption } from './harness.js';

const BATCH = 256;
/** Distinct items of every step. */
const DISTINCT = 4096;
const WARM_UP = 8;
/** Of Amazon Kindle: everything but the items. */
const OTHERS = { users: 68_223, queries: 4298, words: 1846, sources: 1 } as const;
/** Most steps between two readings of a row that are measured by themselves. */
const MISSED = [1, 10, 100, 1000, 10_000] as const;

interface Measurement {
  readonly optimizer: string;
  /** Steps that went before. */
  readonly aged: number;
  readonly items: number;
  /** Sampling aside: numbering the distinct items and making graph inputs. Overlaps the graph in training. */
  readonly assemble: number;
  /** Dropout masks, the order of sums, catching up. Overlaps the graph in training. */
  readonly prepare: number;
  readonly graph: number;
  /** Gathering rows, handing over, sums, checks and the update: the graph waits for these. */
  readonly outside: number;
  readonly step: number;
  /** Once an epoch: shuffling the items for the alignment's negatives. */
  readonly shuffle: number;
  /** Once a validation: all rows made level, after these steps; null after many. */
  readonly level: number | null;
  readonly peakMegabytes: number;
}

const timed = (work: () => void): number => {
  const start = performance.now();
  work();
  return performance.now() - start;
};

function configFor(items: number): SesrecConfig {
  return {
    ...sesrecPresets.official,
    ...sesrecShapes.amazon,
    itemAttributes: [],
    userAttributes: [],
    sizes: { items, ...OTHERS },
  };
}

function catalogueFor({ sizes, window }: SesrecConfig): Catalogue {
  return {
    items: sizes.items,
    trainedItems: sizes.items,
    queries: sizes.queries,
    words: sizes.words,
    itemAttributes: {},
    userAttributes: {},
    userRow: range(sizes.users),
    queryRow: range(sizes.queries),
    wordOffsets: range(sizes.queries + 1).map((query) => 3 * query),
    queryWords: Int32Array.from({ length: 3 * sizes.queries + window.words }, (_, i) => 1 + (i % (sizes.words - 1))),
  };
}

/** A step's content: the same for every catalogue but for the names of its items, of which there are always `DISTINCT`. */
function contentOf({ sizes, window, negatives, alignmentNegatives }: SesrecConfig, step: number) {
  const random = new Random('catalogue bench', step);
  const names = new Set<number>();
  const namer = new Random('items', sizes.items, step);
  while (names.size < DISTINCT) names.add(1 + namer.integer(sizes.items - 1));
  const named = Int32Array.from(names);
  let used = 0;
  /** Every item once, then any of them. */
  const item = (): number => named[used < DISTINCT ? used++ : random.integer(DISTINCT)] as number;
  const query = (): number => 1 + random.integer(sizes.queries - 1);
  const fill = (length: number, draw: () => number): Int32Array => Int32Array.from({ length }, draw);
  const rows: Rows = {
    count: BATCH,
    extent: { feed: window.feed, search: window.search },
    users: fill(BATCH, () => random.integer(sizes.users)),
    feed: fill(BATCH * window.feed, item),
    search: fill(BATCH * window.search, query),
    source: new Int32Array(BATCH * window.search),
    clicks: fill(BATCH * window.search * window.clicks, item),
  };
  const training: TrainingPart = {
    candidates: fill(BATCH * (1 + negatives), item),
    negatives: { items: fill(alignmentNegatives, item), queries: fill(alignmentNegatives, query) },
    pairReduction: 'pairs',
  };
  return { rows, training };
}

interface Options {
  readonly steps: number;
  readonly threads: number;
}

async function measure(
  { optimizer, aged }: Pick<Kind, 'optimizer' | 'aged'>,
  items: number,
  { steps, threads }: Options,
): Promise<Measurement> {
  const config = configFor(items);
  const runtime = new Runtime({ threads });
  const parameters = sesrecParameters(config);
  const start = configFor(1000);
  const small = sesrecParameters(start);
  small.initialise(1);
  for (const { name } of parameters.descriptions) {
    // drawing 320 million normal numbers would take longer than the bench: a start is repeated
    const [whole, part] = [parameters.get(name), small.get(name)];
    for (let from = 0; from < whole.length; from += part.length)
      whole.set(part.subarray(0, Math.min(part.length, whole.length - from)), from);
  }
  const { weightDecay } = publishedShapes.amazon;
  const stepper = new Stepper(
    sesrecModel(config),
    parameters,
    runtime,
    createOptimizer({ kind: optimizer, weightDecay }),
  );
  for (const { data } of stepper.momentTensors().values()) data.fill(0); // every page is there, as it is after an epoch
  const nothing = { rows: new Int32Array(), values: new Float32Array() };
  const tables = parameters.descriptions.filter(({ table }) => table).map(({ name }) => [name, nothing] as const);
  for (let step = 0; step < aged; step++) stepper.update({ dense: new Map(), rows: new Map(tables) }, 1e-3);
  const assembler = new BatchAssembler(catalogueFor(config), config.window);
  const times = { assemble: [] as number[], prepare: [] as number[], graph: [] as number[], outside: [] as number[] };
  for (let step = 0; step < WARM_UP + steps; step++) {
    const { rows, training } = contentOf(config, step);
    let batch: [Batch] | undefined;
    const assemble = timed(() => void (batch = [assembler.assemble(rows, training)]));
    const prepare = timed(() => stepper.prepare(batch as [Batch], new Random('dropout', step)));
    const began = performance.now();
    const result = await stepper.gradients(batch as [Batch], new Random('dropout', step));
    checkGradients(result);
    stepper.update(result, 1e-3);
    const all = performance.now() - began;
    if (step < WARM_UP) continue; // the program is compiled, code becomes fast
    times.assemble.push(assemble);
    times.prepare.push(prepare);
    times.graph.push(result.milliseconds);
    times.outside.push(all - result.milliseconds);
  }
  const level = aged > 0 ? null : timed(() => stepper.level()); // minutes at 10^7: see what 1000 rows take
  const shuffle = timed(() => void new Random('shuffle').shuffle(range(items)));
  await runtime.dispose();
  const { assemble, prepare, graph, outside } = times;
  return {
    optimizer,
    aged,
    items,
    assemble: median(assemble),
    prepare: median(prepare),
    graph: median(graph),
    outside: median(outside),
    step: median(graph.map((time, i) => time + (outside[i] ?? 0) + (assemble[i] ?? 0) + (prepare[i] ?? 0))),
    shuffle,
    level,
    peakMegabytes: process.resourceUsage().maxRSS / 1000,
  };
}

/** Milliseconds to catch up with 1000 rows that missed some steps: rows with their first values, and rows touched once. */
function catchingUp(): { missed: number; untouched: number; touchedOnce: number }[] {
  const [width, count] = [32, 1000];
  const { weightDecay } = publishedShapes.amazon;
  const all = range(2 * count + 1);
  return MISSED.map((missed) => {
    const optimizer = createOptimizer({ kind: 'adamCatchUp', weightDecay });
    const random = new Random('catching up');
    const normal = (length: number, scale: number): Float32Array =>
      Float32Array.from({ length }, () => scale * random.normal());
    const slot = {
      values: normal(all.length * width, 0.0057),
      first: new Float32Array(all.length * width),
      second: new Float32Array(all.length * width),
    };
    const once = { rows: all.subarray(count + 1), values: normal(count * width, 1e-4) };
    optimizer.updateRows(slot, width, once, { learningRate: 1e-3, step: 1 });
    for (let step = 2; step <= 1 + missed; step++)
      optimizer.updateRows(
        slot,
        width,
        { rows: all.subarray(0, 1), values: new Float32Array(width) },
        { learningRate: 1e-3, step },
      );
    return {
      missed,
      untouched: timed(() => void optimizer.catchUp(slot, all.subarray(1, count + 1))),
      touchedOnce: timed(() => void optimizer.catchUp(slot, once.rows)),
    };
  });
}

const argumentsOf = (options: Readonly<Record<string, string>>): string[] => [
  fileURLToPath(import.meta.url),
  '--one',
  ...Object.entries(options).map(([name, value]) => `--${name}=${value}`),
];
/** Early steps of each rule, and late ones where these are other work. */
interface Kind {
  readonly name: string;
  readonly optimizer: OptimizerName;
  readonly aged: number;
}

await runBench('catalogue', async () => {
  const { values } = parseArgs({
    options: {
      items: { type: 'string', default: '1e4,1e6,1e7' },
      optimizers: { type: 'string', default: 'lazyAdam,adamCatchUp' },
      steps: { type: 'string', default: '30' },
      rounds: { type: 'string', default: '1' },
      threads: { type: 'string', default: String(cpus().length) },
      json: { type: 'boolean', default: false },
      aged: { type: 'string', default: '1000' },
      one: { type: 'boolean', default: false },
    },
  });
  const sizes = values.items.split(',').map((text) => wholeOption('items', text, DISTINCT + 1));
  const optimizers = values.optimizers.split(',').map((text) => choiceOption('optimizers', text, OPTIMIZERS));
  const [steps, rounds] = [wholeOption('steps', values.steps, 1), wholeOption('rounds', values.rounds, 1)];
  const [threads, aged] = [wholeOption('threads', values.threads, 1), wholeOption('aged', values.aged, 0)];
  if (values.one) {
    const [optimizer, items] = [optimizers[0] as OptimizerName, sizes[0] as number];
    return { bench: 'catalogue', ...(await measure({ optimizer, aged }, items, { steps, threads })) };
  }
  const say = sayUnless(values.json);
  const machine = conditions();
  say(conditionsLine(machine));
  const kinds = optimizers.flatMap((optimizer): Kind[] => [
    { name: optimizer, optimizer, aged: 0 },
    ...(optimizer === 'adamCatchUp' && aged > 0 ? [{ name: 'late', optimizer, aged }] : []),
  ]);

  const results: Measurement[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) {
      for (const items of sizes) {
        const { stdout, status } = spawnSync(
          process.execPath,
          argumentsOf({
            optimizers: kind.optimizer,
            items: String(items),
            steps: String(steps),
            threads: String(threads),
            aged: String(kind.aged),
          }),
          { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' },
        );
        if (status !== 0) throw new Error(`the measurement of ${kind.name} with ${items} items failed`);
        results.push(JSON.parse(stdout) as Measurement);
      }
    }
  }
  const of = (kind: Kind, items: number, what: Exclude<keyof Measurement, 'optimizer'>): number =>
    median(
      results
        .filter((one) => one.optimizer === kind.optimizer && one.aged === kind.aged && one.items === items)
        .map((one) => one[what] ?? NaN),
    );
  const ratios = Object.fromEntries(
    kinds.map((kind) => {
      const times = sizes.map((items) => of(kind, items, 'step'));
      return [kind.name, Math.max(...times) / Math.min(...times)];
    }),
  );
  // The graph does the same work whatever the catalogue; on a machine with other work its noise hides the rest.
  const graph = median(results.map((one) => one.graph));
  const ratiosOfEqualGraphs = Object.fromEntries(
    kinds.map((kind) => {
      const times = sizes.map((items) => graph + of(kind, items, 'step') - of(kind, items, 'graph'));
      return [kind.name, Math.max(...times) / Math.min(...times)];
    }),
  );
  const missed = catchingUp();
  say(
    `SESRec official, Amazon shape, batch ${BATCH}, ${DISTINCT} distinct items a step, ${threads} thread(s)\nmedian milliseconds of a step, nothing overlapped; at the right once an epoch, once a validation, and peak memory`,
  );
  const line = (cells: readonly string[]): void =>
    say(cells.map((cell, i) => (i === 0 ? cell.padEnd(12) : cell.padStart(10))).join(''));
  line(['', 'items', 'assemble', 'prepare', 'graph', 'outside', 'step', 'shuffle', 'level', 'MB']);
  for (const kind of kinds) {
    for (const items of sizes) {
      const figures = (digits: number, ...what: (keyof Measurement)[]): string[] =>
        what.map((one) =>
          of(kind, items, one as 'step')
            .toFixed(digits)
            .replace('NaN', '-'),
        );
      line([
        kind.name,
        items.toExponential(0),
        ...figures(1, 'assemble', 'prepare', 'graph', 'outside', 'step'),
        ...figures(0, 'shuffle', 'level', 'peakMegabytes'),
      ]);
    }
  }
  if (kinds.some(({ name }) => name === 'late')) say(`late: adamCatchUp after ${aged} steps`);
  for (const [kind, ratio] of Object.entries(ratios))
    say(
      `${kind}: the slowest step takes ${ratio.toFixed(2)} times the fastest (target 1.25); ${ratiosOfEqualGraphs[kind]?.toFixed(2)} were the graph always at its median of ${graph.toFixed(0)} ms`,
    );
  say('milliseconds to catch up with 1000 rows of width 32 (adamCatchUp), by the steps they missed:');
  line(['', ...missed.map((one) => String(one.missed))]);
  line(['untouched', ...missed.map((one) => one.untouched.toFixed(1))]);
  line(['once', ...missed.map((one) => one.touchedOnce.toFixed(1))]);
  const options = { batch: BATCH, distinctItems: DISTINCT, threads, steps, rounds, aged };
  return { bench: 'catalogue', options, machine, results, ratios, ratiosOfEqualGraphs, catchingUp: missed };
});
