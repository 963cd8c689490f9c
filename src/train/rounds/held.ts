/**
 * The rows of tables that a share needs, and no others: tables may be larger than a worker's memory. Knows what batches number; does not know
 * what rows hold.
 */
import { assert, at, copyRows } from '../../base/index.js';
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
      return copyRows(data, shape[1] as number, rows);
    },
  };
}

/** Something for each kind of what batches number. */
export const byKind = <Value>(make: (kind: IdKind) => Value): Readonly<Record<IdKind, Value>> => ({
  items: make('items'),
  queries: make('queries'),
  words: make('words'),
  users: make('users'),
});

/** Rows by what they are of, ascending; row 0, of padding, is always the first. */
export type HeldRows = Readonly<Record<IdKind, Int32Array>>;

/** The rows that some batches read, and so move. */
export function rowsOf(batches: Iterable<StepBatch>): HeldRows {
  const met = byKind(() => new Set([0]));
  for (const batch of batches)
    for (const { ids } of batch) byKind((kind) => ids[kind].forEach((row) => met[kind].add(row)));
  return byKind((kind) => Int32Array.from(met[kind]).sort());
}

/** A batch whose ids say where rows are held. Their order stays, so sums over rows have the same bits. */
export function heldIn(rows: HeldRows, batch: StepBatch): StepBatch {
  return batch.map((part): Batch => ({
    ...part,
    ids: byKind((kind) => part.ids[kind].map((row) => placeOf(rows[kind], row))),
  })) as [Batch, ...Batch[]];
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
