/**
 * Evaluates a run: figures beside popularity and random, the seal on the test, manifests. Knows the order in which a
 * look is checked, taken and recorded; does not know options, nor how figures are shown.
 */
import { join } from 'node:path';
import { UserError } from '../base/index.js';
import type { HeldOut } from '../data/index.js';
import {
  type Candidates,
  type EvaluateOptions,
  type Evaluation,
  type Protocol,
  type ProtocolName,
  evaluate,
} from '../evaluate/index.js';
import {
  type Ranker,
  type Run,
  type TestFigures,
  planLook,
  planOf,
  popularityRanker,
  randomRanker,
  rankerOf,
  recordTestLook,
  resultsOf,
} from '../model/index.js';
import { type ComputeFlags, withRuntime } from './options.js';
import { progressLine } from './progress.js';
import { type ResultManifest, figuresOf, placeOf, recordCandidates, resultManifest, writeResult } from './results.js';
import { validationCandidatesOf } from './run-plan.js';

export interface EvaluationRequest {
  readonly on: HeldOut;
  readonly protocols: readonly ProtocolName[];
  /** The lists of the sampled protocol. */
  readonly candidates: Candidates | null;
  readonly seed: number;
  /** Under which protocols a seeded sample of how many users is asked; all users under the others. */
  readonly users?: Readonly<Partial<Record<ProtocolName, number>>>;
  /** Take another look at the test. */
  readonly again: boolean;
  /** Write manifests and looks into the run. Without, what was not looked at before is refused. */
  readonly record: boolean;
  /** Asks to stop, with an `InterruptedError`, before anything is recorded. */
  readonly signal?: AbortSignal;
}

/** The figures under one protocol. */
export interface ProtocolResult {
  readonly evaluation: Evaluation;
  /** Popularity and random, on the same candidates. */
  readonly sanity: readonly Evaluation[];
  /** How long the ranking took, the first encoding and all compiling included. Differs from run to run. */
  readonly seconds: number;
  /** Where the manifest lies; null when nothing is recorded. */
  readonly path: string | null;
}

export interface RunEvaluation {
  readonly results: readonly ProtocolResult[];
  /** Which look at the test of the run this is; null on validation. */
  readonly look: number | null;
}

/** What was computed, before anything is written. */
type Measured = Omit<ProtocolResult, 'path'> & { readonly startedAt: Date };

/**
 * Evaluates under each protocol. On test nothing of the model is computed before the look is allowed, and nothing is
 * handed out before it is recorded.
 */
export async function evaluateRun(run: Run, compute: ComputeFlags, request: EvaluationRequest): Promise<RunEvaluation> {
  const { dataset, manifest, directory, version } = run;
  const { on, again } = request;
  // The rankers that know no model tell which users and candidates it will be.
  const rankers: readonly Ranker[] = [popularityRanker(dataset), randomRanker(dataset, request.seed)];
  const sanity: Evaluation[][] = [];
  for (const protocol of request.protocols)
    sanity.push(await Promise.all(rankers.map((ranker) => evaluate(ranker, dataset, optionsOf(request, protocol)))));
  if (on === 'test') {
    const figures = sanity.map(([first]) => testFigures((first as Evaluation).protocol));
    const { isNew } = planLook(manifest.testLooks, { version, figures }, { again, where: directory });
    if (isNew && !request.record)
      throw new UserError(
        `the test of ${directory} was never looked at with these weights and candidates: sesrec evaluate --on test does it`,
      );
  }
  const measured = await measure(run, compute, request, sanity);
  return request.record
    ? record(run, compute, request, measured)
    : { results: measured.map((one) => ({ ...one, path: null })), look: null };
}

async function measure(
  { dataset, model, parameters }: Run,
  compute: ComputeFlags,
  request: EvaluationRequest,
  sanity: readonly (readonly Evaluation[])[],
): Promise<Measured[]> {
  return withRuntime(compute, async (runtime) => {
    const ranker = rankerOf(model, parameters, dataset, runtime);
    const measured: Measured[] = [];
    for (const [position, protocol] of request.protocols.entries()) {
      const [startedAt, start] = [new Date(), performance.now()];
      const progress = progressLine();
      const onProgress = (done: number, total: number): void =>
        progress.update(`evaluating (${protocol}), user`, done, total);
      const evaluation = await evaluate(ranker, dataset, { ...optionsOf(request, protocol), onProgress });
      progress.clear();
      const seconds = (performance.now() - start) / 1000;
      measured.push({ evaluation, sanity: sanity[position] ?? [], startedAt, seconds });
    }
    return measured;
  });
}

/** Writes the look, then the manifests it names: after a crash in between, the same command writes them. */
async function record(
  { dataset, manifest, directory, version }: Run,
  compute: ComputeFlags,
  request: EvaluationRequest,
  measured: readonly Measured[],
): Promise<RunEvaluation> {
  const recorded = async (lists: Candidates) => recordCandidates(directory, lists, dataset);
  const validationCandidates = await recorded(await validationCandidatesOf(directory, dataset));
  const candidates = request.candidates && (await recorded(request.candidates));
  const kept: (Measured & { manifest: ResultManifest; name: string })[] = [];
  for (const one of measured) {
    const result = resultManifest({
      kind: 'evaluation',
      plan: planOf(manifest),
      dataset,
      validationCandidates,
      candidates: one.evaluation.protocol.name === 'sampled' ? candidates : null,
      weights: version,
      figures: figuresOf(one.evaluation),
      training: null,
      compute,
      startedAt: one.startedAt,
      seconds: one.seconds,
    });
    kept.push({ ...one, manifest: result, name: await placeOf(directory, result) });
  }
  const figures = kept.map(({ evaluation, name }) => ({ ...testFigures(evaluation.protocol), result: name }));
  const look = request.on === 'test' ? await recordTestLook(directory, { version, figures }, request) : null;
  const results: ProtocolResult[] = [];
  for (const { evaluation, sanity, seconds, manifest, name } of kept) {
    const path = join(resultsOf(directory), name);
    await writeResult(path, manifest);
    results.push({ evaluation, sanity, seconds, path });
  }
  return { results, look };
}

const optionsOf = (
  { on, seed, users = {}, candidates, signal }: EvaluationRequest,
  protocol: ProtocolName,
): EvaluateOptions => ({
  on,
  protocol,
  seed,
  ...(users[protocol] === undefined ? {} : { users: users[protocol] }),
  ...(protocol === 'sampled' && candidates ? { candidates } : {}),
  ...(signal ? { signal } : {}),
});

function testFigures({ name, hash, count, sample }: Protocol): TestFigures {
  return {
    protocol: name,
    candidates: hash === null ? null : { hash, count },
    sample: sample && { users: sample.users, seed: sample.seed },
  };
}
