/** Numbers for what a batch repeats many times. Knows indices; does not know what they are of. */
import { at } from '../base/index.js';

/** Numbers distinct indices in order of appearance; slot 0 is padding. */
export class Slots {
  readonly indices: number[] = [0];
  #slotOf: Int32Array;

  constructor(size: number) {
    this.#slotOf = new Int32Array(size);
  }
  slot(index: number): number {
    if (index === 0) return 0;
    if (index >= this.#slotOf.length) {
      const longer = new Int32Array(2 * index);
      longer.set(this.#slotOf);
      this.#slotOf = longer;
    }
    let slot = at(this.#slotOf, index);
    if (slot === 0) {
      slot = this.indices.length;
      this.indices.push(index);
      this.#slotOf[index] = slot;
    }
    return slot;
  }
  slots(values: Int32Array): Int32Array {
    const slots = new Int32Array(values.length);
    for (let i = 0; i < values.length; i++) slots[i] = this.slot(values[i] as number);
    return slots;
  }
  clear(): void {
    for (const index of this.indices) this.#slotOf[index] = 0;
    this.indices.length = 1;
  }
}

/** 1 where there is something. Loops, here and below: a batch has tens of thousands of positions. */
export function maskOf(values: Int32Array): Float32Array {
  const mask = new Float32Array(values.length);
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) mask[i] = 1;
  return mask;
}

/** With zeros behind. */
export const padded = (values: ArrayLike<number>, size: number): Int32Array => {
  const result = new Int32Array(size);
  result.set(values);
  return result;
};
