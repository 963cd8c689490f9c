/**
 * Which row of a comparison is better than which, user by user, and how sure that is. Knows ranks and what is tested with what;
 * does not know how ranks were got, nor how tests are shown.
 */
import { Random, at, getOrCreate } from '../../base/index.js';
import {
  METRICS,
  type MetricName,
  type PairedBootstrap,
  type PairedTest,
  type ProtocolName,
  type StudentInterval,
  type UserRanks,
  holm,
  pairedBootstrap,
  pairedTest,
  studentInterval,
  userMeans,
} from '../../evaluate/index.js';
import { PROTOCOLS } from './test-ranks.js';

/** Where corrected p values of both tests are below this, one row is called better than the other. */
export const LEVEL = 0.05;

/** The metric that rows are tested against each other in, and that is told first. */
export const CHIEF: MetricName = 'ndcg@10';

/** A row with its means over seeds; null where nothing of it was tested. */
interface Row {
  readonly label: string;
  readonly test: Readonly<Record<ProtocolName, Readonly<Record<MetricName, { readonly mean: number }>>>> | null;
}

/** Two rows in one metric under one protocol; `holm` is corrected for all tests of the same table. */
export interface RowTest {
  readonly protocol: ProtocolName;
  readonly metric: MetricName;
  /** Mean over users of (one row - the other), each user's metric averaged over seeds first, and its 95 % t-interval over users. */
  readonly difference: StudentInterval;
  /** Student's t-test over users. */
  readonly t: { readonly t: number; readonly degreesOfFreedom: number; readonly p: number; readonly holm: number };
  readonly bootstrap: {
    readonly interval: readonly [low: number, high: number];
    readonly resamples: number;
    readonly p: number;
    readonly holm: number;
  };
}

/** The best row and the runner-up of a metric. */
export interface RunnerUpTest extends RowTest {
  readonly best: string;
  readonly runnerUp: string;
}

/** A row of reference and another one, in NDCG@10: the difference is above 0 where the reference is better. */
export interface ReferenceTest extends RowTest {
  readonly reference: string;
  readonly other: string;
}

/** What both tests say of a pair together, of the first of its rows. */
export type Verdict = 'better' | 'worse' | 'not told apart';

export function verdictOf({ difference, t, bootstrap }: Pick<RowTest, 'difference' | 't' | 'bootstrap'>): Verdict {
  if (!(t.holm < LEVEL && bootstrap.holm < LEVEL)) return 'not told apart';
  return difference.mean > 0 ? 'better' : 'worse';
}

/** Whether a table has so many tests that the bootstrap, which knows no p below 1 / (resamples + 1), can tell nothing apart after Holm. */
export const areTooMany = (tests: readonly RowTest[]): boolean =>
  tests.length > 0 && tests.length / (1 + (tests[0] as RowTest).bootstrap.resamples) >= LEVEL;

export const TOO_MANY =
  'So many tests are more than this bootstrap can correct for: nothing is told apart here. Name fewer rows of reference.';

/** Whether both tests tell the best row from the runner-up. */
export const isSure = (tests: readonly RunnerUpTest[], protocol: ProtocolName, metric: MetricName): boolean =>
  tests.some((test) => test.protocol === protocol && test.metric === metric && verdictOf(test) === 'better');

/** The rows that were tested, best first; equal ones as in the table. */
export function order<R extends Row>(rows: readonly R[], protocol: ProtocolName, metric: MetricName): R[] {
  const value = ({ test }: R): number => (test as NonNullable<typeof test>)[protocol][metric].mean;
  return rows.filter(({ test }) => test !== null).sort((one, other) => value(other) - value(one));
}

type RanksBySeed = Readonly<Record<ProtocolName, readonly UserRanks[]>>;

/** The tests of a comparison. A pair that stands in two tables has the same figures in both, whichever row is named first, but for the correction. */
export class RowTests {
  readonly #rows: readonly Row[];
  readonly #ranks: readonly RanksBySeed[];
  readonly #means = new Map<string, Readonly<Record<MetricName, Float64Array>>>();
  readonly #known = new Map<string, Uncorrected>();

  /** @param ranks those of the rows, in their order, all of the same users */
  constructor(rows: readonly Row[], ranks: readonly RanksBySeed[]) {
    this.#rows = rows;
    this.#ranks = ranks;
  }

  /** The best against the runner-up in every metric under each protocol, all corrected together. */
  runnerUp(): RunnerUpTest[] {
    const pairs = PROTOCOLS.flatMap((protocol) =>
      METRICS.flatMap((metric) => {
        const [one, other] = order(this.#rows, protocol, metric);
        return one && other ? [{ protocol, metric, one, other }] : [];
      }),
    );
    return this.#corrected(pairs).map(({ one, other, ...test }) => ({
      ...test,
      best: one.label,
      runnerUp: other.label,
    }));
  }

  /**
   * Rows of reference against every other row under each protocol, all corrected together; two of reference meet once.
   * @param labels rows of reference; of each protocol the best where none is named. One that was not tested is left out.
   */
  againstReference(labels: readonly string[]): ReferenceTest[] {
    const pairs = PROTOCOLS.flatMap((protocol) => {
      const ranked = order(this.#rows, protocol, CHIEF);
      const references =
        labels.length === 0 ? ranked.slice(0, 1) : ranked.filter(({ label }) => labels.includes(label));
      return references.flatMap((one, i) =>
        ranked
          .filter((other) => other !== one && !references.slice(0, i).includes(other))
          .map((other) => ({ protocol, metric: CHIEF, one, other })),
      );
    });
    return this.#corrected(pairs).map(({ one, other, ...test }) => ({
      ...test,
      reference: one.label,
      other: other.label,
    }));
  }

  /** The tests of a table. */
  #corrected(pairs: readonly Pair[]): (RowTest & Pair)[] {
    const tests = pairs.map((pair) => ({ ...pair, ...this.#uncorrected(pair) }));
    const adjusted = {
      t: holm(tests.map(({ t }) => t.p)),
      bootstrap: holm(tests.map(({ bootstrap }) => bootstrap.p)),
    };
    return tests.map(({ t, bootstrap: { interval, resamples, p }, ...test }, i) => ({
      ...test,
      t: { ...t, holm: at(adjusted.t, i) },
      bootstrap: { interval, resamples, p, holm: at(adjusted.bootstrap, i) },
    }));
  }

  /** A pair is tested once, in the order of its labels. */
  #uncorrected({ one, other, ...pair }: Pair): Uncorrected {
    const isTurned = one.label > other.label;
    const inOrder = isTurned ? { ...pair, one: other, other: one } : { ...pair, one, other };
    const test = getOrCreate(this.#known, keyOf(inOrder), () => this.#test(inOrder));
    return isTurned ? turned(test) : test;
  }

  #test({ protocol, metric, one, other }: Pair): Uncorrected {
    const [own, others] = [this.#meansOf(one, protocol)[metric], this.#meansOf(other, protocol)[metric]];
    const differences = own.map((value, user) => value - at(others, user));
    const random = new Random(1, 'runner-up', protocol, metric, one.label, other.label);
    return {
      difference: studentInterval(differences),
      t: pairedTest(differences),
      bootstrap: pairedBootstrap(differences, { random }),
    };
  }

  #meansOf(row: Row, protocol: ProtocolName): Readonly<Record<MetricName, Float64Array>> {
    return getOrCreate(this.#means, `${protocol} ${row.label}`, () =>
      userMeans((this.#ranks[this.#rows.indexOf(row)] as RanksBySeed)[protocol]),
    );
  }
}

interface Pair {
  readonly protocol: ProtocolName;
  readonly metric: MetricName;
  readonly one: Row;
  readonly other: Row;
}

const keyOf = ({ protocol, metric, one, other }: Pair): string => [protocol, metric, one.label, other.label].join(' ');

/** A test by itself, before it is corrected for the others of its table. */
interface Uncorrected {
  readonly difference: StudentInterval;
  readonly t: PairedTest;
  readonly bootstrap: PairedBootstrap;
}

/** The test of the same two rows, the other one first. */
function turned({ difference, t, bootstrap }: Uncorrected): Uncorrected {
  const [low, high] = bootstrap.interval;
  return {
    difference: { ...difference, mean: -difference.mean },
    t: { ...t, t: -t.t },
    bootstrap: { ...bootstrap, interval: [-high, -low] },
  };
}
