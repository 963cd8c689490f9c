/**
 * Update rules. Knows values, gradients and moments; does not know graphs, models or data.
 *
 * `adam`      Kingma and Ba (2015), dense, with weight decay added to the gradient (coupled L2): what PyTorch's Adam does,
 *             and the reference. A row that a batch does not touch still moves, by decay and momentum (docs/sesrec.md).
 * `lazyAdam`  only the rows a batch touches move, and weight decay is decoupled (Loshchilov and Hutter, 2019): cheaper on
 *             large tables, and another training: rare rows keep their start instead of fading.
 */
import { UserError, at } from '../base/index.js';

export type OptimizerName = 'adam' | 'lazyAdam';

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

/** A parameter's values and moments, all of one length. */
export interface Slot {
  readonly values: Float32Array;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

const LARGEST_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/** Sums the gradients of repeated rows, in order of occurrence, and sorts rows ascending. Row 0 is dropped when it stands for padding. */
export function sumByRow(
  indices: Int32Array,
  gradients: Float32Array,
  width: number,
  dropPadding: boolean,
): RowGradient {
  const rows = Int32Array.from(new Set(indices))
    .sort()
    .filter((row) => !(dropPadding && row === 0));
  const place = new Map<number, number>();
  rows.forEach((row, position) => place.set(row, position));
  const values = new Float32Array(rows.length * width);
  for (let occurrence = 0; occurrence < indices.length; occurrence++) {
    const position = place.get(at(indices, occurrence));
    if (position === undefined) continue;
    for (let column = 0; column < width; column++) {
      values[position * width + column] =
        at(values, position * width + column) + at(gradients, occurrence * width + column);
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
  /** Updates a table (rows, width) from the gradients of some of its rows. */
  updateRows(slot: Slot, width: number, gradient: RowGradient, size: StepSize): boolean;
}

export function createOptimizer({
  kind,
  weightDecay,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
}: OptimizerOptions): Optimizer {
  if (!(weightDecay >= 0)) throw new UserError(`weight decay must not be negative, not ${weightDecay}`);
  const coupled = kind === 'adam';

  /**
   * Values start … end-1 of a slot with gradients from `offset` on; a missing gradient is zero. Loops over plain
   * numbers: this is the trainer's hot path outside the graph. Numbers that float32 cannot hold are
   * found in passing: none is larger than the sum of all sizes. (A first moment is never much larger than the root of
   * the second.)
   */
  const update = (
    slot: Slot,
    start: number,
    end: number,
    gradient: Float32Array | null,
    offset: number,
    { learningRate, step }: StepSize,
  ): boolean => {
    const { values, first, second } = slot;
    const rate = learningRate / (1 - beta1 ** step);
    const root = 1 / Math.sqrt(1 - beta2 ** step);
    const shrink = coupled ? 1 : 1 - learningRate * weightDecay;
    const coupledDecay = coupled ? weightDecay : 0;
    let sizes = 0;
    for (let i = start; i < end; i++) {
      const value = values[i] as number;
      const slope = (gradient === null ? 0 : (gradient[offset + i - start] as number)) + coupledDecay * value;
      const mean = beta1 * (first[i] as number) + (1 - beta1) * slope;
      const variance = beta2 * (second[i] as number) + (1 - beta2) * slope * slope;
      first[i] = mean;
      second[i] = variance;
      const next = shrink * value - (rate * mean) / (Math.sqrt(variance) * root + epsilon);
      values[i] = next;
      sizes += variance + Math.abs(next);
    }
    return sizes <= LARGEST_FLOAT32; // not so for NaN
  };

  return {
    updateDense: (slot, gradient, size) => update(slot, 0, slot.values.length, gradient, 0, size),
    updateRows: (slot, width, { rows, values }, size) => {
      let next = 0;
      let finite = true;
      for (let position = 0; position < rows.length; position++) {
        const start = at(rows, position) * width;
        if (coupled && start > next) finite = update(slot, next, start, null, 0, size) && finite;
        finite = update(slot, start, start + width, values, position * width, size) && finite;
        next = start + width;
      }
      if (coupled) finite = update(slot, next, slot.values.length, null, 0, size) && finite;
      return finite;
    },
  };
}
