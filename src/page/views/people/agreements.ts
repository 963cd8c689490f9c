/** What agrees with what: the affinity between feed and searches, by ordinals. Knows the matrix of an answer; draws nothing. */
import type { Affinity } from '../../../serve/schemas/index.js';

export interface Agreement {
  readonly ordinal: number;
  readonly value: number;
}

export interface Agreements {
  /** What of the other lane an action agrees with, the most first; empty for what the model does not see. */
  readonly of: (ordinal: number) => readonly Agreement[];
  /** The pairs that agree most, at most `count`. */
  readonly strongest: (
    count: number,
  ) => readonly { readonly feed: number; readonly search: number; readonly value: number }[];
}

export function agreementsIn(affinity: Affinity | null | undefined): Agreements {
  const { feed, search, values } = affinity ?? { feed: [], search: [], values: [] };
  const rows = new Map(feed.map((ordinal, row) => [ordinal, row]));
  const columns = new Map(search.map((ordinal, column) => [ordinal, column]));
  const sorted = (found: Agreement[]): Agreement[] => found.sort((a, b) => b.value - a.value);
  return {
    of: (ordinal) => {
      const row = rows.get(ordinal);
      if (row !== undefined)
        return sorted(search.map((other, i) => ({ ordinal: other, value: values[row]?.[i] ?? 0 })));
      const column = columns.get(ordinal);
      if (column === undefined) return [];
      return sorted(feed.map((other, i) => ({ ordinal: other, value: values[i]?.[column] ?? 0 })));
    },
    strongest: (count) =>
      feed
        .flatMap((from, row) =>
          search.map((to, column) => ({ feed: from, search: to, value: values[row]?.[column] ?? 0 })),
        )
        .filter(({ value }) => value > 0)
        .sort((a, b) => b.value - a.value)
        .slice(0, count),
  };
}
