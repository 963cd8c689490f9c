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

/** The first of the whole numbers from `start` on and before `end` for which something holds that then holds for all further ones; `end` if there is none. */
export function firstWhere(start: number, end: number, holds: (place: number) => boolean): number {
  let [low, high] = [start, end];
  while (low < high) {
    const middle = low + ((high - low) >> 1);
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Some rows of a table (…, width), copied, into `rows` if it is given. */
export function copyRows(
  table: Float32Array,
  width: number,
  indices: Int32Array,
  rows: Float32Array = new Float32Array(indices.length * width),
): Float32Array {
  for (let slot = 0; slot < indices.length; slot++) {
    const [source, target] = [(indices[slot] as number) * width, slot * width];
    for (let column = 0; column < width; column++) rows[target + column] = table[source + column] as number;
  }
  return rows;
}

/** Whole numbers, one part after another. */
export function concatenated(parts: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(parts.reduce((total, { length }) => total + length, 0));
  let start = 0;
  for (const part of parts) {
    whole.set(part, start);
    start += part.length;
  }
  return whole;
}

/** Where each of `count` groups begins when entries, whose groups these are, are put in order of them, and where the last one ends: (count + 1). */
export function offsetsOf(groups: Int32Array, count: number): Int32Array {
  const offsets = new Int32Array(count + 1);
  for (const group of groups) offsets[group + 1] = at(offsets, group + 1) + 1;
  for (let group = 0; group < count; group++) offsets[group + 1] = at(offsets, group + 1) + at(offsets, group);
  return offsets;
}

/** The entries in order of their groups, within a group as they come. */
export function grouped(groups: Int32Array, offsets: Int32Array): Int32Array {
  const free = offsets.slice();
  const order = new Int32Array(groups.length);
  groups.forEach((group, entry) => {
    const place = at(free, group);
    order[place] = entry;
    free[group] = place + 1;
  });
  return order;
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
 * The `count` largest of values that come in stretches, equal values by smaller index first; NaN never. Remembers no more
 * than those.
 */
export class Largest {
  readonly #count: number;
  // A binary min-heap of the best so far: its root is the worst one kept.
  readonly #values: number[] = [];
  readonly #indices: number[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Offers values of the indices firstIndex, firstIndex + 1, …; each index once, in whatever order. `allows` is asked for those only that would be kept. */
  offer(values: ArrayLike<number>, firstIndex = 0, allows: (index: number) => boolean = () => true): void {
    if (this.#count <= 0) return;
    let least = this.#least;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (!(value >= least)) continue; // NaN is not, either
      const index = firstIndex + i;
      const isFull = this.#values.length === this.#count;
      if ((isFull && !this.#isWorse(0, value, index)) || !allows(index)) continue;
      if (isFull) {
        this.#values[0] = value;
        this.#indices[0] = index;
        this.#sink();
      } else {
        this.#values.push(value);
        this.#indices.push(index);
        this.#rise(this.#values.length - 1);
      }
      least = this.#least;
    }
  }

  /** What was kept, largest first. */
  sorted(): { readonly index: number; readonly value: number }[] {
    return this.#values
      .map((value, i) => ({ index: at(this.#indices, i), value }))
      .sort((a, b) => b.value - a.value || a.index - b.index);
  }

  /** What a value must reach to be kept. */
  get #least(): number {
    return this.#values.length < this.#count ? -Infinity : (this.#values[0] as number);
  }

  #isWorse(i: number, value: number, index: number): boolean {
    const kept = this.#values[i] as number;
    return kept < value || (kept === value && (this.#indices[i] as number) > index);
  }

  #swap(i: number, j: number): void {
    const [value, index] = [at(this.#values, i), at(this.#indices, i)];
    this.#values[i] = at(this.#values, j);
    this.#indices[i] = at(this.#indices, j);
    this.#values[j] = value;
    this.#indices[j] = index;
  }

  #rise(start: number): void {
    for (let i = start; i > 0;) {
      const parent = (i - 1) >> 1;
      if (!this.#isWorse(i, at(this.#values, parent), at(this.#indices, parent))) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #sink(): void {
    for (let i = 0; ;) {
      let worst = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < this.#values.length && this.#isWorse(child, at(this.#values, worst), at(this.#indices, worst)))
          worst = child;
      }
      if (worst === i) return;
      this.#swap(i, worst);
      i = worst;
    }
  }
}

/** The value of a key, made at its first use and kept. */
export function getOrCreate<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const created = create();
  map.set(key, created);
  return created;
}

/** The n-th largest of some numbers, n from 1 to their count, none of them NaN. Leaves them in another order (Hoare's selection). */
export function nthLargest(values: Float32Array | Float64Array, n: number): number {
  let [low, high] = [0, values.length - 1];
  const place = n - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1] as number;
    let [left, right] = [low, high];
    while (left <= right) {
      while ((values[left] as number) > pivot) left++;
      while ((values[right] as number) < pivot) right--;
      if (left > right) break;
      const kept = values[left] as number;
      values[left++] = values[right] as number;
      values[right--] = kept;
    }
    if (place <= right) high = right;
    else if (place >= left) low = left;
    else break; // between the two all are the pivot
  }
  return values[place] as number;
}
