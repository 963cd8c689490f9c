/**
 * What a comparison comes to: results.json. Knows means over seeds, who is best, and how sure that is; does not know how anything was
 * trained or tested, nor how results are shown.
 */
import { assert, at, hashOf } from '../../base/index.js';
import { FIRST_INDEX } from '../../data/index.js';
import {
  type MetricName,
  type Metrics,
  type Protocol,
  type StudentInterval,
  type UserRanks,
  hasSameUsers,
  intervalsOverSeeds,
  metricsOver,
  type ProtocolName,
  ranksOf,
} from '../../evaluate/index.js';
import { type Group, type RankerId, type Trial, buildModel, cardOf, groupOf } from '../../model/index.js';
import { type Entry, isTrained, nameOf } from './entries.js';
import { referencesIn } from './options.js';
import type { Comparison, ComparisonPlan } from './plan.js';
import { type ReferenceTest, RowTests, type RunnerUpTest } from './row-tests.js';
import { planOfRun, runBudget } from './run-plans.js';
import { type KeptRanks, PROTOCOLS, type TestRecord } from './test-ranks.js';
import { type Ended, type Trained, median } from './trainings.js';

export type PerProtocol<T> = Readonly<Record<ProtocolName, T>>;
type PerMetric<T> = Readonly<Record<MetricName, T>>;

/** All that is known of a row when its trainings and tests are done. */
export interface RowRecord {
  readonly entry: Entry;
  /** What came of each trial; none where there was nothing to choose from. */
  readonly trials: readonly Ended[];
  /** The trial that was best on validation; null for what is not trained, and where all failed. */
  readonly chosen: Trial | null;
  /** What came of each seed. */
  readonly runs: readonly Ended[];
  /** One per run that did not fail; one of what is counted. */
  readonly tests: readonly TestRecord[];
}

export interface SeedResult {
  readonly seed: number;
  /** The run directory, within that of the comparison. */
  readonly run: string;
  readonly weights: string;
  readonly epochs: number;
  readonly bestEpoch: number;
  readonly secondsPerEpoch: number;
  readonly validation: Metrics;
  /** Which look at the test of the run this was. */
  readonly look: number;
  readonly test: PerProtocol<Metrics>;
}

export interface RowResult {
  readonly label: string;
  readonly name: string;
  readonly model: RankerId;
  readonly preset: string | null;
  readonly group: Group;
  /** What it looks at with its settings; attributes by their names. */
  readonly sees: readonly string[];
  /** Learnt numbers; 0 for what is counted, null where all runs failed. */
  readonly parameters: number | null;
  /** What was tried, and its validation MRR; null for a trial that failed. */
  readonly trials: readonly { readonly trial: Trial; readonly score: number | null; readonly failed: string | null }[];
  readonly chosen: Trial | null;
  readonly seeds: readonly SeedResult[];
  /** What failed, in words. */
  readonly failed: readonly string[];
  /** Means over seeds; null where nothing was tested. The interval is mean ± halfWidth. */
  readonly test: PerProtocol<PerMetric<StudentInterval>> | null;
  /** Full ranking for all users, where the table is of a sample because other models would take too long; else null. */
  readonly fullForAll: PerMetric<StudentInterval> | null;
  /** Mean over seeds. */
  readonly epochs: number | null;
  /** Median over seeds, training alone. */
  readonly secondsPerEpoch: number | null;
}

export interface ComparisonResults {
  readonly format: 'sesrec-comparison-results';
  readonly version: 1;
  readonly plan: Omit<ComparisonPlan, 'format' | 'version' | 'startedAt' | 'entries'>;
  readonly data: {
    readonly users: number;
    readonly items: number;
    readonly feedEvents: number;
    readonly searches: number;
  };
  /** How the figures were got, and for whom: `usersHash` is SHA-256 over the ids of the users. */
  readonly protocols: PerProtocol<{
    readonly protocol: Protocol;
    readonly users: number;
    readonly usersHash: string;
    readonly chance: Metrics;
  }> | null;
  /** In the order of the table. */
  readonly rows: readonly RowResult[];
  /** The best row of every metric against the runner-up. */
  readonly tests: readonly RunnerUpTest[];
  /** The rows of reference against every other one. */
  readonly referenceTests: readonly ReferenceTest[];
}

/** Ranks of one row by seed, of the users that all rows ranked for; and of all users, where some rows have fewer. */
export interface RowRanks {
  readonly common: PerProtocol<readonly UserRanks[]>;
  readonly fullForAll: readonly UserRanks[] | null;
}

/** The results, and the ranks that they follow from, by the labels of rows. */
export function summariseComparison(
  comparison: Comparison,
  records: readonly RowRecord[],
): { results: ComparisonResults; ranks: ReadonlyMap<string, RowRanks> } {
  const { dataset, plan } = comparison;
  const smallest = smallestTests(records.flatMap(({ tests }) => tests));
  const ranks = records.map((record) => rowRanks(record, smallest));
  const rows = records.map((record, i) => rowResult(comparison, record, ranks[i] as RowRanks));
  const tests = new RowTests(
    rows,
    ranks.map(({ common }) => common),
  );
  const { format: _format, version: _version, startedAt: _started, entries: _entries, ...kept } = plan;
  const results: ComparisonResults = {
    format: 'sesrec-comparison-results',
    version: 1,
    plan: kept,
    data: {
      users: dataset.users.ids.length - FIRST_INDEX,
      items: dataset.items.ids.length - FIRST_INDEX,
      feedEvents: dataset.feedItem.length,
      searches: dataset.searchQuery.length,
    },
    protocols: smallest && perProtocol((name) => describe(smallest[name], comparison)),
    rows,
    tests: tests.runnerUp(),
    referenceTests: tests.againstReference(referencesIn(plan.options)),
  };
  return { results, ranks: new Map(rows.map(({ label }, i) => [label, ranks[i] as RowRanks])) };
}

export const perProtocol = <T>(value: (name: ProtocolName) => T): PerProtocol<T> =>
  Object.fromEntries(PROTOCOLS.map((name) => [name, value(name)])) as Record<ProtocolName, T>;

/** Of each protocol, the ranks for the fewest users: all rows have ranked for these. Null without any. */
export function smallestTests(tests: readonly TestRecord[]): PerProtocol<KeptRanks> | null {
  if (tests.length === 0) return null;
  return perProtocol((name) =>
    tests
      .map(({ ranks }) => ranks[name])
      .reduce((least, next) => (next.user.length < least.user.length ? next : least)),
  );
}

function describe({ protocol, chance, user }: KeptRanks, { dataset }: Comparison) {
  const ids = user.map((index) => dataset.users.ids[index]);
  return { protocol, users: user.length, usersHash: hashOf(JSON.stringify(ids)), chance };
}

function rowRanks({ tests }: RowRecord, smallest: PerProtocol<KeptRanks> | null): RowRanks {
  const common = perProtocol((name) =>
    tests.map(({ ranks }) => {
      const least = (smallest as PerProtocol<KeptRanks>)[name];
      assert(ranks[name].protocol.hash === least.protocol.hash, 'rows were ranked among other candidates');
      return hasSameUsers(ranks[name], least) ? ranks[name] : ranksOf(ranks[name], least.user);
    }),
  );
  const hasMore = tests.some(({ ranks }, i) => ranks.full.user.length > at(lengths(common.full), i));
  return { common, fullForAll: hasMore ? tests.map(({ ranks }) => ranks.full) : null };
}

const lengths = (ranks: readonly UserRanks[]): number[] => ranks.map(({ user }) => user.length);

function rowResult(comparison: Comparison, record: RowRecord, { common, fullForAll }: RowRanks): RowResult {
  const { entry, trials, chosen, runs } = record;
  const trained = runs.filter((run): run is Trained => run.outcome === 'trained');
  const metrics = perProtocol((name) => common[name].map(metricsOver));
  return {
    label: entry.label,
    name: nameOf(entry),
    model: entry.model,
    preset: isTrained(entry) ? entry.preset : null,
    group: groupOf(entry.model),
    sees: sightOf(comparison, record),
    parameters: isTrained(entry) ? (trained[0]?.parameters ?? null) : 0,
    trials: trials.map((ended) =>
      ended.outcome === 'trained'
        ? { trial: ended.trial, score: ended.best.score, failed: null }
        : { trial: ended.trial, score: null, failed: ended.reason },
    ),
    chosen,
    seeds: trained.map((run, i) =>
      seedResult(
        entry,
        run,
        record.tests[i] as TestRecord,
        perProtocol((name) => metrics[name][i] as Metrics),
      ),
    ),
    failed: failures(record),
    test: record.tests.length === 0 ? null : perProtocol((name) => intervalsOverSeeds(metrics[name])),
    fullForAll: fullForAll && intervalsOverSeeds(fullForAll.map(metricsOver)),
    epochs: trained.length === 0 ? null : trained.reduce((sum, { epochs }) => sum + epochs, 0) / trained.length,
    secondsPerEpoch: trained.length === 0 ? null : median(trained.map(({ secondsPerEpoch }) => secondsPerEpoch)),
  };
}

function seedResult(entry: Entry, run: Trained, { look }: TestRecord, test: PerProtocol<Metrics>): SeedResult {
  return {
    seed: run.seed,
    run: `runs/${entry.label}/seed-${run.seed}`,
    weights: run.weights,
    epochs: run.epochs,
    bestEpoch: run.best.epoch,
    secondsPerEpoch: run.secondsPerEpoch,
    validation: run.validation,
    look: look as number,
    test,
  };
}

function failures({ entry, trials, chosen, runs }: RowRecord): string[] {
  const failed = runs.flatMap((run) => (run.outcome === 'failed' ? [`seed ${run.seed}: ${run.reason}`] : []));
  const allTrials = isTrained(entry) && chosen === null && trials.length > 0;
  return allTrials ? [`all ${trials.length} trials failed`, ...failed] : failed;
}

/** What a row looks at, item attributes by their names. */
function sightOf({ dataset, plan }: Comparison, { entry, chosen }: RowRecord): string[] {
  if (!isTrained(entry)) return [...cardOf(entry.model).sees];
  const trial = chosen ?? (entry.trials[0] as Trial);
  const { config } = planOfRun(dataset, plan.options, entry, trial, runBudget(plan.options, entry, 1));
  const attributes = config.itemAttributes.map(({ name }) => name);
  return buildModel(entry.model, config).sees.flatMap((sight) => (sight === 'item attributes' ? attributes : [sight]));
}
