/**
 * Time of one training step of SESRec, all included: negatives, assembly, dropout masks, the graph forward and backward, the
 * check that its numbers are finite, the update. Knows what is compared with what; does not know how each is run.
 *
 *   npm run bench -- step [--shape amazon|kuaishou|both] [--threads 1,2] [--steps N] [--rounds N] [--parts N] [--optimizer NAME]
 *                         [--peer PYTHON] [--peer-seconds S] [--peer-plain] [--json]
 *
 * The main line is the masked form at the largest number of threads; `official`, with dense Adam, stands beside it. With
 * --peer, PyTorch runs the same batches in the same run, each with every number of threads: ours, eager, best, ours again, so
 * that a drift of the machine is seen; a peer is compared at its own best. --peer-plain leaves torch.compile out, which takes
 * minutes the first time. Our steps follow one another as in a training: the
 * next batch is made while the graphs work. For the peers batches are drawn and cut beforehand, which is not counted.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { type ShapeName, sesrecParameters } from '../src/model/index.js';
import { OPTIMIZERS, type OptimizerName } from '../src/train/index.js';
import { PEERS, type PeerName, type StepTimes, runOurs, runPeer, writeBatches } from './contenders.js';
import {
  type Milliseconds,
  type Say,
  choiceOption,
  conditions,
  conditionsLine,
  milliseconds,
  runBench,
  sayUnless,
  wholeOption,
} from './harness.js';
import { BATCH_SIZE, BUCKET_BATCHES, type Form, StepMaker, batchesOf, makeWorkload } from './workload.js';

/** How often all batches are timed. */
const ROUNDS = { amazon: 4, kuaishou: 2 } as const;

interface Options {
  readonly threads: readonly number[];
  /** Batches, each with rows of its own. */
  readonly steps: number;
  readonly rounds: number | null;
  /** Parts of a batch. */
  readonly parts: number;
  readonly optimizer: OptimizerName;
  readonly peer: string | null;
  readonly peerSeconds: number;
  readonly peerPlain: boolean;
}

type Part = Exclude<keyof StepTimes, 'processor'>;

/** One contender's times, by medians. */
interface Line extends Milliseconds {
  readonly who: 'ours' | PeerName;
  readonly form: Form;
  readonly optimizer: string;
  readonly threads: number;
  /** Milliseconds of processor time of a step, all threads together. */
  readonly processor: number;
  readonly compiled?: boolean;

  readonly parts?: Readonly<Record<Exclude<Part, 'total'>, number>>;
}

const quickestOf = (lines: readonly Line[], who: PeerName): Line | undefined =>
  lines.filter((line) => line.who === who).toSorted((a, b) => a.ms - b.ms)[0];

async function benchShape(shape: ShapeName, options: Options, say: Say) {
  const workload = makeWorkload(shape, options.parts);
  const rounds = options.rounds ?? ROUNDS[shape];
  const batches = batchesOf(workload, options.steps);
  const config = workload.config('masked');
  const maker = new StepMaker(workload, config, batches);
  const { fullWindow, cut: masked } = maker.paddedShares();
  const padding = { fullWindow, masked };
  const parameters = sesrecParameters(config);
  parameters.initialise(1);
  say(
    `\n${shape}: ${parameters.size.toLocaleString('en-US')} parameters, ${batches.length} batches of ${BATCH_SIZE} in ${workload.cut.batchParts} parts, sorted by length within pools of ${BUCKET_BATCHES}; padding: ${(100 * padding.fullWindow).toFixed(0)} % of positions at the full window, ${(100 * padding.masked).toFixed(0)} % in the masked form`,
  );

  const ours = async (form: Form, optimizer: OptimizerName, threads: number): Promise<StepTimes> =>
    runOurs({ workload, config: workload.config(form), parameters, optimizer, threads, batches, rounds });
  const lineOf = (form: Form, optimizer: OptimizerName, threads: number, runs: readonly StepTimes[]): Line => {
    const all = (part: Part): number[][] =>
      batches.map((_, batch) => runs.flatMap((times) => times[part][batch] ?? []));
    const part = (name: Part): number => milliseconds(all(name)).ms;
    return {
      who: 'ours',
      form,
      optimizer,
      threads,
      ...milliseconds(all('total')),
      processor: runs.reduce((sum, { processor }) => sum + processor, 0) / runs.length,
      parts: { assemble: part('assemble'), graph: part('graph'), check: part('check'), update: part('update') },
    };
  };
  const most = Math.max(...options.threads);
  const first = await ours('masked', options.optimizer, most);
  const others: Line[] = [];
  for (const threads of options.threads) {
    if (threads !== most)
      others.push(lineOf('masked', options.optimizer, threads, [await ours('masked', options.optimizer, threads)]));
    others.push(lineOf('official', 'adam', threads, [await ours('official', 'adam', threads)]));
  }
  let torch: string | null = null;
  const peers = options.peer === null ? [] : await runPeers(options.peer, options);
  // once more, to see whether the machine has changed meanwhile
  const again = options.peer === null ? null : await ours('masked', options.optimizer, most);
  const main = lineOf('masked', options.optimizer, most, again ? [first, again] : [first]);
  const drift = again ? milliseconds(again.total).ms / milliseconds(first.total).ms : null;

  async function runPeers(python: string, { threads, peerSeconds }: Options): Promise<Line[]> {
    const directory = await mkdtemp(join(tmpdir(), 'sesrec-bench-'));
    const lines: Line[] = [];
    try {
      await writeBatches(directory, workload, config, batches);
      const add = async (variant: PeerName, count: number, compiled: boolean): Promise<void> => {
        const run = { python, variant, compiled, threads: count, seconds: peerSeconds };
        const times = await runPeer(directory, run);
        const update = variant === 'eager' ? 'dense Adam' : 'touched rows';
        lines.push({
          who: variant,
          form: 'masked',
          optimizer: `${update}${compiled ? ', torch.compile' : ''}`,
          threads: count,
          compiled,
          ...milliseconds(times.total),
          processor: times.processor,
        });
        torch = times.torch;
      };
      for (const variant of PEERS) for (const count of threads) await add(variant, count, false);
      // compiling takes minutes: only with the better number of threads. It needs a C++ compiler, which not every machine has
      if (options.peerPlain) return lines;
      const { threads: count } = quickestOf(lines, 'best') as Line;
      await add('best', count, true).catch((error: unknown) => {
        if (!(error instanceof UserError)) throw error;
        say(`best under torch.compile is left out: ${error.message}`);
      });
    } finally {
      await rm(directory, { recursive: true });
    }
    return lines;
  }

  const lines = [main, ...others, ...peers];
  say(
    textTable([
      ['', 'threads', 'ms', '10 %', '90 %', 'steps', 'processor', 'assemble', 'graph', 'check', 'update'],
      ...lines.map(({ who, form, optimizer, threads, ms, low, high, steps: timed, processor, parts }) => [
        `${who} ${form}, ${optimizer}`,
        `${threads}`,
        ...[ms, low, high].map((time) => time.toFixed(1)),
        `${timed}`,
        processor.toFixed(1),
        ...(parts ? [parts.assemble, parts.graph, parts.check, parts.update].map((time) => time.toFixed(1)) : []),
      ]),
    ]),
  );
  const single = others.find(({ form, threads }) => form === 'masked' && threads === 1);
  if (single) say(`one thread takes ${(single.ms / main.ms).toFixed(2)} times as long as ${most}`);
  const ratios: Partial<
    Record<PeerName, { ratio: number; processorRatio: number; threads: number; compiled: boolean }>
  > = {};
  for (const variant of PEERS) {
    const quickest = quickestOf(peers, variant);
    if (!quickest) continue;
    const { ms, processor, threads, compiled = false } = quickest;
    const processorRatio = processor / main.processor;
    ratios[variant] = { ratio: ms / main.ms, processorRatio, threads, compiled };
    say(
      `${variant} at its best, with ${threads} thread(s)${compiled ? ' and torch.compile' : ''} (torch ${torch}), takes ${(ms / main.ms).toFixed(2)} times as long as ours with ${most}, and ${processorRatio.toFixed(2)} times its processor time`,
    );
  }
  if (drift !== null) say(`ours again after the peers: ${drift.toFixed(2)} times what it was before`);
  return { ...main, padding, parameters: parameters.size, drift, ratios, torch, lines };
}

await runBench('step', async () => {
  const { values } = parseArgs({
    options: {
      shape: { type: 'string', default: 'both' },
      threads: { type: 'string', default: '1,2' },
      steps: { type: 'string', default: `${BUCKET_BATCHES}` },
      rounds: { type: 'string' },
      parts: { type: 'string', default: '2' },
      optimizer: { type: 'string', default: 'adamCatchUp' },
      peer: { type: 'string' },
      'peer-seconds': { type: 'string', default: '20' },
      'peer-plain': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    },
  });
  const shape = choiceOption('shape', values.shape, ['amazon', 'kuaishou', 'both']);
  const options: Options = {
    threads: [...new Set(values.threads.split(',').map((text) => wholeOption('threads', text, 1)))],
    steps: wholeOption('steps', values.steps, 1),
    rounds: values.rounds === undefined ? null : wholeOption('rounds', values.rounds, 1),
    parts: wholeOption('parts', values.parts, 1),
    optimizer: choiceOption('optimizer', values.optimizer, OPTIMIZERS),
    peer: values.peer ?? null,
    peerPlain: values['peer-plain'],
    peerSeconds: wholeOption('peer-seconds', values['peer-seconds'], 1),
  };
  const say = sayUnless(values.json);
  const before = conditions();
  say(conditionsLine(before));
  const shapes = shape === 'both' ? (['amazon', 'kuaishou'] as const) : [shape];
  const results: Partial<Record<ShapeName, Awaited<ReturnType<typeof benchShape>>>> = {};
  for (const name of shapes) results[name] = await benchShape(name, options, say);
  const after = conditions();
  say(`\n${conditionsLine(after)}`);
  return { bench: 'step', ...results, options, before, after };
});
