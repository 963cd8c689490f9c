/** What an independent implementation says of the analyses' numbers (test/oracles/analyses.py). Knows where it lies. */
import { readFileSync } from 'node:fs';

type TwoWays = Readonly<Record<'perUser' | 'users' | 'pooled', number>>;

interface Answers {
  readonly jensenShannon: readonly { readonly one: number[]; readonly other: number[]; readonly answer: number }[];
  readonly auc: readonly { readonly scores: number[]; readonly positive: number[]; readonly answer: number }[];
  readonly box: readonly {
    readonly values: number[];
    readonly answer: {
      readonly mean: number;
      readonly quartiles: number[];
      readonly whiskers: number[];
      readonly outliers: number;
    };
  }[];
  readonly signTest: readonly Readonly<Record<'positive' | 'negative' | 'answer', number>>[];
  readonly planted: {
    readonly windows: readonly (readonly {
      readonly lane: 'feed' | 'search';
      readonly category: string;
      readonly interest: string;
      readonly score: number;
      readonly isSimilar: boolean;
    }[])[];
    readonly answers: Readonly<
      Record<
        'interest' | 'category' | 'kind',
        Readonly<
          Record<
            'feed' | 'search',
            Readonly<Record<'auc' | 'precision' | 'recall', TwoWays>> & {
              readonly actions: number;
              readonly similar: number;
            }
          >
        >
      >
    >;
  };
}

export const answers = JSON.parse(
  readFileSync(new URL('../../../test/fixtures/analyses.json', import.meta.url), 'utf8'),
) as Answers;
