/**
 * The values of a model's parameters. Knows names, shapes and how values start; does not know gradients or updates.
 *
 * Embedding tables lie on shared memory, outside every graph: a batch gathers the rows it needs. (Tensors handed to
 * ONNX Runtime cannot be on shared memory, so rows are copied out.) That memory can grow, so that training finds room for the
 * moments beside the values and updates both in place.
 */
import {
  CorruptFileError,
  type GrowableMemory,
  LARGEST_MEMORY,
  Random,
  UserError,
  assert,
  copyRows,
  growableMemory,
  isFiniteEverywhere,
  pagesOf,
} from '../../base/index.js';
import type { Batch } from '../../features/index.js';
import { sizeOf } from '../../tensor/index.js';
import type { Lookup, ParameterDescription } from '../layers/layers.js';
import type { NamedTensor } from './safetensors.js';

/** Zeros on memory that threads can share. More than there is room for is a `UserError`. */
export function sharedZeros(length: number): Float32Array {
  try {
    return new Float32Array(new SharedArrayBuffer(4 * length));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(
      `${length} values of one parameter need ${(length / 2 ** 28).toFixed(1)} GiB in one piece, which Node (up to 2^32 - 1 values) or this machine has not: train with fewer rows or narrower vectors`,
      { cause: error },
    );
  }
}

/** Values and two moments, and a little more; what does not fit into one memory must do without. */
function tableMemory(length: number): GrowableMemory | null {
  const most = 3 * 4 * length + 2 ** 20;
  if (most > LARGEST_MEMORY) return null;
  try {
    return growableMemory(4 * length, most);
  } catch (error) {
    if (error instanceof RangeError) return null; // no room for its addresses
    throw error;
  }
}

export class Parameters {
  readonly descriptions: readonly ParameterDescription[];
  readonly #values = new Map<string, Float32Array>();
  readonly #memories = new Map<string, GrowableMemory>();
  readonly #widths = new Map<string, number>();

  /** All zeros; call `initialise` or `load`. */
  constructor(descriptions: Iterable<ParameterDescription>) {
    this.descriptions = [...descriptions];
    for (const { name, shape, table } of this.descriptions) {
      const length = sizeOf(shape);
      const memory = table ? tableMemory(length) : null;
      if (memory) this.#memories.set(name, memory);
      if (table) this.#widths.set(name, shape[1] as number);
      const shared = (): Float32Array => (memory ? new Float32Array(memory.buffer, 0, length) : sharedZeros(length));
      this.#values.set(name, table ? shared() : new Float32Array(length));
    }
  }

  /** Room for `bytes` beside a table, whose values begin its memory; null when there is none. */
  roomBeside(name: string, bytes: number): { readonly memory: GrowableMemory; readonly from: number } | null {
    const memory = this.#memories.get(name);
    if (!memory) return null;
    try {
      return { memory, from: 2 ** 16 * memory.grow(pagesOf(bytes)) };
    } catch (error) {
      if (error instanceof RangeError) return null; // somebody has it already
      throw error;
    }
  }

  /** The values of a parameter, row-major; writing to them changes the model. */
  get(name: string): Float32Array {
    const values = this.#values.get(name);
    assert(values, `there is no parameter ${name}`);
    return values;
  }

  /** The number of values of all parameters. */
  get size(): number {
    return this.descriptions.reduce((total, { shape }) => total + sizeOf(shape), 0);
  }

  /** Draws every parameter's start from a stream of its own name, so that the order of declaration does not matter. */
  initialise(seed: number): void {
    for (const { name, initialiser, padding, shape } of this.descriptions) {
      const values = this.get(name);
      const random = new Random(seed, 'initialise', name);
      const drawNormal = (deviation: number): void => {
        for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal();
      };
      switch (initialiser.kind) {
        case 'constant':
          values.fill(initialiser.value);
          break;
        case 'normal':
          drawNormal(initialiser.deviation);
          break;
        case 'xavierNormal':
          drawNormal(Math.sqrt(2 / (initialiser.fanIn + initialiser.fanOut)));
          break;
        case 'xavierUniform': {
          const bound = Math.sqrt(6 / (initialiser.fanIn + initialiser.fanOut));
          for (let i = 0; i < values.length; i++) values[i] = bound * (2 * random.float() - 1);
          break;
        }
      }
      if (padding === 'zero') values.fill(0, 0, shape[1]);
    }
  }

  /** Copies in the tensors of a checkpoint: all of them, of the right shapes, or a `CorruptFileError` that names `where`. */
  load(tensors: ReadonlyMap<string, NamedTensor>, where: string): void {
    for (const { name, shape } of this.descriptions) {
      const found = tensors.get(name);
      if (!found) throw new CorruptFileError(`${where} has no parameter ${name}: it belongs to another model`);
      if (found.shape.join() !== shape.join())
        throw new CorruptFileError(`${where}: parameter ${name} is [${found.shape}], the model needs [${shape}]`);
      if (!isFiniteEverywhere(found.data))
        throw new CorruptFileError(`${where}: parameter ${name} holds values that are not numbers`);
    }
    for (const { name } of this.descriptions) this.get(name).set((tensors.get(name) as NamedTensor).data);
  }

  /** Every parameter as a named tensor that shares memory with it. */
  tensors(): Map<string, NamedTensor> {
    return new Map(this.descriptions.map(({ name, shape }) => [name, { shape, data: this.get(name) }]));
  }

  /** The values of all parameters that graphs take whole, by name. */
  dense(): Record<string, Float32Array> {
    return Object.fromEntries(
      this.descriptions.filter(({ table }) => !table).map(({ name }) => [name, this.get(name)]),
    );
  }

  /** The rows that a batch needs, by the lookup's key: fresh copies, one row after another. */
  rows(lookups: Iterable<Lookup>, ids: Batch['ids']): Record<string, Float32Array> {
    const result: Record<string, Float32Array> = {};
    for (const { key, table, ids: kind } of lookups) result[key] = this.rowsOf(table, ids[kind]);
    return result;
  }

  /** The width of a table's rows. */
  widthOf(table: string): number {
    const width = this.#widths.get(table);
    assert(width !== undefined, `parameter ${table} is no table`);
    return width;
  }

  /** Some rows of a table, copied, into `rows` if it is given. */
  rowsOf(table: string, indices: Int32Array, rows?: Float32Array): Float32Array {
    return copyRows(this.get(table), this.widthOf(table), indices, rows);
  }
}
