/** Helpers for typed arrays. Knows indices; does not know what they count. */

/** `values[index]` where the index is known to be in range. */
export function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}

/** The integers 0 … length-1. */
export function range(length: number): Int32Array {
  const values = new Int32Array(length);
  for (let i = 0; i < length; i++) values[i] = i;
  return values;
}

/** The smallest multiple of `step` that is at least `size` (and at least `step`). */
export function roundUp(size: number, step: number): number {
  return Math.max(1, Math.ceil(size / step)) * step;
}

/**
 * Whether all values are finite. Their sum tells: NaN and infinity stay in it, and no sum of float32 leaves the range of
 * float64. Four sums at a time, so that additions need not wait for each other.
 */
export function isFiniteEverywhere(values: Float32Array): boolean {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = values.length - (values.length % 4);
  for (let i = 0; i < whole; i += 4) {
    first += values[i] as number;
    second += values[i + 1] as number;
    third += values[i + 2] as number;
    fourth += values[i + 3] as number;
  }
  for (let i = whole; i < values.length; i++) first += values[i] as number;
  return Number.isFinite(first + second + third + fourth);
}

/**
 * Indices of the `count` largest values, best first; equal values by smaller index first; NaN never.
 * Fewer when there are fewer values.
 */
export function topIndices(values: ArrayLike<number>, count: number): number[] {
  // A binary min-heap of the best so far: its root is the worst one kept.
  const worse = (i: number, j: number): boolean =>
    at(values, i) < at(values, j) || (at(values, i) === at(values, j) && i > j);
  const heap: number[] = [];
  const sink = (start: number): void => {
    for (let i = start; ;) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && worse(heap[child] as number, heap[worst] as number)) worst = child;
      }
      if (worst === i) return;
      [heap[i], heap[worst]] = [heap[worst] as number, heap[i] as number];
      i = worst;
    }
  };
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(at(values, i))) continue;
    if (heap.length < count) {
      heap.push(i);
      for (let child = heap.length - 1; child > 0;) {
        const parent = (child - 1) >> 1;
        if (!worse(heap[child] as number, heap[parent] as number)) break;
        [heap[child], heap[parent]] = [heap[parent] as number, heap[child] as number];
        child = parent;
      }
    } else if (count > 0 && worse(heap[0] as number, i)) {
      heap[0] = i;
      sink(0);
    }
  }
  return heap.sort((i, j) => at(values, j) - at(values, i) || i - j);
}

/** The value of a key, made at its first use and kept. */
export function getOrCreate<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}
