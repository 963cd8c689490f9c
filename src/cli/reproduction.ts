/**
 * Gets a recorded result again and compares. Knows what must be the same and what may explain a difference; does not
 * know options, nor how the comparison is shown.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CorruptFileError, InterruptedError, UserError } from '../base/index.js';
import { type Dataset, loadDataset } from '../data/index.js';
import {
  type Candidates,
  type Evaluation,
  METRICS,
  drawCandidates,
  hashCandidates,
  readCandidatesFile,
} from '../evaluate/index.js';
import { type Run, dataOf, loadRun, resultsOf } from '../model/index.js';
import { environment } from './environment.js';
import { evaluateRun } from './evaluation.js';
import { type ComputeFlags, optionName } from './options.js';
import { type Figures, type RecordedCandidates, type ResultManifest, figuresOf, readResult } from './results.js';
import { beginAgain } from './run-plan.js';
import { trainSession } from './training.js';

export interface ReproductionRequest extends ComputeFlags {
  /** The data; that of the run beside the manifest unless told. */
  readonly data?: string;
  /** Only evaluate the saved weights of the run again, do not train. */
  readonly weights?: boolean;
  /** Keep the new run here. */
  readonly out?: string;
}

/** One thing that was recorded, and what it is now. */
export interface Compared {
  readonly what: string;
  readonly recorded: string | number | null;
  readonly now: string | number | null;
  readonly same: boolean;
}

export interface Reproduction {
  readonly identical: boolean;
  readonly compared: readonly Compared[];
  /** Versions, machine and threads that are not what they were. */
  readonly surroundings: readonly Compared[];
}

/** Repeats a result: from the data, training and all, or with `weights` from the saved weights. */
export async function reproduce(
  path: string,
  recorded: ResultManifest,
  request: ReproductionRequest,
): Promise<Reproduction> {
  const folder = dirname(resolve(path));
  const run = dirname(folder);
  if (request.out !== undefined && existsSync(request.out))
    throw new UserError(`${request.out} already exists: a reproduction makes a new run, choose another --out`);
  const data = request.data ?? dataOf(run);
  if (!existsSync(data))
    throw new UserError(
      `${data} does not exist: pass --data with the data set ${recorded.data.hash.slice(0, 12)}${recipe(recorded)}`,
    );
  const dataset = await loadDataset(data);
  if (dataset.manifest.hash !== recorded.data.hash)
    throw new UserError(
      `${data} is the data set ${dataset.manifest.hash.slice(0, 12)}, the result was got on ${recorded.data.hash.slice(0, 12)}: pass --data with that one`,
    );
  const lists = async (wanted: RecordedCandidates): Promise<Candidates> => listsOf(wanted, folder, dataset);
  const validation = await lists(recorded.validationCandidates);
  const candidates = recorded.candidates && (await lists(recorded.candidates));
  const { weights, figures } = request.weights
    ? await fromWeights(run, recorded, candidates, request)
    : await fromData({ data, dataset, validation, candidates }, recorded, request);

  const compared = [
    compare('data', recorded.data.hash, dataset.manifest.hash),
    compare('validation candidates', recorded.validationCandidates.hash, hashCandidates(validation, dataset)),
    ...(candidates && recorded.candidates
      ? [compare('candidates', recorded.candidates.hash, hashCandidates(candidates, dataset))]
      : []),
    compare('weights', recorded.weights, weights),
    ...METRICS.map((metric) => compare(metric, recorded.figures.metrics[metric], figures.metrics[metric])),
    compare('users', recorded.figures.users, figures.users),
    compare('ranks', recorded.figures.ranks, figures.ranks),
  ];
  const now = { ...environment(), threads: request.threads ?? null, device: request.device };
  return {
    identical: compared.every(({ same }) => same),
    compared,
    surroundings: surroundings(recorded.environment, now).filter(({ same }) => !same),
  };
}

/** How to make simulated data again; nothing for the logs of real people. */
function recipe({ data: { source, split } }: ResultManifest): string {
  if (source.generator === null) return '';
  const { name, version, options } = source.generator;
  const cuts =
    split.strategy === 'global-time'
      ? ` --validation-from ${new Date(split.validationFrom).toISOString()} --test-from ${new Date(split.testFrom).toISOString()}${split.newItems ? ' --new-items' : ''}`
      : '';
  const both = source.options['requireBoth'] === true ? ' --require-both' : '';
  const made = Object.entries(options).map(([option, value]) => ` ${optionName(option)} ${String(value)}`);
  return `, which sesrec ${name} (version ${version})${made.join('')} --split ${split.strategy}${cuts}${both} makes`;
}

type Repeated = Pick<ResultManifest, 'weights' | 'figures'>;

async function fromWeights(
  directory: string,
  recorded: ResultManifest,
  candidates: Candidates | null,
  compute: ComputeFlags,
): Promise<Repeated> {
  if (!existsSync(join(directory, 'run.json')))
    throw new UserError(
      `${directory} is not a run, so there are no weights beside the manifest: leave --weights out to train again`,
    );
  const run = await loadRun(directory);
  if (run.version !== recorded.weights)
    throw new UserError(
      `${directory} has other weights by now (${run.version.slice(0, 12)}) than the result was got with (${recorded.weights.slice(0, 12)}): leave --weights out to train again`,
    );
  return { weights: run.version, figures: await evaluateAgain(run, recorded.figures, candidates, compute, false) };
}

async function fromData(
  given: { data: string; dataset: Dataset; validation: Candidates; candidates: Candidates | null },
  recorded: ResultManifest,
  request: ReproductionRequest,
): Promise<Repeated> {
  const temporary = request.out === undefined ? await mkdtemp(join(tmpdir(), 'sesrec-reproduce-')) : null;
  const out = request.out ?? join(temporary as string, 'run');
  try {
    const session = { ...request, out, resume: false, saveEvery: 300 };
    const beginning = { plan: recorded.run.plan, dataset: given.dataset, candidates: given.validation };
    const { version } = await trainSession(session, () => beginAgain(given.data, session, beginning));
    const figures =
      recorded.kind === 'training'
        ? (await readResult(join(resultsOf(out), 'training.json'))).figures
        : await evaluateAgain(await loadRun(out), recorded.figures, given.candidates, request, true);
    return { weights: version, figures };
  } catch (error) {
    if (!(error instanceof InterruptedError)) throw error;
    throw new InterruptedError('stopped; a reproduction begins anew every time', { cause: error });
  } finally {
    if (temporary !== null) await rm(temporary, { recursive: true, force: true });
  }
}

/** The evaluation that a manifest tells of. `record`: on a copy of the run, whose test was never looked at. */
async function evaluateAgain(
  run: Run,
  { protocol }: Figures,
  candidates: Candidates | null,
  compute: ComputeFlags,
  record: boolean,
): Promise<Figures> {
  const { results } = await evaluateRun(run, compute, {
    on: protocol.on,
    protocols: [protocol.name],
    candidates,
    seed: protocol.sample?.seed ?? candidates?.seed ?? 1,
    ...(protocol.sample === null ? {} : { users: { [protocol.name]: protocol.sample.users } }),
    again: false,
    record,
  });
  return figuresOf((results[0] as { evaluation: Evaluation }).evaluation);
}

/** The recorded lists: drawn again, or read from the file that was kept. */
async function listsOf(wanted: RecordedCandidates, folder: string, dataset: Dataset): Promise<Candidates> {
  const { hash, count, seed, file } = wanted;
  if (seed !== null) return drawCandidates(dataset, { count, seed });
  if (file === null || /[/\\]/.test(file))
    throw new CorruptFileError(`the manifest in ${folder} names no lists of candidates: it is damaged`);
  const lists = await readCandidatesFile(join(folder, file), dataset);
  if (hashCandidates(lists, dataset) !== hash)
    throw new CorruptFileError(`${join(folder, file)} is damaged: it does not hold the lists ${hash.slice(0, 12)}`);
  return lists;
}

function compare(what: string, recorded: string | number | null, now: string | number | null): Compared {
  return { what, recorded, now, same: recorded === now };
}

function surroundings(recorded: ResultManifest['environment'], now: ResultManifest['environment']): Compared[] {
  const part = (before: object, after: object): Compared[] =>
    Object.entries(after as Record<string, string | number | null>).map(([what, value]) =>
      compare(what, (before as Record<string, string | number | null>)[what] ?? null, value),
    );
  return [
    ...part(recorded.versions, now.versions),
    ...part(recorded.machine, now.machine),
    compare('threads', recorded.threads, now.threads),
    compare('device', recorded.device, now.device),
  ];
}
