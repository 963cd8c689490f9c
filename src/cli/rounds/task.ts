/**
 * The work of Spark's tasks in a round: shares of steps, and sums of what moved. Knows the files of a round and the lines that go
 * through standard input and output; does not know Spark.
 *
 * A share comes as the number of its worker. What goes out are blocks (train/rounds/blocks.ts) and one line `report WORKER BASE64`,
 * the report as JSON. Sums hand reports on as they are.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import {
  CorruptFileError,
  UsageError,
  isListOf,
  isNotNegative,
  isOneOf,
  isRecordOf,
  isText,
  isWhole,
  readJson,
  writeAtomically,
} from '../../base/index.js';
import { reachedSizesRule } from '../../features/index.js';
import { type NamedTensor, TensorFile, buildModel, openRun, safetensorsParts } from '../../model/index.js';
import { type Round, type ShareReport, Workbench, summedBlocks, workShare } from '../../train/index.js';
import { type ComputeFlags, withRuntime } from '../options.js';

const FORMAT = 'sesrec-round';
const VERSION = 1;
const REPORT = 'report ';

/** What lies in a round's folder beside the state. */
interface RoundFile extends Round {
  /** The run, whose plan and data it is of. */
  readonly run: string;
  /** What the state calls itself, so that none is taken for another. */
  readonly state: string;
  readonly threads: number;
  readonly device: string;
}

const roundRule = isRecordOf({
  format: isOneOf(FORMAT),
  version: isOneOf(VERSION),
  run: isText,
  state: isText,
  threads: isWhole(1),
  device: isText,
  epoch: isWhole(0),
  learningRate: isNotNegative,
  optimizerSteps: isWhole(0),
  reached: reachedSizesRule,
  shares: isListOf(isListOf(isWhole(0))),
});

const roundOf = (folder: string): string => join(folder, 'round.json');
const stateOf = (folder: string): string => join(folder, 'state.safetensors');

/** Writes what the tasks of a round read. */
export async function writeRound(
  folder: string,
  run: string,
  round: Round,
  start: ReadonlyMap<string, NamedTensor>,
  { threads = 1, device }: ComputeFlags,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  const state = randomUUID();
  await writeAtomically(stateOf(folder), safetensorsParts(start, { state }));
  const file: RoundFile = { ...round, run: resolve(run), state, threads, device };
  await writeAtomically(roundOf(folder), `${JSON.stringify({ format: FORMAT, version: VERSION, ...file })}\n`);
}

async function readRoundFile(folder: string): Promise<RoundFile> {
  const found = await readJson(roundOf(folder));
  const wrong = roundRule(found, '');
  if (wrong !== null) throw new CorruptFileError(`${roundOf(folder)} is damaged: ${wrong}`);
  return found as RoundFile;
}

/** Works the shares that the input names, of the round in a folder. */
export async function shareTask(folder: string, input: Readable, output: Writable): Promise<void> {
  const { run, state, threads, device, ...round } = await readRoundFile(folder);
  await using start = await TensorFile.open(stateOf(folder));
  if (start.metadata['state'] !== state) throw new CorruptFileError(`${stateOf(folder)} is not the state of its round`);
  const { manifest, dataset } = await openRun(run);
  const model = buildModel(manifest.model, manifest.config);
  const trained = { dataset, model, options: manifest.training };
  await withRuntime({ threads, device }, async (runtime) => {
    const bench = new Workbench(trained, runtime);
    for await (const line of createInterface({ input })) {
      const worker = Number(line);
      if (!round.shares[worker]) throw new UsageError(`${JSON.stringify(line)} is no worker of this round`);
      const report = await workShare(trained, bench, start, round, worker, async (block) => write(output, block));
      await write(output, `${REPORT}${worker} ${Buffer.from(JSON.stringify(report)).toString('base64')}`);
    }
  });
}

/** Adds up the blocks that the input brings, those of a key one after another, of the round in a folder. */
export async function sumTask(folder: string, input: Readable, output: Writable): Promise<void> {
  await readRoundFile(folder); // nobody waits for input that does not come
  const blocks = async function* (): AsyncGenerator<string> {
    for await (const line of createInterface({ input }))
      if (line.startsWith(REPORT)) await write(output, line);
      else yield line;
  };
  for await (const sum of summedBlocks(blocks())) await write(output, sum);
}

/** Reads the lines of a round: sums go to `take`, reports come back in order of workers. */
export async function readRound(lines: AsyncIterable<string>, take: (sum: string) => void): Promise<ShareReport[]> {
  const reports: ShareReport[] = [];
  for await (const line of lines)
    if (line.startsWith(REPORT))
      reports.push(JSON.parse(Buffer.from(line.split(' ')[2] ?? '', 'base64').toString('utf8')) as ShareReport);
    else if (line !== '') take(line);
  return reports.toSorted((a, b) => a.worker - b.worker);
}

async function write(output: Writable, line: string): Promise<void> {
  if (!output.write(`${line}\n`)) await once(output, 'drain');
}
