/**
 * The values of a model's parameters. Knows names, shapes and how values start; does not know gradients or updates.
 *
 * Embedding tables lie on shared memory, outside every graph: a batch gathers the rows it needs. (Tensors handed to
 * ONNX Runtime cannot be on shared memory, so rows are copied out.)
 */
import { CorruptFileError, Random, assert, at } from '../base/index.js';
import type { Batch } from '../features/index.js';
import { sizeOf } from '../tensor/index.js';
import type { Lookup, ParameterDescription } from './layers.js';
import type { NamedTensor } from './safetensors.js';

/** Zeros on memory that threads can share. */
export function sharedZeros(length: number): Float32Array {
  return new Float32Array(new SharedArrayBuffer(4 * length));
}

export class Parameters {
  readonly descriptions: readonly ParameterDescription[];
  readonly #values = new Map<string, Float32Array>();

  /** All zeros; call `initialise` or `load`. */
  constructor(descriptions: Iterable<ParameterDescription>) {
    this.descriptions = [...descriptions];
    for (const { name, shape, table } of this.descriptions) {
      this.#values.set(name, table ? sharedZeros(sizeOf(shape)) : new Float32Array(sizeOf(shape)));
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
      switch (initialiser.kind) {
        case 'constant':
          values.fill(initialiser.value);
          break;
        case 'xavierNormal': {
          const deviation = Math.sqrt(2 / (initialiser.fanIn + initialiser.fanOut));
          for (let i = 0; i < values.length; i++) values[i] = deviation * random.normal();
          break;
        }
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
      if (!found.data.every(Number.isFinite))
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

  /** Some rows of a table, copied. */
  rowsOf(table: string, indices: Int32Array): Float32Array {
    const values = this.get(table);
    const width = (this.descriptions.find(({ name }) => name === table) as ParameterDescription).shape[1] as number;
    const rows = new Float32Array(indices.length * width);
    for (let slot = 0; slot < indices.length; slot++) {
      const start = at(indices, slot) * width;
      for (let column = 0; column < width; column++) rows[slot * width + column] = at(values, start + column);
    }
    return rows;
  }
}
