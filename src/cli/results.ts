/**
 * Manifests of results: what is needed to know where a figure comes from and to get it again. Knows their format and
 * where they lie (RUN/results); does not know how a result is got.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  CorruptFileError,
  UserError,
  hashOf,
  isEither,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isWhole,
  readJson,
  writeAtomically,
} from '../base/index.js';
import type { DataManifest, Dataset } from '../data/index.js';
import {
  type Candidates,
  type Evaluation,
  METRICS,
  type Metrics,
  type Protocol,
  hashCandidates,
  saveCandidates,
} from '../evaluate/index.js';
import { type RunPlan, hashOfPlan, resultsOf, runPlanRule } from '../model/index.js';
import { type Environment, environment, peakMemoryBytes } from './environment.js';
import type { ComputeFlags } from './options.js';

const FORMAT = 'sesrec-result';
const VERSION = 1;

/** The figures of an evaluation, and how they were got. */
export interface Figures {
  readonly protocol: Protocol;
  readonly metrics: Metrics;
  readonly intervals: Evaluation['intervals'];
  readonly users: number;
  /** SHA-256 over every user's rank, from which all metrics follow. */
  readonly ranks: string;
}

/** Candidate lists, so that they can be had again: drawn from a seed, or kept in a file beside the manifest. */
export interface RecordedCandidates {
  readonly hash: string;
  readonly count: number;
  readonly seed: number | null;
  readonly file: string | null;
}

export interface ResultManifest {
  readonly format: typeof FORMAT;
  readonly version: typeof VERSION;
  /** `training`: the figures are those of the best epoch on validation. */
  readonly kind: 'training' | 'evaluation';
  readonly run: { readonly plan: RunPlan; readonly sha256: string };
  readonly data: Pick<DataManifest, 'hash' | 'split' | 'source' | 'files'>;
  /** The lists that validation ranks among while the run is trained. */
  readonly validationCandidates: RecordedCandidates;
  /** The lists of the figures; null under the full protocol. */
  readonly candidates: RecordedCandidates | null;
  /** SHA-256 of the best parameters. */
  readonly weights: string;
  readonly figures: Figures;
  /** How a training ended; null for an evaluation. `resumed`: the time is that of its last session. */
  readonly training: {
    readonly epochs: number;
    readonly best: { readonly epoch: number; readonly score: number };
    readonly reason: string;
    readonly resumed: boolean;
  } | null;
  readonly environment: Environment & { readonly threads: number | null; readonly device: string };
  readonly startedAt: string;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
}

const candidatesRule = isRecordOf({
  hash: isText,
  count: isWhole(1),
  seed: isEither(isOneOf(null), isWhole(0)),
  file: isEither(isOneOf(null), isText),
});
const figuresRule = isRecordOf({
  protocol: isRecordOf({
    name: isOneOf('sampled', 'full'),
    on: isOneOf('validation', 'test'),
    sample: isEither(isOneOf(null), isRecordOf({ users: isWhole(1), seed: isWhole(0) })),
  }),
  metrics: isRecordOf(Object.fromEntries(METRICS.map((metric) => [metric, isNumber()]))),
  users: isWhole(1),
  ranks: isText,
});
const manifestRule = isRecordOf({
  kind: isOneOf('training', 'evaluation'),
  run: isRecordOf({ plan: runPlanRule, sha256: isText }),
  data: isRecordOf({ hash: isText }),
  validationCandidates: candidatesRule,
  candidates: isEither(isOneOf(null), candidatesRule),
  weights: isText,
  figures: figuresRule,
  environment: isRecordOf({
    versions: isRecordOf({ sesrec: isText, node: isText }),
    machine: isRecordOf({ cpu: isText }),
    threads: isEither(isOneOf(null), isWhole(1)),
    device: isText,
  }),
  startedAt: isText,
  seconds: isNumber(),
});

export function figuresOf({ protocol, metrics, intervals, users, ranks }: Evaluation): Figures {
  const bytes = [ranks.user, ranks.better, ranks.tied].map((column) => new Uint8Array(column.buffer));
  return { protocol, metrics, intervals, users, ranks: hashOf(...bytes) };
}

/** Builds a manifest; versions, machine and memory are those of this process. */
export function resultManifest(
  result: Pick<ResultManifest, 'kind' | 'validationCandidates' | 'candidates' | 'weights' | 'figures' | 'training'> & {
    readonly plan: RunPlan;
    readonly dataset: Dataset;
    readonly compute: ComputeFlags;
    readonly startedAt: Date;
    readonly seconds: number;
  },
): ResultManifest {
  const { kind, plan, dataset, compute } = result;
  const { hash, split, source, files } = dataset.manifest;
  return {
    format: FORMAT,
    version: VERSION,
    kind,
    run: { plan, sha256: hashOfPlan(plan) },
    data: { hash, split, source, files },
    validationCandidates: result.validationCandidates,
    candidates: result.candidates,
    weights: result.weights,
    figures: result.figures,
    training: result.training,
    environment: { ...environment(), threads: compute.threads ?? null, device: compute.device },
    startedAt: result.startedAt.toISOString(),
    seconds: result.seconds,
    peakMemoryBytes: peakMemoryBytes(),
  };
}

/** What is told of candidate lists; those that no seed draws again are kept beside the manifests. */
export async function recordCandidates(
  run: string,
  candidates: Candidates,
  dataset: Dataset,
): Promise<RecordedCandidates> {
  const hash = hashCandidates(candidates, dataset);
  const file = candidates.seed === null ? `candidates-${hash.slice(0, 12)}.jsonl.gz` : null;
  if (file !== null && !existsSync(join(resultsOf(run), file))) {
    await mkdir(resultsOf(run), { recursive: true });
    await saveCandidates(join(resultsOf(run), file), candidates, dataset);
  }
  return { hash, count: candidates.count, seed: candidates.seed, file };
}

/** All that must be the same for two results to be one: everything but when, where and how fast. */
const essence = ({ kind, run, data, validationCandidates, candidates, weights, figures }: ResultManifest): string =>
  JSON.stringify([
    kind,
    run.sha256,
    data.hash,
    validationCandidates.hash,
    candidates?.hash,
    weights,
    figures.protocol.sample,
    figures.metrics,
    figures.users,
    figures.ranks,
  ]);

/** The name of a manifest in RUN/results: that of an equal result if there is one, else a new one. */
export async function placeOf(run: string, manifest: ResultManifest): Promise<string> {
  const { protocol } = manifest.figures;
  const stem =
    manifest.kind === 'training'
      ? 'training'
      : `evaluation-${protocol.on}-${protocol.name}-${manifest.candidates?.hash.slice(0, 12) ?? 'all'}${protocol.sample ? '-sample' : ''}`;
  for (let number = 1; ; number++) {
    const name = `${stem}${number === 1 ? '' : `-${number}`}.json`;
    if (!existsSync(join(resultsOf(run), name))) return name;
    const known = await readResult(join(resultsOf(run), name)).catch(() => null); // a damaged one is left for people to look at
    if (known && essence(known) === essence(manifest)) return name;
  }
}

export async function writeResult(path: string, manifest: ResultManifest): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, `${JSON.stringify(manifest, null, 2)}\n`);
}

/** Reads and checks the manifest of a result. */
export async function readResult(path: string): Promise<ResultManifest> {
  if (!existsSync(path))
    throw new UserError(`${path} does not exist: give a manifest from the results folder of a run`);
  const manifest = (await readJson(path)) as Partial<ResultManifest> | null;
  if (manifest?.format !== FORMAT)
    throw new CorruptFileError(`${path} is not the manifest of a result: give one from the results folder of a run`);
  if (manifest.version !== VERSION)
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(manifest.version)}, this program reads ${VERSION}`,
    );
  const wrong = manifestRule(manifest, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}`);
  const { run } = manifest as ResultManifest;
  if (hashOfPlan(run.plan) !== run.sha256)
    throw new CorruptFileError(`${path} is damaged: its run does not match the hash beside it`);
  return manifest as ResultManifest;
}
