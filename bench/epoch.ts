/**
 * One epoch as `sesrec train` trains it, in a process of its own: training and validation apart. Knows how a run is made and
 * where its log lies; does not know how it trains.
 *
 *   npm run bench -- epoch DATA [--form masked|official|both] [--bucket-batches N] [--optimizer NAME] [--threads N] [--json]
 *
 * DATA: a directory made by `sesrec import`. Validation is over all its users. The target is for the masked form; `official`,
 * whose batches always have the full window, is printed beside it.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Random, UsageError, UserError, at, range } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { type Dataset, loadDataset } from '../src/data/index.js';
import { batchOrder, extentOf, historyLengths, trainingCases } from '../src/features/index.js';
import { publishedShapes } from '../src/model/index.js';
import { type FitEvent, OPTIMIZERS } from '../src/train/index.js';
import { choiceOption, conditions, conditionsLine, runBench, sayUnless, wholeOption } from './harness.js';
import { BATCH_SIZE, BUCKET_BATCHES, FORMS, type Form } from './workload.js';

const SEED = 1;

interface Options {
  readonly bucketBatches: number;
  readonly optimizer: string;
  readonly threads: number;
}

/** Trains one epoch; what its log says of it, and the seconds of the whole command. */
async function trainOneEpoch(data: string, form: Form, { bucketBatches, optimizer, threads }: Options) {
  const directory = await mkdtemp(join(tmpdir(), 'sesrec-bench-'));
  try {
    const run = join(directory, 'run');
    const program = fileURLToPath(new URL('../../bin/sesrec.js', import.meta.url));
    const args = ['train', data, '--out', run, '--epochs', '1', '--seed', `${SEED}`, '--threads', `${threads}`];
    args.push('--optimizer', optimizer, '--batch-size', `${BATCH_SIZE}`);
    // `official` sees padding and gets the full window always: buckets would save nothing, and are refused
    if (form === 'masked') args.push('--set', 'maskCoAttention=true', '--bucket-batches', `${bucketBatches}`);
    const start = performance.now();
    const { code, said } = await new Promise<{ code: number | null; said: string }>((resolve, reject) => {
      const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      child.on('error', reject).on('close', (code) => resolve({ code, said }));
    });
    const seconds = (performance.now() - start) / 1000;
    if (code !== 0) throw new UserError(`sesrec ${args.join(' ')} failed: ${said.trim().split('\n').at(-1)}`);
    const log = await readFile(join(run, 'log.jsonl'), 'utf8');
    const epoch = JSON.parse(log.trim().split('\n').at(-1) ?? '') as FitEvent & { kind: 'epoch' };
    const { trainingSeconds, validationSeconds, stepMilliseconds, graphShare } = epoch;
    return {
      seconds: trainingSeconds + validationSeconds,
      trainingSeconds,
      validationSeconds,
      stepMilliseconds,
      /** Share of the training's time in which the graph was not at work. */
      idleShare: 1 - graphShare,
      commandSeconds: seconds,
      loss: epoch.losses.loss,
      validationMrr: epoch.validation.score,
    };
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** Share of history positions that are padding in the first epoch, at the full window and in batches cut to their longest histories. */
function paddedShares(dataset: Dataset, bucketBatches: number) {
  const { window } = publishedShapes.amazon.common;
  const cases = trainingCases(dataset, false);
  const lengths = historyLengths(dataset, cases, window);
  const random = new Random(SEED, 'order', 0);
  const order = { batchSize: BATCH_SIZE, poolBatches: bucketBatches, random };
  const batches = batchOrder(random.shuffle(range(cases.length)), lengths, window, order);
  let [actions, whole, cut] = [0, 0, 0];
  for (const batch of batches) {
    const extent = extentOf(lengths, batch, window);
    for (const row of batch) actions += at(lengths.feed, row) + at(lengths.search, row);
    whole += batch.length * (window.feed + window.search);
    cut += batch.length * (extent.feed + extent.search);
  }
  return { rows: cases.length, steps: batches.length, fullWindow: 1 - actions / whole, masked: 1 - actions / cut };
}

await runBench('epoch', async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      form: { type: 'string', default: 'both' },
      'bucket-batches': { type: 'string', default: `${BUCKET_BATCHES}` },
      optimizer: { type: 'string', default: 'adamCatchUp' },
      threads: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
    },
  });
  const [data] = positionals;
  if (data === undefined || positionals.length > 1)
    throw new UsageError('give one data directory, made by sesrec import: npm run bench -- epoch DATA');
  const form = choiceOption('form', values.form, [...FORMS, 'both']);
  const options = {
    bucketBatches: wholeOption('bucket-batches', values['bucket-batches'], 0),
    optimizer: choiceOption('optimizer', values.optimizer, OPTIMIZERS),
    threads: wholeOption('threads', values.threads, 1),
  };
  const say = sayUnless(values.json);
  const before = conditions();
  say(conditionsLine(before));
  const padding = paddedShares(await loadDataset(data), options.bucketBatches);
  say(
    `\n${data}: ${padding.rows.toLocaleString('en-US')} rows, ${padding.steps} steps, batches within pools of ${options.bucketBatches}; padding: ${(100 * padding.fullWindow).toFixed(0)} % of positions at the full window, ${(100 * padding.masked).toFixed(0)} % in the masked form`,
  );
  const epochs: Partial<Record<Form, Awaited<ReturnType<typeof trainOneEpoch>>>> = {};
  for (const each of form === 'both' ? FORMS : [form])
    epochs[each] = await trainOneEpoch(data, each, each === 'official' ? { ...options, optimizer: 'adam' } : options);
  say(
    textTable([
      ['', 'epoch', 'training', 'validation', 'step', 'graph idle', 'whole command', 'validation MRR'],
      ...Object.entries(epochs).map(([each, epoch]) => [
        `${each}, ${each === 'official' ? 'adam' : options.optimizer}, ${options.threads} thread(s)`,
        `${epoch.seconds.toFixed(1)} s`,
        `${epoch.trainingSeconds.toFixed(1)} s`,
        `${epoch.validationSeconds.toFixed(1)} s`,
        `${epoch.stepMilliseconds.toFixed(1)} ms`,
        `${(100 * epoch.idleShare).toFixed(1)} %`,
        `${epoch.commandSeconds.toFixed(1)} s`,
        epoch.validationMrr.toFixed(4),
      ]),
    ]),
  );
  const after = conditions();
  say(`\n${conditionsLine(after)}`);
  return { bench: 'epoch', ...epochs, padding, options, before, after };
});
