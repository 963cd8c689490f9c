/**
 * The rows of tables that a share needs, and no others: tables may be larger than a worker's memory. Knows what batches number; does not know
 * what rows hold.
 */
import { assert, at } from '../../base/index.js';
import type { Batch } from '../../features/index.js';
import type { IdKind, NamedTensor } from '../../model/index.js';
import type { StepBatch } from '../step.js';

/** Where a round begins: parameters and moments, wherever they lie. */
export interface RoundStart {
  /** All values of a tensor. */
  whole(name: string): Promise<Float32Array>;
  /** Some rows of a table, which ascend: (rows.length, width). */
  rows(name: string, rows: Int32Array): Promise<Float32Array>;
}

/** A start that lies in memory. */
export function startFrom(tensors: ReadonlyMap<string, NamedTensor>): RoundStart {
  const found = (name: string): NamedTensor => {
    const tensor = tensors.get(name);
    assert(tensor, `the state of the round lacks ${name}`);
    return tensor;
  };
  return {
    whole: async (name) => found(name).data,
    rows: async (name, rows) => {
      const { data, shape } = found(name);
      const width = shape[1] as number;
      const values = new Float32Array(rows.length * width);
      rows.forEach((row, place) => values.set(data.subarray(row * width, (row + 1) * width), place * width));
      return values;
    },
  };
}

/** Rows by what they are of, ascending; row 0, of padding, is always the first. */
export type HeldRows = Readonly<Record<IdKind, Int32Array>>;

/** The rows that some batches read, and so move. */
export function rowsOf(batches: Iterable<StepBatch>): HeldRows {
  const met: Record<IdKind, Set<number>> = {
    items: new Set([0]),
    queries: new Set([0]),
    words: new Set([0]),
    users: new Set([0]),
  };
  for (const batch of batches)
    for (const { ids } of batch)
      for (const kind of Object.keys(met) as IdKind[]) for (const row of ids[kind]) met[kind].add(row);
  const ascending = (rows: Set<number>): Int32Array => Int32Array.from(rows).sort();
  return {
    items: ascending(met.items),
    queries: ascending(met.queries),
    words: ascending(met.words),
    users: ascending(met.users),
  };
}

/** A batch whose ids say where rows are held. Their order stays, so sums over rows have the same bits. */
export function heldIn(rows: HeldRows, batch: StepBatch): StepBatch {
  const places = (kind: IdKind, ids: Int32Array): Int32Array => ids.map((row) => placeOf(rows[kind], row));
  return batch.map((part): Batch => {
    const { items, queries, words, users } = part.ids;
    return {
      ...part,
      ids: {
        items: places('items', items),
        queries: places('queries', queries),
        words: places('words', words),
        users: places('users', users),
      },
    };
  }) as [Batch, ...Batch[]];
}

/** Where a row stands among those that ascend. */
function placeOf(rows: Int32Array, row: number): number {
  let [low, high] = [0, rows.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (at(rows, middle) < row) low = middle + 1;
    else high = middle;
  }
  assert(rows[low] === row, `row ${row} is not held`);
  return low;
}
