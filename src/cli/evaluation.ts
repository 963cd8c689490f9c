/**
 * Evaluates a run: figures beside popularity and random, the seal on the test, manifests. Knows the order in which a
 * look is checked, taken and recorded; does not know options, nor how figures are shown.
 */
import { join } from 'node:path';
import { UserError } from '../base/index.js';
import type { HeldOut } from '../data/index.js';
import { type Candidates, type Evaluation, type Protocol, type ProtocolName, evaluate } from '../evaluate/index.js';
import {
  type Ranker,
  type Run,
  SesrecRanker,
  type TestFigures,
  planLook,
  planOf,
  popularityRanker,
  randomRanker,
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
  readonly users?: number;
  /** Take another look at the test. */
  readonly again: boolean;
  /** Write manifests and looks into the run. Without, what was not looked at before is refused. */
  readonly record: boolean;
}

/** The figures under one protocol. */
export interface ProtocolResult {
  readonly evaluation: Evaluation;
  /** Popularity and random, on the same candidates. */
  readonly sanity: readonly Evaluation[];
  readonly seconds: number;
  /** Where the manifest lies; null when nothing is recorded. */
  readonly path: string | null;
}

export interface RunEvaluation {
  readonly results: readonly ProtocolResult[];
  /** Which look at the test of the run this is; null on validation. */
  readonly look: number | null;
}

/**
 * Evaluates under each protocol. On test nothing of the model is computed before the look is allowed, and nothing is
 * handed out before it is recorded.
 */
export async function evaluateRun(run: Run, compute: ComputeFlags, request: EvaluationRequest): Promise<RunEvaluation> {
  const { dataset, manifest, directory, version } = run;
  const { on, seed, users, again, record } = request;
  const optionsOf = (protocol: ProtocolName) => ({
    on,
    protocol,
    seed,
    ...(users === undefined ? {} : { users }),
    ...(protocol === 'sampled' && request.candidates ? { candidates: request.candidates } : {}),
  });
  // The rankers that know no model tell which users and candidates it will be.
  const rankers: readonly Ranker[] = [popularityRanker(dataset), randomRanker(dataset, seed)];
  const sanity: Evaluation[][] = [];
  for (const protocol of request.protocols)
    sanity.push(await Promise.all(rankers.map((ranker) => evaluate(ranker, dataset, optionsOf(protocol)))));
  const figures = sanity.map(([first]) => testFigures((first as Evaluation).protocol));
  if (on === 'test') {
    const { isNew } = planLook(manifest.testLooks, { version, figures }, { again, where: directory });
    if (isNew && !record)
      throw new UserError(
        `the test of ${directory} was never looked at with these weights and candidates: sesrec evaluate --on test does it`,
      );
  }

  const measured = await withRuntime(compute, async (runtime) => {
    const ranker = new SesrecRanker(manifest.config, run.parameters, dataset, runtime);
    const found = [];
    for (const protocol of request.protocols) {
      const [startedAt, start] = [new Date(), performance.now()];
      const progress = progressLine();
      const onProgress = (done: number, total: number): void =>
        progress.update(`evaluating (${protocol})`, done, total);
      const evaluation = await evaluate(ranker, dataset, { ...optionsOf(protocol), onProgress });
      progress.clear();
      found.push({ evaluation, startedAt, seconds: (performance.now() - start) / 1000 });
    }
    return found;
  });
  const results = measured.map((one, position) => ({ ...one, sanity: sanity[position] as Evaluation[] }));
  if (!record) return { results: results.map((one) => ({ ...one, path: null })), look: null };

  const validationCandidates = await recordCandidates(
    directory,
    await validationCandidatesOf(directory, dataset),
    dataset,
  );
  const candidates = request.candidates && (await recordCandidates(directory, request.candidates, dataset));
  const manifests: { result: ResultManifest; name: string }[] = [];
  for (const { evaluation, startedAt, seconds } of results) {
    const result = resultManifest({
      kind: 'evaluation',
      plan: planOf(manifest),
      dataset,
      validationCandidates,
      candidates: evaluation.protocol.name === 'sampled' ? candidates : null,
      weights: version,
      figures: figuresOf(evaluation),
      training: null,
      compute,
      startedAt,
      seconds,
    });
    manifests.push({ result, name: await placeOf(directory, result) });
  }
  const look =
    on === 'test'
      ? await recordTestLook(
          directory,
          {
            version,
            figures: figures.map((seen, position) => ({ ...seen, result: manifests[position]?.name ?? null })),
          },
          { again },
        )
      : null;
  const paths = manifests.map(({ name }) => join(resultsOf(directory), name));
  for (const [position, { result }] of manifests.entries()) await writeResult(paths[position] as string, result);
  return { results: results.map((one, position) => ({ ...one, path: paths[position] as string })), look };
}

function testFigures({ name, hash, count, sample }: Protocol): TestFigures {
  return {
    protocol: name,
    candidates: hash === null ? null : { hash, count },
    sample: sample && { users: sample.users, seed: sample.seed },
  };
}
