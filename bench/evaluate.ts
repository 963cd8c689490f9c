/**
 * How many users a second an evaluation ranks, under both protocols, with each number of threads: medians over a sample of
 * users, all of them ranked once more for the whole. Knows what to measure; judges nothing. Usage, on a quiet machine:
 *
 *   npm run bench -- evaluate DATA_OR_RUN [--threads 1,2] [--users 1024] [--repeats 5] [--json]
 *
 * DATA: parameters at their start, at the published Amazon shape (--preset official). RUN: its data and best parameters.
 * The first evaluation of each kind compiles its programs and is told apart. The last line is one JSON object; with --json
 * it is all that is printed.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { type Dataset, FIRST_INDEX, loadDataset } from '../src/data/index.js';
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
import { choiceOption, conditions, conditionsLine, median, runBench, sayUnless, wholeOption } from './harness.js';

interface Subject {
  readonly what: string;
  readonly dataset: Dataset;
  readonly config: SesrecConfig;
  readonly parameters: Parameters;
}

async function subjectOf(directory: string, preset: SesrecPreset): Promise<Subject> {
  if (existsSync(join(directory, 'run.json'))) {
    const { dataset, manifest, parameters } = await loadRun(directory);
    return { what: `${manifest.preset}, trained`, dataset, config: manifest.config as SesrecConfig, parameters };
  }
  const dataset = await loadDataset(directory);
  const config: SesrecConfig = {
    ...sesrecPresets[preset],
    ...sesrecShapes.amazon,
    itemAttributes: [],
    userAttributes: [],
    sizes: vocabularySizes(dataset),
  };
  const parameters = sesrecParameters(config);
  parameters.initialise(1);
  return { what: `${preset}, untrained`, dataset, config, parameters };
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

await runBench('evaluate', async () => {
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
  const [directory] = positionals;
  if (directory === undefined || positionals.length > 1)
    throw new UsageError('give one data or run directory: npm run bench -- evaluate DATA_OR_RUN');
  const threadCounts = values.threads.split(',').map((text) => wholeOption('threads', text, 1));
  const repeats = wholeOption('repeats', values.repeats, 1);
  const sample = { users: wholeOption('users', values.users, 1), repeats };
  const preset = choiceOption('preset', values.preset, Object.keys(sesrecPresets) as SesrecPreset[]);
  const say = sayUnless(values.json);
  const subject = await subjectOf(directory, preset);
  const items = subject.dataset.items.ids.length - FIRST_INDEX;
  const machine = conditions();
  say(conditionsLine(machine));
  say(`SESRec ${subject.what}, ${items.toLocaleString('en-US')} items; validation`);
  const lines: Line[] = [];
  for (const protocol of ['sampled', 'full'] as const)
    for (const threads of threadCounts) lines.push(await measure(subject, protocol, threads, sample));
  const seconds = (value: number): string => `${value.toFixed(2)} s`;
  say(
    textTable([
      ['protocol', 'threads', 'sample', 'first', 'median', 'users/s', 'all', 'seconds', 'users/s', 'processor s'],
      ...lines.map(({ protocol, threads, sample: some, all, processorSeconds }) => [
        protocol,
        `${threads}`,
        `${some.users}`,
        seconds(some.firstSeconds),
        seconds(some.seconds),
        (some.users / some.seconds).toFixed(0),
        `${all.users}`,
        seconds(all.seconds),
        all.usersPerSecond.toFixed(0),
        processorSeconds.toFixed(1),
      ]),
    ]),
  );
  return { bench: 'evaluate', model: subject.what, items, machine, repeats, results: lines };
});
