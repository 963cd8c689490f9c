/**
 * Products of one vector with many rows, as WebAssembly, four float32 at a time: the same loop in JavaScript takes several times as long.
 * The module is put together here, for a width. Knows rows; does not know what they stand for. rounded-rows.ts has the same for rows of bytes.
 */
import {
  type GrowableMemory,
  LARGEST_MEMORY,
  PAGE,
  compileModule,
  getOrCreate,
  growableMemory,
  instructions,
  pagesOf,
} from '../base/index.js';

type Code = instructions.Code;
const { I32, V128, get, set, load, add, multiply } = instructions;

type Products = (rows: number, count: number, vector: number, out: number) => void;

/** Parameters of `products`: byte offsets, and how many rows. */
export const [ROWS, COUNT, VECTOR, OUT] = [0, 1, 2, 3];

/**
 * A function `products` as a module: one row after another, the vector held in locals.
 * @param parameters what it takes beyond rows, count, vector and out
 * @param product given the locals that hold the vector, what computes the product of the row at `ROWS`
 */
export function productsModule(
  sizes: { readonly heldIn: number; readonly rowBytes: number; readonly parameters?: readonly number[] },
  product: (held: readonly number[], locals: instructions.Locals) => { readonly before: Code; readonly product: Code },
): Uint8Array {
  const parameters = [I32, I32, I32, I32, ...(sizes.parameters ?? [])];
  const locals = new instructions.Locals(parameters.length);
  const held = Array.from({ length: sizes.heldIn }, () => locals.next(V128));
  const own = product(held, locals);
  const body = [
    ...held.flatMap((local, i) => set(local, load(get(VECTOR), 16 * i))),
    ...instructions.loop([
      ...instructions.leaveIf(instructions.isZero(get(COUNT))),
      ...own.before,
      ...instructions.storeFloat(get(OUT), own.product),
      ...instructions.move(ROWS, sizes.rowBytes),
      ...instructions.move(OUT, 4),
      ...instructions.countDown(COUNT),
    ]),
  ];
  return instructions.moduleOf([{ name: 'products', parameters, results: [], locals, body }]);
}

/** Rows of four times `quads` float32. */
const ofQuads = (quads: number): Uint8Array =>
  productsModule({ heldIn: quads, rowBytes: 16 * quads }, (held, locals) => {
    const sum = locals.next(V128);
    const products = held.map((local, i) => multiply(load(get(ROWS), 16 * i), get(local)));
    return { before: set(sum, products.reduce(add)), product: instructions.sumOfLanes(sum) };
  });

const modules = new Map<number, ReturnType<typeof compileModule>>();

/** Rows on memory that threads share, each of which multiplies on room of its own. */
export interface SharedRows {
  readonly memory: GrowableMemory;
  readonly width: number;
  readonly count: number;
}

/** Room that threads may claim for themselves, at most. */
const CLAIMED = 2 ** 28;

/** Memory for rows, and room that threads claim behind them. */
export function memoryFor(bytes: number): GrowableMemory {
  return growableMemory(Math.max(1, bytes), Math.min(LARGEST_MEMORY, bytes + CLAIMED));
}

/** Room of a thread's own behind the rows: where it begins, for the bytes of a vector, and behind them for products. */
export function claimRoom(
  memory: GrowableMemory,
  vectorBytes: number,
  most: number,
): { own: number; results: Float32Array } {
  const own = PAGE * memory.grow(pagesOf(vectorBytes + 4 * most));
  return { own, results: new Float32Array(memory.buffer, own + vectorBytes, most) }; // of the memory after it grew
}

const quadsOf = (width: number): number => Math.max(1, Math.ceil(width / 4));

/**
 * Puts rows onto memory that threads share.
 * @param rows (count, width), copied
 */
export function sharedRows(rows: Float32Array, width: number): SharedRows {
  const count = rows.length / width;
  const stride = 4 * quadsOf(width);
  const memory = memoryFor(4 * stride * count);
  const padded = new Float32Array(memory.buffer, 0, stride * count);
  for (let row = 0; row < count; row++) padded.set(rows.subarray(row * width, (row + 1) * width), row * stride);
  return { memory, width, count };
}

/** Products of vectors with shared rows. */
export class RowProducts {
  readonly #width: number;
  readonly #stride: number;
  readonly #rows: Float32Array;
  readonly #vector: Float32Array;
  readonly #results: Float32Array;
  readonly #products: Products;

  /** @param most rows that are asked for at once, at most */
  constructor({ memory, width, count }: SharedRows, most = count) {
    const quads = quadsOf(width);
    this.#width = width;
    this.#stride = 4 * quads;
    const { own, results } = claimRoom(memory, 16 * quads, most);
    this.#rows = new Float32Array(memory.buffer, 0, this.#stride * count);
    this.#vector = new Float32Array(memory.buffer, own, this.#stride);
    this.#results = results;
    const instantiate = getOrCreate(modules, quads, () => compileModule(ofQuads(quads)));
    this.#products = instantiate(memory)['products'] as unknown as Products;
  }

  /** The products with rows [from, to), which hold until the next ones are asked for. */
  with(vector: Float32Array, from: number, to: number): Float32Array {
    this.#vector.set(vector.length === this.#width ? vector : vector.subarray(0, this.#width));
    this.#products(4 * this.#stride * from, to - from, this.#vector.byteOffset, this.#results.byteOffset);
    return this.#results.subarray(0, to - from);
  }

  /** A view of a row. */
  row(place: number): Float32Array {
    return this.#rows.subarray(place * this.#stride, place * this.#stride + this.#width);
  }
}
