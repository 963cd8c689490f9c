/** What the second version of the metrics says (test/oracles/metrics.py). Knows the file; computes nothing. */
import { readFileSync } from 'node:fs';

interface MetricsFixture {
  readonly corrections: readonly {
    readonly items: number;
    readonly candidates: number;
    readonly unbiasedRank: Readonly<Record<string, readonly number[]>>;
    readonly leastBias: Readonly<Record<string, readonly number[]>>;
    readonly biasVariance: readonly {
      readonly gamma: number;
      readonly values: Readonly<Record<string, readonly number[]>>;
    }[];
  }[];
  /** Item indices from 2; categories with 0 for none. */
  readonly lists: {
    readonly events: readonly number[];
    readonly categories: readonly number[];
    readonly lists: readonly (readonly number[])[];
    readonly histories: readonly (readonly number[])[];
    readonly coverage: number;
    readonly gini: number;
    readonly novelty: number;
    readonly diversity: number;
    readonly popularityLift: number;
  };
  readonly tau: readonly { readonly one: readonly number[]; readonly other: readonly number[]; readonly tau: number }[];
}

export const metricsFixture = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/metrics/metrics.json', import.meta.url), 'utf8'),
) as MetricsFixture;
