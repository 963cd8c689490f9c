/**
 * Products of one vector with many rows that are rounded to bytes: a quarter of the memory that row-products.ts reads, and eight numbers at a time. Each
 * column has a step of its own, a 127th of its largest value, so a product is off by about a hundredth of what a row adds to it, as likely up as down: good for finding
 * what is near the top, not for telling what is on top. Knows rows; does not know what they stand for.
 */
import { type GrowableMemory, at, compileModule, getOrCreate, instructions } from '../base/index.js';
import { ROWS, claimRoom, memoryFor, productsModule } from './row-products.js';

const { F32, V128, get, set, load, addIntegers, pairwiseProducts } = instructions;

type Products = (rows: number, count: number, vector: number, out: number, step: number) => void;
const STEP = 4;

/** The largest byte of a row, and the largest number of 16 bits of a vector: less where the sum of that many products would not fit into 32 bits. */
const LARGEST = 127;
const largestOfVector = (columns: number): number =>
  Math.min(2 ** 15 - 1, Math.floor((2 ** 31 - 1) / (LARGEST * columns)));

/** Rows of sixteen times `blocks` bytes. */
const ofBlocks = (blocks: number): Uint8Array =>
  productsModule({ heldIn: 2 * blocks, rowBytes: 16 * blocks, parameters: [F32] }, (held, locals) => {
    const [bytes, sum] = [locals.next(V128), locals.next(V128)];
    const productOf = (block: number): instructions.Code =>
      addIntegers(
        pairwiseProducts(instructions.lowToSixteenBits(get(bytes)), get(at(held, 2 * block))),
        pairwiseProducts(instructions.highToSixteenBits(get(bytes)), get(at(held, 2 * block + 1))),
      );
    return {
      before: Array.from({ length: blocks }, (_, block) => [
        ...set(bytes, load(get(ROWS), 16 * block)),
        ...set(sum, block === 0 ? productOf(block) : addIntegers(get(sum), productOf(block))),
      ]).flat(),
      product: instructions.multiplyFloat(instructions.toFloat(instructions.sumOfIntegers(sum)), get(STEP)),
    };
  });

const modules = new Map<number, ReturnType<typeof compileModule>>();

/** Rows on memory that threads share, each of which multiplies on room of its own. */
export interface RoundedRows {
  readonly memory: GrowableMemory;
  readonly count: number;
  /** (width): what 1 of a column stands for. */
  readonly steps: Float32Array;
}

const blocksOf = (width: number): number => Math.max(1, Math.ceil(width / 16));

/**
 * Puts rows onto memory that threads share.
 * @param rows (count, width), copied; @param order which of them, in which order
 */
export function roundedRows(rows: Float32Array, width: number, order: Int32Array): RoundedRows {
  const stride = 16 * blocksOf(width);
  const memory = memoryFor(stride * order.length);
  const bytes = new Int8Array(memory.buffer, 0, stride * order.length);
  const steps = new Float32Array(width);
  for (let place = 0; place < rows.length; place += width)
    for (let i = 0; i < width; i++)
      steps[i] = Math.max(steps[i] as number, Math.abs(rows[place + i] as number) / LARGEST);
  for (let row = 0; row < order.length; row++) {
    const from = (order[row] as number) * width;
    for (let i = 0; i < width; i++)
      bytes[row * stride + i] = Math.round((rows[from + i] as number) / ((steps[i] as number) || 1));
  }
  return { memory, count: order.length, steps };
}

/** Products of vectors with rounded rows. */
export class RoundedProducts {
  readonly #steps: Float32Array;
  readonly #stride: number;
  readonly #rows: Int8Array;
  readonly #vector: Int16Array;
  readonly #results: Float32Array;
  readonly #products: Products;

  /** @param most rows that are asked for at once, at most */
  constructor({ memory, count, steps }: RoundedRows, most = count) {
    const blocks = blocksOf(steps.length);
    this.#steps = steps;
    this.#stride = 16 * blocks;
    const { own, results } = claimRoom(memory, 32 * blocks, most);
    this.#rows = new Int8Array(memory.buffer, 0, this.#stride * count);
    this.#vector = new Int16Array(memory.buffer, own, this.#stride);
    this.#results = results;
    const instantiate = getOrCreate(modules, blocks, () => compileModule(ofBlocks(blocks)));
    this.#products = instantiate(memory)['products'] as unknown as Products;
  }

  /** Rounds a vector; what comes back tells its products with rows [from, to), which hold until the next ones are asked for. */
  with(vector: Float32Array): (from: number, to: number) => Float32Array {
    const stepped = this.#steps.map((step, i) => step * at(vector, i));
    const step = stepped.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / largestOfVector(stepped.length);
    for (let i = 0; i < stepped.length; i++) this.#vector[i] = step === 0 ? 0 : Math.round(at(stepped, i) / step);
    return (from, to) => {
      this.#products(this.#stride * from, to - from, this.#vector.byteOffset, this.#results.byteOffset, step);
      return this.#results.subarray(0, to - from);
    };
  }

  /** Copies a row, as it is rounded, to a place. */
  copyRow(row: number, target: Float32Array, place: number): void {
    const from = row * this.#stride;
    for (let i = 0; i < this.#steps.length; i++)
      target[place + i] = (this.#rows[from + i] as number) * (this.#steps[i] as number);
  }
}
