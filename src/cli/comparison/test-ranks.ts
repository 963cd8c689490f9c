/**
 * The test of a comparison: one look at each run, and the ranks of every user, which are kept. Knows how many users full ranking
 * is for; does not know what follows from the ranks.
 *
 *   test/LABEL/seed-S.json.gz      the ranks by the run of a seed; counted.json.gz of what is not trained
 *   test/LABEL/full-ranking.json   how long full ranking was estimated to take, and so for how many users it is
 */
import { mkdir, readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  CorruptFileError,
  InterruptedError,
  isEither,
  isListOf,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isThere,
  isWhole,
  messageOf,
  readJson,
  unpack,
  writeAtomically,
} from '../../base/index.js';
import { FIRST_INDEX } from '../../data/index.js';
import { type Evaluation, type Metrics, type Protocol, type ProtocolName, evaluate } from '../../evaluate/index.js';
import { type Ranker, type Run, countedRankers, loadRun, rankerOf } from '../../model/index.js';
import { evaluateRun } from '../evaluation.js';
import { type ComputeFlags, withRuntime } from '../options.js';
import { note } from '../output.js';
import { duration, progressLine } from '../progress.js';
import type { CountedEntry, Entry } from './entries.js';
import type { Comparison } from './plan.js';

export const PROTOCOLS = ['sampled', 'full'] as const satisfies readonly ProtocolName[];

/** What is kept of an evaluation: all that metrics and tests follow from. */
export interface KeptRanks {
  readonly protocol: Protocol;
  readonly chance: Metrics;
  readonly user: readonly number[];
  readonly better: readonly number[];
  readonly tied: readonly number[];
}

/** The test of one run, or of what is counted. */
export interface TestRecord {
  /** Null for what is counted. */
  readonly seed: number | null;
  /** Which look at the test of the run it was; null for what is counted, which has no run. */
  readonly look: number | null;
  /** SHA-256 of what was tested; null for what is counted, absent from records of before it was kept. */
  readonly weights?: string | null;
  readonly ranks: Readonly<Record<(typeof PROTOCOLS)[number], KeptRanks>>;
}

export interface TestSession extends ComputeFlags {
  readonly signal: AbortSignal;
}

/** The seed of the users of full ranking, the same for all. */
const SAMPLE_SEED = 1;
/** Users that the time of full ranking is estimated with, on validation: the test is not looked at for that. */
const PROBE = 64;

const folderOf = ({ directory }: Pick<Comparison, 'directory'>, { label }: Entry): string =>
  join(directory, 'test', label);

/** What is kept of the tests of a row, in order of seeds; none where it was not tested yet. */
export async function readTests(comparison: string, entry: Entry): Promise<TestRecord[]> {
  const folder = folderOf({ directory: comparison }, entry);
  const names = (await isThere(folder)) ? await readdir(folder) : [];
  const records = await Promise.all(
    names.filter((name) => name.endsWith('.json.gz')).map(async (name) => readRecord(join(folder, name))),
  );
  return records.sort((one, other) => (one.seed ?? 0) - (other.seed ?? 0));
}

/** Tests the run of a seed, or returns what is kept of the test of these weights. */
export async function testRun(
  comparison: Comparison,
  entry: Entry,
  { seed, weights }: { readonly seed: number; readonly weights: string },
  runDirectory: string,
  session: TestSession,
): Promise<TestRecord> {
  return kept(join(folderOf(comparison, entry), `seed-${seed}.json.gz`), weights, async () => {
    const run = await loadRun(runDirectory);
    const users = await usersOf(comparison, entry, async (probe) =>
      withRuntime(session, async (runtime) => probe(rankerOf(run.model, run.parameters, run.dataset, runtime))),
    );
    note(`testing ${entry.label}, seed ${seed}`);
    const tested = await look(comparison, run, users, session);
    if (tested.look !== 1)
      note(
        `${entry.label}, seed ${seed}: its test was looked at before, outside of this comparison; this is look ${tested.look}`,
      );
    return { seed, weights, ...tested };
  });
}

async function look(
  { candidates }: Comparison,
  run: Run,
  users: number | null,
  session: TestSession,
): Promise<Omit<TestRecord, 'seed' | 'weights'>> {
  const { results, look } = await evaluateRun(run, session, {
    on: 'test',
    protocols: PROTOCOLS,
    candidates,
    seed: SAMPLE_SEED,
    ...(users === null ? {} : { users: { full: users } }),
    again: true, // a look from outside is no reason to end here: nothing is chosen any more, and the look is counted and told
    record: true,
    signal: session.signal,
  });
  const [sampled, full] = results.map(({ evaluation }) => keptOf(evaluation)) as [KeptRanks, KeptRanks];
  return { look, ranks: { sampled, full } };
}

/** Tests what is counted, or returns what is kept of its test. */
export async function testCounted(
  comparison: Comparison,
  entry: CountedEntry,
  { signal }: TestSession,
): Promise<TestRecord> {
  return kept(join(folderOf(comparison, entry), 'counted.json.gz'), null, async () => {
    note(`testing ${entry.label}`);
    const { dataset, candidates } = comparison;
    const ranker = countedRankers[entry.model].rank(dataset);
    const users = await usersOf(comparison, entry, async (probe) => probe(ranker));
    const ranks: Partial<Record<ProtocolName, KeptRanks>> = {};
    for (const protocol of PROTOCOLS) {
      const progress = progressLine();
      const evaluation = await evaluate(ranker, dataset, {
        on: 'test',
        protocol,
        seed: SAMPLE_SEED,
        signal,
        onProgress: (done, total) => progress.update(`evaluating (${protocol}), user`, done, total),
        ...(protocol === 'sampled' ? { candidates } : users === null ? {} : { users }),
      });
      progress.clear();
      ranks[protocol] = keptOf(evaluation);
    }
    return { seed: null, look: null, weights: null, ranks: ranks as TestRecord['ranks'] };
  });
}

const keptOf = ({ protocol, chance, ranks }: Evaluation): KeptRanks => ({
  protocol,
  chance,
  user: [...ranks.user],
  better: [...ranks.better],
  tied: [...ranks.tied],
});

const ranksRule = isRecordOf({
  protocol: isRecordOf({ name: isOneOf(...PROTOCOLS), on: isOneOf('test') }),
  user: isListOf(isWhole(FIRST_INDEX)),
  better: isListOf(isWhole(0)),
  tied: isListOf(isWhole(0)),
});
const recordRule = isRecordOf({
  seed: isEither(isOneOf(null), isWhole(0)),
  look: isEither(isOneOf(null), isWhole(1)),
  weights: isEither(isOneOf(null, undefined), isText),
  ranks: isRecordOf({ sampled: ranksRule, full: ranksRule }),
});

async function kept(path: string, weights: string | null, make: () => Promise<TestRecord>): Promise<TestRecord> {
  if (await isThere(path)) {
    const known = await readRecord(path);
    if (known.weights === undefined || known.weights === weights) return known;
  }
  const record = await make();
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, gzipSync(JSON.stringify(record)));
  return record;
}

async function readRecord(path: string): Promise<TestRecord> {
  let record: unknown;
  try {
    record = JSON.parse(Buffer.from(await unpack(await readFile(path))).toString('utf8'));
  } catch (error) {
    throw new CorruptFileError(`${path} is damaged: ${messageOf(error)}; delete it to have it made again`, {
      cause: error,
    });
  }
  const wrong = recordRule(record, '');
  if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}; delete it to have it made again`);
  return record as TestRecord;
}

/**
 * For how many users full ranking is; null for all. A row is estimated once, with its first ranker, so that all its seeds
 * rank for the same users.
 */
async function usersOf(
  comparison: Comparison,
  entry: Entry,
  withRanker: (probe: (ranker: Ranker) => Promise<number>) => Promise<number>,
): Promise<number | null> {
  const { dataset, plan } = comparison;
  const { fullUsers, fullMinutes } = plan.options;
  const targets = Array.from(dataset.targets.test).filter((position) => position >= 0).length;
  if (targets <= fullUsers) return null;
  if (fullMinutes === 0) return fullUsers;
  const path = join(folderOf(comparison, entry), 'full-ranking.json');
  const rule = isRecordOf({ users: isEither(isOneOf(null), isWhole(1)), secondsPerUser: isNumber() });
  if (await isThere(path)) {
    const known = await readJson(path);
    const wrong = rule(known, '');
    if (wrong !== null) throw new CorruptFileError(`${path} is damaged: ${wrong}; delete it to have it made again`);
    return (known as { users: number | null }).users;
  }
  const secondsPerUser = await withRanker(async (ranker) => {
    const options = { on: 'validation', protocol: 'full', users: PROBE, seed: SAMPLE_SEED } as const;
    await evaluate(ranker, dataset, options); // compiles, and works out the items' vectors
    const start = performance.now();
    const { users } = await evaluate(ranker, dataset, options);
    return (performance.now() - start) / 1000 / users;
  });
  const isQuick = secondsPerUser * targets < 60 * fullMinutes;
  const users = isQuick ? null : fullUsers;
  note(
    `${entry.label}: ranking all items for all ${targets} users may take ${duration(secondsPerUser * targets)}${isQuick ? '' : `, so it is done for ${fullUsers}`}`,
  );
  await mkdir(dirname(path), { recursive: true });
  await writeAtomically(path, `${JSON.stringify({ secondsPerUser, users }, null, 2)}\n`);
  return users;
}

/** Throws when it is asked to stop. */
export function checkSignal(signal: AbortSignal): void {
  if (signal.aborted) throw new InterruptedError('stopped');
}
