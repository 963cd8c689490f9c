/**
 * Update rules. Knows values, gradients, moments and which steps a row has missed; does not know graphs, models or data.
 * The arithmetic itself is in kernel.ts.
 *
 * `adam`        Kingma and Ba (2015), dense, with weight decay added to the gradient (coupled L2): what PyTorch's Adam
 *               does, and the reference. A row that a batch does not touch still moves, by decay and momentum
 *               (docs/sesrec.md). Its cost grows with the catalogue.
 * `adamCatchUp` the same bits as `adam`, row by row when they are needed: a step moves the rows a batch touches, and a row
 *               that missed steps makes up for them before it is next read. Its cost grows with the rows of a batch and the steps
 *               these missed, until they have faded to zero (kernel.ts).
 * `lazyAdam`    only the rows a batch touches move, and weight decay is decoupled (Loshchilov and Hutter, 2019): cheaper on
 *               large tables, and another training: rare rows keep their start instead of fading.
 *
 * What `adamCatchUp` needs beside the moments is the number of steps each row has seen, and the learning rate of every
 * step since all rows were level. Neither is saved: rows are levelled (`level`) before anybody else reads them, a saved
 * state included. Since replaying rounds at every step as `adam` does, where it is cut changes no bit.
 */
import { type GrowableMemory, UserError, assert, at, getOrCreate, growableMemory } from '../base/index.js';
import { type AdamKernel, compileAdam } from './kernel.js';

export const OPTIMIZERS = ['adam', 'adamCatchUp', 'lazyAdam'] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];

export interface OptimizerOptions {
  readonly kind: OptimizerName;
  readonly weightDecay: number;
  /** Decay rates of the moments. */
  readonly beta1?: number;
  readonly beta2?: number;
  readonly epsilon?: number;
}

/** The gradient of a table: one row of values per distinct table row, rows ascending. */
export interface RowGradient {
  readonly rows: Int32Array;
  /** (rows.length, width) */
  readonly values: Float32Array;
}

/** Values and moments on one memory, where they can be updated in place: byte offsets, and room to work from `work` on. */
export interface Place {
  readonly memory: GrowableMemory;
  readonly values: number;
  readonly first: number;
  readonly second: number;
  readonly work: number;
}

/** A parameter's values and moments, all of one length. Without a place they are copied to be updated. */
export interface Slot {
  readonly values: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
  readonly place?: Place | null;
}

/** Where the rows of the occurrences of a batch are: worked out before their gradients are known. */
export interface RowPlan {
  /** Distinct rows, ascending. */
  readonly rows: Int32Array;
  /** Occurrences by row, and in order within a row. */
  readonly occurrences: Int32Array;
  /** The first entry of each row in `occurrences`, and the end. */
  readonly starts: Int32Array;
}

/** Sorts occurrences by row. Row 0 is dropped when it stands for padding. */
export function planRows(indices: Int32Array, dropPadding: boolean): RowPlan {
  const { length } = indices;
  const keys = new Float64Array(length);
  let kept = 0;
  for (let occurrence = 0; occurrence < length; occurrence++) {
    const row = indices[occurrence] as number;
    if (row !== 0 || !dropPadding) keys[kept++] = row * length + occurrence;
  }
  const sorted = keys.subarray(0, kept).sort();
  const [rows, starts, occurrences] = [new Int32Array(kept), new Int32Array(kept + 1), new Int32Array(kept)];
  let distinct = 0;
  for (let i = 0; i < kept; i++) {
    const key = sorted[i] as number;
    const row = Math.floor(key / length);
    occurrences[i] = key - row * length;
    if (row !== rows[distinct - 1]) {
      rows[distinct] = row;
      starts[distinct++] = i;
    }
  }
  starts[distinct] = kept;
  return { rows: rows.subarray(0, distinct), occurrences, starts: starts.subarray(0, distinct + 1) };
}

/** Sums gradients of occurrences by row, in order of occurrence. They come in parts, (occurrences, width) each, that follow one another. */
export function sumByPlan(
  { rows, occurrences, starts }: RowPlan,
  parts: readonly Float32Array[],
  width: number,
): RowGradient {
  const values = new Float32Array(rows.length * width);
  for (let position = 0; position < rows.length; position++) {
    const [start, end, target] = [starts[position] as number, starts[position + 1] as number, position * width];
    for (let i = start; i < end; i++) {
      let [source, part] = [(occurrences[i] as number) * width, 0];
      let gradients = parts[0] as Float32Array;
      while (source >= gradients.length) {
        source -= gradients.length;
        gradients = parts[++part] as Float32Array;
      }
      for (let column = 0; column < width; column++)
        values[target + column] = (values[target + column] as number) + (gradients[source + column] as number);
    }
  }
  return { rows, values };
}

interface StepSize {
  readonly learningRate: number;
  /** How many steps have been taken, this one included. */
  readonly step: number;
}

/** One optimiser for dense parameters and tables alike. False: a value or moment that it wrote may not be finite, look. */
export interface Optimizer {
  /** Updates a parameter whose every value has a gradient. */
  updateDense(slot: Slot, gradient: Float32Array, size: StepSize): boolean;
  /** Updates a table (rows, width) from the gradients of some of its rows, which ascend. */
  updateRows(slot: Slot, width: number, gradient: RowGradient, size: StepSize): boolean;
  /** Makes some rows of a table what `updateRows` says they are by now. To be called before they are read; only `adamCatchUp` has anything to do. */
  catchUp(slot: Slot, rows: Int32Array): boolean;
  /** Makes all rows of all tables what they are by now. */
  level(): boolean;
}

/** Values that are worked on at once where they are not in place; also the gradients that are brought at once. */
const STRETCH = 8192;
/** Steps that a row can miss; before one more, all rows are levelled. */
const MOST_MISSED = 2 ** 15;
const GRADIENT_BYTES = 4 * STRETCH + 16; // the last four floats may be read past the end
/** What a place needs from `work` on. */
export const WORKING_BYTES = GRADIENT_BYTES + 8 * MOST_MISSED;
/** Values of a slot, and moments alike, take this many bytes of a memory: floats are read four at a time. */
export const placeBytes = (length: number): number => 16 * Math.ceil(length / 4);

const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** A kernel on a memory. A stretch of a slot is opened, worked on at the offsets `value`, `first` and `second`, and closed. */
class Workshop {
  readonly kernel: AdamKernel;
  readonly gradients: Float32Array;
  readonly gradientsAt: number;
  /** Rate and root of the steps since all rows were level. */
  readonly history: Float32Array;
  readonly historyAt: number;
  readonly #place: Place | null;
  readonly #copies: readonly [Float32Array, Float32Array, Float32Array] | null;
  value = 0;
  first = 0;
  second = 0;

  constructor(kernelOn: (memory: GrowableMemory) => AdamKernel, place: Place | null) {
    const own = 3 * placeBytes(STRETCH);
    const memory = place?.memory ?? growableMemory(own + WORKING_BYTES, own + WORKING_BYTES);
    const floats = (from: number, length: number): Float32Array => new Float32Array(memory.buffer, from, length);
    this.kernel = kernelOn(memory);
    this.gradientsAt = place?.work ?? own;
    this.historyAt = this.gradientsAt + GRADIENT_BYTES;
    this.gradients = floats(this.gradientsAt, STRETCH);
    this.history = floats(this.historyAt, 2 * MOST_MISSED);
    this.#place = place;
    if (place) {
      this.#copies = null;
    } else {
      [this.value, this.first, this.second] = [0, placeBytes(STRETCH), 2 * placeBytes(STRETCH)];
      this.#copies = [floats(this.value, STRETCH), floats(this.first, STRETCH), floats(this.second, STRETCH)];
    }
  }

  /** How much of a slot can be opened at once. */
  get most(): number {
    return this.#place ? 2 ** 29 : STRETCH;
  }

  open(slot: Slot, start: number, count: number): void {
    if (this.#copies) {
      this.#copies[0].set(slot.values.subarray(start, start + count));
      this.#copies[1].set(slot.first.subarray(start, start + count));
      this.#copies[2].set(slot.second.subarray(start, start + count));
    } else {
      const place = this.#place as Place;
      this.value = place.values + 4 * start;
      this.first = place.first + 4 * start;
      this.second = place.second + 4 * start;
    }
  }

  close(slot: Slot, start: number, count: number): void {
    if (!this.#copies) return;
    slot.values.set(this.#copies[0].subarray(0, count), start);
    slot.first.set(this.#copies[1].subarray(0, count), start);
    slot.second.set(this.#copies[2].subarray(0, count), start);
  }
}

/** A table that is caught up with. */
interface Table {
  readonly slot: Slot;
  readonly width: number;
  /** Steps of the history that each row has seen. */
  readonly seen: Int32Array;
}

export function createOptimizer({
  kind,
  weightDecay,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
}: OptimizerOptions): Optimizer {
  if (!(weightDecay >= 0)) throw new UserError(`weight decay must not be negative, not ${weightDecay}`);
  const isCoupled = kind !== 'lazyAdam';
  const kernelOn = compileAdam({ beta1, beta2, epsilon, coupledDecay: isCoupled ? weightDecay : 0 });
  const copying = new Workshop(kernelOn, null);
  const workshops = new Map<Place, Workshop>();
  const tables = new Map<Float32Array, Table>();
  /** Steps in the history, and the last of them. */
  let [missable, lastStep] = [0, NaN];

  const workshopOf = ({ place }: Slot): Workshop => {
    if (!place) return copying;
    return getOrCreate(workshops, place, () => {
      const workshop = new Workshop(kernelOn, place);
      workshop.history.set(copying.history.subarray(0, 2 * missable));
      return workshop;
    });
  };

  const sizesOf = ({ learningRate, step }: StepSize) => ({
    rate: learningRate / (1 - beta1 ** step),
    root: 1 / Math.sqrt(1 - beta2 ** step),
    shrink: isCoupled ? 1 : 1 - learningRate * weightDecay,
  });
  const remember = (entry: number, { rate, root }: { rate: number; root: number }): void => {
    for (const { history } of [copying, ...workshops.values()]) {
      history[2 * entry] = rate;
      history[2 * entry + 1] = root;
    }
  };

  /** Steps without a gradient for values start … end-1 of a slot. */
  const replay = (workshop: Workshop, slot: Slot, start: number, end: number, from: number, steps: number): number => {
    let sizes = 0;
    for (let next = start; next < end; next += workshop.most) {
      const count = Math.min(workshop.most, end - next);
      workshop.open(slot, next, count);
      const { kernel, value, first, second, historyAt } = workshop;
      sizes += kernel.replay(value, first, second, count, historyAt + 8 * from, steps);
      workshop.close(slot, next, count);
    }
    return sizes;
  };

  /** The rows' own steps. */
  const updateOnly = (slot: Slot, width: number, { rows, values }: RowGradient, size: StepSize): number => {
    const workshop = workshopOf(slot);
    const { kernel, gradients, gradientsAt } = workshop;
    const { rate, root, shrink } = sizesOf(size);
    const atOnce = Math.floor(STRETCH / width);
    assert(atOnce > 0, `rows of ${width} values are too wide`);
    let sizes = 0;
    for (let from = 0; from < rows.length; from += atOnce) {
      const to = Math.min(rows.length, from + atOnce);
      gradients.set(values.subarray(from * width, to * width));
      for (let position = from; position < to; position++) {
        const start = (rows[position] as number) * width;
        workshop.open(slot, start, width);
        const gradient = gradientsAt + 4 * (position - from) * width;
        sizes += kernel.update(workshop.value, workshop.first, workshop.second, gradient, width, rate, root, shrink);
        workshop.close(slot, start, width);
      }
    }
    return sizes;
  };

  const catchUp = ({ slot, width, seen }: Table, rows: Int32Array, until: number): number => {
    const workshop = workshopOf(slot);
    let sizes = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const from = seen[row] as number;
      if (from >= until) continue;
      sizes += replay(workshop, slot, row * width, (row + 1) * width, from, until - from);
      seen[row] = until;
    }
    return sizes;
  };

  const level = (): boolean => {
    let sizes = 0;
    for (const { slot, width, seen } of tables.values()) {
      const workshop = workshopOf(slot);
      for (let row = 0; row < seen.length;) {
        const [start, from] = [row, seen[row] as number];
        do row++;
        while (row < seen.length && seen[row] === from);
        if (from < missable) sizes += replay(workshop, slot, start * width, row * width, from, missable - from);
      }
      seen.fill(0);
    }
    missable = 0;
    return sizes <= LARGEST_FLOAT32;
  };

  return {
    updateDense(slot, gradient, size) {
      const { kernel, gradients, gradientsAt } = copying;
      const { rate, root, shrink } = sizesOf(size);
      const copied = { values: slot.values, first: slot.first, second: slot.second };
      let sizes = 0;
      for (let start = 0; start < slot.values.length; start += STRETCH) {
        const count = Math.min(STRETCH, slot.values.length - start);
        gradients.set(gradient.subarray(start, start + count));
        copying.open(copied, start, count);
        sizes += kernel.update(copying.value, copying.first, copying.second, gradientsAt, count, rate, root, shrink);
        copying.close(copied, start, count);
      }
      return sizes <= LARGEST_FLOAT32; // not so for NaN
    },
    updateRows(slot, width, gradient, size) {
      if (kind === 'lazyAdam') return updateOnly(slot, width, gradient, size) <= LARGEST_FLOAT32;
      const { rows } = gradient;
      let sizes = 0;
      if (kind === 'adam') {
        const workshop = workshopOf(slot);
        remember(0, sizesOf(size));
        let next = 0;
        for (let position = 0; position <= rows.length; position++) {
          const start = position < rows.length ? at(rows, position) * width : slot.values.length;
          if (start > next) sizes += replay(workshop, slot, next, start, 0, 1);
          next = start + width;
        }
        return sizes + updateOnly(slot, width, gradient, size) <= LARGEST_FLOAT32;
      }
      let sound = true;
      if (size.step !== lastStep) {
        if (missable === MOST_MISSED) sound = level();
        lastStep = size.step;
        workshopOf(slot);
        remember(missable++, sizesOf(size));
      }
      const known = tables.get(slot.values);
      const table = known ?? { slot, width, seen: new Int32Array(slot.values.length / width).fill(missable - 1) };
      if (!known) tables.set(slot.values, table);
      sizes += catchUp(table, rows, missable - 1) + updateOnly(slot, width, gradient, size);
      for (let position = 0; position < rows.length; position++) table.seen[rows[position] as number] = missable;
      return sound && sizes <= LARGEST_FLOAT32;
    },
    catchUp(slot, rows) {
      const table = tables.get(slot.values);
      return table === undefined || catchUp(table, rows, missable) <= LARGEST_FLOAT32;
    },
    level,
  };
}
