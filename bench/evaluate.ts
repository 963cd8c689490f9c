/**
 * How many users a second an evaluation ranks, under both protocols, with each number of threads: medians over a sample of
 * users, all of them ranked once more for the whole. Knows what to measure; judges nothing. Usage, on a quiet machine:
 *
 *   npm run build && node dist/bench/evaluate.js DATA_OR_RUN [--threads 1,2] [--users 1024] [--repeats 5] [--json]
 *
 * DATA: parameters at their start, at the published Amazon shape (--preset official). RUN: its data and best parameters.
 * The first evaluation of each kind compiles its programs and is told apart. The last line is one JSON object; with --json
 * it is all that is printed.
 */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../src/base/index.js';
import { type Dataset, loadDataset } from '../src/data/index.js';
import { type ProtocolName, drawCandidates, evaluate } from '../src/evaluate/index.js';
import {
  type Parameters,
  type SesrecConfig,
  type SesrecPreset,
  SesrecRanker,
  loadRun,
  sesrecParameters,
  sesrecPresets,
  sesrecShapes,
  vocabularySizes,
} from '../src/model/index.js';
import { Runtime } from '../src/tensor/index.js';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: '1,2' },
    users: { type: 'string', default: '1024' },
    repeats: { type: 'string', default: '5' },
    preset: { type: 'string', default: 'official' },
    json: { type: 'boolean', default: false },
  },
});

interface Subject {
  readonly what: string;
  readonly dataset: Dataset;
  readonly config: SesrecConfig;
  readonly parameters: Parameters;
}

async function subjectOf(directory: string): Promise<Subject> {
  if (existsSync(join(directory, 'run.json'))) {
    const { dataset, manifest, parameters } = await loadRun(directory);
    return { what: `${manifest.preset}, trained`, dataset, config: manifest.config, parameters };
  }
  if (!(values.preset in sesrecPresets)) throw new UserError(`there is no preset ${values.preset}`);
  const dataset = await loadDataset(directory);
  const config: SesrecConfig = {
    ...sesrecPresets[values.preset as SesrecPreset],
    ...sesrecShapes.amazon.shape,
    itemAttributes: [],
    userAttributes: [],
    sizes: vocabularySizes(dataset),
  };
  const parameters = sesrecParameters(config);
  parameters.initialise(1);
  return { what: `${values.preset}, untrained`, dataset, config, parameters };
}

interface Line {
  readonly protocol: ProtocolName;
  readonly threads: number;
  /** Of the sample; the first evaluation includes compiling, the median is over those after it. */
  readonly sample: { readonly users: number; readonly firstSeconds: number; readonly seconds: number };
  /** One pass over everybody. */
  readonly all: { readonly users: number; readonly seconds: number; readonly usersPerSecond: number };
  /** Processor time of that pass, of all threads. */
  readonly processorSeconds: number;
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
const out = (text: string): void => {
  if (!values.json) process.stdout.write(`${text}\n`);
};

async function measure(
  { dataset, config, parameters }: Subject,
  protocol: ProtocolName,
  threads: number,
  { users, repeats }: { users: number; repeats: number },
): Promise<Line> {
  const runtime = new Runtime({ threads });
  try {
    const ranker = new SesrecRanker(config, parameters, dataset, runtime);
    const candidates = drawCandidates(dataset);
    const timed = async (sample?: number): Promise<{ users: number; seconds: number }> => {
      const start = performance.now();
      const evaluation = await evaluate(ranker, dataset, {
        on: 'validation',
        protocol,
        candidates,
        ...(sample === undefined ? {} : { users: sample }),
      });
      return { users: evaluation.users, seconds: (performance.now() - start) / 1000 };
    };
    const first = await timed(users);
    const times: number[] = [];
    for (let repeat = 0; repeat < repeats; repeat++) times.push((await timed(users)).seconds);
    const before = process.cpuUsage();
    const all = await timed();
    const { user, system } = process.cpuUsage(before);
    return {
      protocol,
      threads,
      sample: { users: first.users, firstSeconds: first.seconds, seconds: median(times) },
      all: { ...all, usersPerSecond: all.users / all.seconds },
      processorSeconds: (user + system) / 1e6,
    };
  } finally {
    await runtime.dispose();
  }
}

const subject = await subjectOf(positionals[0] ?? 'data/beauty');
const items = subject.dataset.items.ids.length - 2;
const machine = `${cpus()[0]?.model.trim()}, ${cpus().length} cores, Node ${process.version}`;
out(`SESRec ${subject.what}, ${items.toLocaleString('en-US')} items; ${machine}; validation`);
out('protocol  threads   sample, first     median   users/s      all   seconds   users/s   processor s');
const lines: Line[] = [];
for (const protocol of ['sampled', 'full'] as const) {
  for (const threads of values.threads.split(',').map(Number)) {
    const line = await measure(subject, protocol, threads, {
      users: Number(values.users),
      repeats: Number(values.repeats),
    });
    lines.push(line);
    const { sample, all, processorSeconds } = line;
    const seconds = (value: number, width: number): string => `${value.toFixed(2)} s`.padStart(width);
    const rate = (value: number): string => value.toFixed(0).padStart(10);
    out(
      `${protocol.padEnd(10)}${String(threads).padStart(7)}${String(sample.users).padStart(7)}${seconds(sample.firstSeconds, 10)}${seconds(sample.seconds, 10)}${rate(sample.users / sample.seconds)}${String(all.users).padStart(9)}${seconds(all.seconds, 10)}${rate(all.usersPerSecond)}${processorSeconds.toFixed(1).padStart(14)}`,
    );
  }
}
process.stdout.write(
  `${JSON.stringify({ bench: 'evaluate', model: subject.what, items, machine, repeats: Number(values.repeats), results: lines })}\n`,
);
