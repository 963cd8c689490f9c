/**
 * What does SESRec gain from searches that tell more and more? Simulates sites that differ in the search signal only,
 * trains SESRec and its search-blind twin on each, and compares them user by user on the test events.
 *
 *   node dist/bench/search-signal.js [--signals 0,0.25,…] [--seeds 1,2,3] [--users N] [--items N] [--epochs N] [--out DIR]
 *
 * The seed seeds the site and the training. Every (signal, seed) is written to DIR when it is done and not done again:
 * the bench can be stopped and goes on. At the end a table, a figure (DIR/search-signal.svg) and one JSON line.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Evaluation, type ProtocolName, compare, evaluate, studentInterval } from '../src/evaluate/index.js';
import { Runtime, importEvents, loadRun, rankerOf } from '../src/index.js';
import { SIMULATOR_VERSION, simulate } from '../src/simulate/index.js';
import { type SignalPoint, signalFigure } from './search-signal-figure.js';

const { values: flags } = parseArgs({
  options: {
    signals: { type: 'string', default: '0,0.25,0.5,0.75,1' },
    seeds: { type: 'string', default: '1,2,3' },
    users: { type: 'string', default: '1000' },
    items: { type: 'string', default: '400' },
    epochs: { type: 'string', default: '14' },
    threads: { type: 'string', default: '1' },
    out: { type: 'string', default: 'runs/search-signal' },
  },
});
const print = (text: string): void => void process.stdout.write(`${text}\n`);
const numbers = (list: string): number[] => list.split(',').map(Number);
const PROTOCOLS: readonly ProtocolName[] = ['sampled', 'full'];
/**
 * Settings chosen on validation. The feed window is about as long as mute searches look back: with a shorter one a search about
 * an event beyond it would tell the model of what its twin cannot see, at any signal (LOG.md, 2026-11-24).
 */
const TRAINING = `--preset official --patience 4 --batch-size 128 --learning-rate 0.003 --item-attributes category,brand
  --set negativeSampling=uniform --set alignmentNegatives=128 --set window={"feed":30,"search":5}`.split(/\s+/);

/** NDCG@10 of one model on one site, and the difference between the two, over users. */
interface Measured {
  readonly users: number;
  readonly aware: number;
  readonly blind: number;
  /** Mean over users of the difference, and the standard error of that mean. */
  readonly gain: number;
  readonly error: number;
}
type Result = Readonly<Record<ProtocolName, Measured>>;

async function sesrec(...args: readonly string[]): Promise<void> {
  const program = fileURLToPath(new URL('../../bin/sesrec.js', import.meta.url));
  const code = await new Promise((resolve, reject) =>
    spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'inherit'] })
      .on('error', reject)
      .on('close', resolve),
  );
  if (code !== 0) throw new Error(`sesrec ${args.join(' ')} failed`);
}

/** The evaluations of a run on test, each protocol once. */
async function testFigures(directory: string, runtime: Runtime): Promise<Record<ProtocolName, Evaluation>> {
  const { model, parameters, dataset } = await loadRun(directory);
  const ranker = rankerOf(model, parameters, dataset, runtime);
  const [sampled, full] = [
    await evaluate(ranker, dataset, { on: 'test', protocol: 'sampled' }),
    await evaluate(ranker, dataset, { on: 'test', protocol: 'full' }),
  ];
  return { sampled, full };
}

function measured(aware: Evaluation, blind: Evaluation): Measured {
  const { difference, error } = compare(aware, blind)['ndcg@10'];
  return {
    users: aware.users,
    aware: aware.metrics['ndcg@10'],
    blind: blind.metrics['ndcg@10'],
    gain: difference,
    error,
  };
}

async function measure(searchSignal: number, seed: number, place: string): Promise<Result> {
  const log = `${place}.jsonl`;
  const site = simulate({ users: Number(flags.users), items: Number(flags.items), seed, searchSignal });
  await writeFile(log, site.log.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await importEvents({ files: [log], out: `${place}-data`, overwrite: true });
  const common = [
    '--epochs',
    flags.epochs,
    '--seed',
    String(seed),
    '--threads',
    flags.threads,
    '--overwrite',
    ...TRAINING,
  ];
  await sesrec('train', `${place}-data`, '--out', `${place}-aware`, ...common);
  await sesrec('train', `${place}-data`, '--out', `${place}-blind`, '--set', 'useSearch=false', ...common);
  const runtime = new Runtime({ threads: Number(flags.threads) });
  try {
    const [aware, blind] = [await testFigures(`${place}-aware`, runtime), await testFigures(`${place}-blind`, runtime)];
    return { sampled: measured(aware.sampled, blind.sampled), full: measured(aware.full, blind.full) };
  } finally {
    await runtime.dispose();
    await rm(log);
  }
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** What several seeds say of one signal: their mean, and its 95 % interval over seeds and over users. */
function summarise(results: readonly Measured[], signal: number): SignalPoint {
  const gains = results.map(({ gain }) => gain);
  const { mean: gain, halfWidth: overSeeds } = studentInterval(gains);
  return {
    signal,
    aware: mean(results.map(({ aware }) => aware)),
    blind: mean(results.map(({ blind }) => blind)),
    gains,
    gain,
    overSeeds,
    overUsers: (1.96 * Math.sqrt(results.reduce((sum, { error }) => sum + error ** 2, 0))) / results.length,
  };
}

const { users, items, epochs } = flags;
const settings = { simulator: SIMULATOR_VERSION, users, items, epochs, training: TRAINING };
await mkdir(flags.out, { recursive: true });
const points: Record<ProtocolName, SignalPoint[]> = { sampled: [], full: [] };
for (const signal of numbers(flags.signals)) {
  const results: Result[] = [];
  for (const seed of numbers(flags.seeds)) {
    const place = join(flags.out, `signal-${signal}-seed-${seed}`);
    if (!existsSync(`${place}.json`)) {
      const start = performance.now();
      const result = await measure(signal, seed, place);
      const seconds = (performance.now() - start) / 1000;
      await writeFile(`${place}.json`, JSON.stringify({ settings, ...result, seconds }));
    }
    const known = JSON.parse(await readFile(`${place}.json`, 'utf8')) as Result & { settings: unknown };
    if (JSON.stringify(known.settings) !== JSON.stringify(settings))
      throw new Error(`${place}.json was measured with other settings: choose another --out`);
    results.push(known);
  }
  for (const protocol of PROTOCOLS)
    points[protocol].push(
      summarise(
        results.map((result) => result[protocol]),
        signal,
      ),
    );
}

for (const protocol of PROTOCOLS) {
  print(
    `\nNDCG@10 on test, ${protocol}; mean over seeds ${flags.seeds}; gain with 95 % intervals over seeds and over users`,
  );
  for (const { signal, aware, blind, gain, gains, overSeeds, overUsers } of points[protocol]) {
    const each = gains.map((value) => value.toFixed(4)).join(' ');
    print(
      `signal ${signal}  sesrec ${aware.toFixed(4)}  blind twin ${blind.toFixed(4)}  gain ${gain.toFixed(4)} ±${overSeeds.toFixed(4)} (seeds) ±${overUsers.toFixed(4)} (users)  [${each}]`,
    );
  }
}
await writeFile(join(flags.out, 'search-signal.svg'), signalFigure(points, numbers(flags.seeds).length));
print(JSON.stringify({ bench: 'search-signal', flags, training: TRAINING, points }));
