/**
 * Who runs a training step in a bench: our own Stepper, and the PyTorch peers of bench/peers on the very same batches. Knows
 * how each is run and how batches are handed over; does not know what is compared or shown.
 */
import { spawn } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Random, UserError, at } from '../src/base/index.js';
import { catalogueOf } from '../src/features/index.js';
import {
  type NamedTensor,
  type Parameters,
  type SesrecConfig,
  safetensorsParts,
  sesrecModel,
} from '../src/model/index.js';
import { Runtime } from '../src/tensor/index.js';
import { type OptimizerName, type StepBatch, Stepper, checkGradients, createOptimizer } from '../src/train/index.js';
import { StepMaker, type Workload } from './workload.js';

const LEARNING_RATE = 1e-3;

/** Milliseconds of a step, by batch: `times[batch]` has one entry per round. */
export type BatchTimes = readonly (readonly number[])[];

/** A step from one update to the next, and its parts; making the next batch overlaps with the graphs. */
export interface StepTimes {
  readonly total: BatchTimes;
  /** The next batch: negatives, windows, packing, dropout masks, the order of sums. */
  readonly assemble: BatchTimes;
  /** The graphs, by the clock of their threads. */
  readonly graph: BatchTimes;
  readonly check: BatchTimes;
  readonly update: BatchTimes;
  /** Processor time of a timed step, all threads together, in the mean: what it costs when others want the cores too. */
  readonly processor: number;
}

export interface OurRun {
  readonly workload: Workload;
  readonly config: SesrecConfig;
  readonly parameters: Parameters;
  readonly optimizer: OptimizerName;
  readonly threads: number;
  readonly batches: readonly Int32Array[];
  /** How often all batches are gone through and timed, after a first round in which programs are compiled. */
  readonly rounds: number;
}

/** Runs our step again and again as a training does: the next batch is made ready while the graphs of this one work. */
export async function runOurs(run: OurRun): Promise<StepTimes> {
  const { workload, config, parameters, optimizer, threads, batches, rounds } = run;
  const runtime = new Runtime({ threads });
  try {
    const rule = createOptimizer({ kind: optimizer, weightDecay: workload.weightDecay });
    const stepper = new Stepper(sesrecModel(config), parameters, runtime, rule);
    const maker = new StepMaker(workload, config, batches);
    const byBatch = (): number[][] => batches.map(() => []);
    const times = { total: byBatch(), assemble: byBatch(), graph: byBatch(), check: byBatch(), update: byBatch() };
    let begun = process.cpuUsage();
    const steps = (rounds + 1) * batches.length;
    const randomOf = (step: number): Random => new Random(1, 'dropout', step);
    let next: StepBatch = maker.batch(0);
    for (let step = 0; step < steps; step++) {
      const place = step % batches.length;
      if (step === batches.length) begun = process.cpuUsage();
      const start = performance.now();
      const pending = stepper.gradients(next, randomOf(step));
      await nextTurn(); // as in fit: the next batch is made while the graphs work
      const sent = performance.now();
      next = maker.batch((step + 1) % batches.length);
      stepper.prepare(next, randomOf(step + 1));
      const assembled = performance.now();
      const gradients = await pending;
      const computed = performance.now();
      checkGradients(gradients);
      const checked = performance.now();
      stepper.update(gradients, LEARNING_RATE);
      const end = performance.now();
      if (step < batches.length) continue;
      times.assemble[place]?.push(assembled - sent);
      times.graph[place]?.push(gradients.milliseconds);
      times.check[place]?.push(checked - computed);
      times.update[place]?.push(end - checked);
      times.total[place]?.push(end - start);
    }
    const { user, system } = process.cpuUsage(begun);
    return { ...times, processor: (user + system) / 1000 / (rounds * batches.length) };
  } finally {
    await runtime.dispose();
  }
}

/** Writes what the peers read: settings.json and batches.safetensors (bench/peers/batches.py). */
export async function writeBatches(
  directory: string,
  workload: Workload,
  config: SesrecConfig,
  batches: readonly Int32Array[],
): Promise<void> {
  const { window, sizes } = config;
  const { dataset } = workload;
  const attributes = (configs: SesrecConfig['itemAttributes']) => configs.map(({ size, width }) => [size, width]);
  await writeFile(
    join(directory, 'settings.json'),
    JSON.stringify({
      ...sizes,
      item_attributes: attributes(config.itemAttributes),
      user_attributes: attributes(config.userAttributes),
      width: config.width,
      item_width: config.itemIdWidth,
      query_width: config.queryIdWidth,
      word_width: config.wordWidth,
      user_width: config.userIdWidth,
      feed_window: window.feed,
      search_window: window.search,
      heads: config.heads,
      hidden: config.hidden,
      temperature: config.temperature,
      margin: config.margin,
      alpha: config.alpha,
      beta: config.beta,
      dropout: config.dropout,
      mask_co_attention: config.maskCoAttention,
      learning_rate: LEARNING_RATE,
      weight_decay: workload.weightDecay,
    }),
  );
  const tensors = new Map<string, NamedTensor>();
  const put = (name: string, values: Int32Array, ...shape: number[]): void =>
    void tensors.set(name, { shape, data: Float32Array.from(values) }); // whole numbers below 2^24 are exact
  const words = new Int32Array(sizes.queries * window.words);
  for (let query = 0; query < sizes.queries; query++) {
    const [start, end] = [at(dataset.wordOffsets, query), at(dataset.wordOffsets, query + 1)];
    words.set(dataset.queryWords.subarray(start, Math.min(end, start + window.words)), query * window.words);
  }
  const { queryRow } = catalogueOf(dataset);
  put('query_row', queryRow, sizes.queries);
  put('query_words', words, sizes.queries, window.words);
  for (const [owner, known] of [
    ['item', dataset.itemAttributes],
    ['user', dataset.userAttributes],
  ] as const)
    [...known.values()].forEach(({ index }, i) => put(`${owner}_attribute ${i}`, index, index.length));
  const maker = new StepMaker(workload, config, batches);
  for (let step = 0; step < batches.length; step++) {
    const { rows, candidates, negatives } = maker.content(step);
    const { count } = rows;
    put(`step ${step} users`, rows.users, count);
    put(`step ${step} feed`, rows.feed, count, window.feed);
    put(`step ${step} search`, rows.search, count, window.search);
    put(`step ${step} source`, rows.source, count, window.search);
    put(`step ${step} clicks`, rows.clicks, count, window.search, window.clicks);
    put(`step ${step} candidates`, candidates, count, candidates.length / count);
    put(`step ${step} negative_items`, negatives.items, negatives.items.length);
    put(`step ${step} negative_queries`, negatives.queries, negatives.queries.length);
  }
  await writeFile(join(directory, 'batches.safetensors'), safetensorsParts(tensors));
}

export const PEERS = ['eager', 'best'] as const;
export type PeerName = (typeof PEERS)[number];

export interface PeerRun {
  readonly python: string;
  readonly variant: PeerName;
  readonly compiled: boolean;
  readonly threads: number;
  /** Rounds are gone through until so many seconds have passed; `best`, whose batches differ in length, ends its first. */
  readonly seconds: number;
}

export interface PeerTimes {
  readonly total: BatchTimes;
  readonly processor: number;
  /** The loss of every timed step. */
  readonly losses: readonly number[];
  readonly torch: string;
}

/** Runs a peer on the batches of a directory. */
export async function runPeer(directory: string, run: PeerRun): Promise<PeerTimes> {
  // compiled: dist/bench; the peers lie in bench, which is not copied
  const script = fileURLToPath(new URL('../../bench/peers/time_steps.py', import.meta.url));
  const options = { variant: run.variant, threads: run.threads, seconds: run.seconds };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  if (run.compiled) args.push('--compiled');
  const chunks: Buffer[] = [];
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(run.python, [script, directory, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', reject).on('close', resolve);
  }).catch((error: Error) => {
    throw new UserError(`--peer ${run.python} cannot be run: ${error.message}`, { cause: error });
  });
  if (code !== 0)
    throw new UserError(`the peer ${run.variant} failed (its lines are above): see bench/peers/README.md`);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as PeerTimes;
}
