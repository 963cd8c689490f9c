/**
 * Products of one vector with many rows, as WebAssembly, four float32 at a time: the same loop in JavaScript takes several times as long.
 * The module is put together here, for a width. Knows rows; does not know what they stand for.
 */
import {
  type GrowableMemory,
  LARGEST_MEMORY,
  PAGE,
  compileModule,
  getOrCreate,
  growableMemory,
  pagesOf,
} from '../base/index.js';

type Code = readonly number[];
type Products = (rows: number, count: number, vector: number, out: number) => void;

const unsigned = (value: number): Code => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]);
const signed = (value: number): Code =>
  value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
const sized = (code: Code): Code => [...unsigned(code.length), ...code];
const text = (value: string): Code => sized([...Buffer.from(value)]);
const section = (id: number, content: Code): Code => [id, ...sized([1, ...content])];

const [I32, V128] = [0x7f, 0x7b];
const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number): Code => [0x21, ...unsigned(local)];
const vector = (operation: number): Code => [0xfd, ...unsigned(operation)];
const load = (local: number, offset: number): Code => [...get(local), ...vector(0), 2, ...unsigned(offset)];
const [ADD, MULTIPLY] = [vector(0xe4), vector(0xe6)];
const BLOCK_AND_LOOP: Code = [0x02, 0x40, 0x03, 0x40];
const LEAVE_AT_ZERO: Code = [0x45, 0x0d, 1];
const AGAIN_AND_ENDS: Code = [0x0c, 0, 0x0b, 0x0b, 0x0b];
const STORE: Code = [0x38, 2, 0];
/** "\0asm", version 1. */
const HEADER: Code = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const move = (local: number, by: number): Code => [...get(local), 0x41, ...signed(by), 0x6a, ...set(local)];

/** `products(rows, count, vector, out)`: places are byte offsets. Rows of four times `quads` float32. */
function assemble(quads: number): Uint8Array {
  const [rows, count, given, out] = [0, 1, 2, 3];
  const held = (quad: number): number => 4 + quad;
  const sum = 4 + quads;
  const lane = (which: number): Code => [...get(sum), ...vector(0x1f), which];
  const body: Code = [
    1, // kinds of locals
    ...unsigned(quads + 1),
    V128,
    ...Array.from({ length: quads }, (_, quad) => [...load(given, 16 * quad), ...set(held(quad))]).flat(),
    ...BLOCK_AND_LOOP,
    ...get(count),
    ...LEAVE_AT_ZERO,
    ...Array.from({ length: quads }, (_, quad) => [
      ...load(rows, 16 * quad),
      ...get(held(quad)),
      ...MULTIPLY,
      ...(quad === 0 ? [] : ADD),
    ]).flat(),
    ...set(sum),
    ...get(out),
    ...lane(0),
    ...[1, 2, 3].flatMap((which) => [...lane(which), 0x92]),
    ...STORE,
    ...move(rows, 16 * quads),
    ...move(out, 4),
    ...move(count, -1),
    ...AGAIN_AND_ENDS,
  ];
  return Uint8Array.from([
    ...HEADER,
    ...section(1, [0x60, ...sized([I32, I32, I32, I32]), 0]),
    ...section(2, [...text('memory'), ...text('memory'), 2, 3, ...unsigned(1), ...unsigned(65_536)]),
    ...section(3, [0]),
    ...section(7, [...text('products'), 0, 0]),
    ...section(10, sized(body)),
  ]);
}

const modules = new Map<number, ReturnType<typeof compileModule>>();

/** Rows on memory that threads share, each of which multiplies on room of its own. */
export interface SharedRows {
  readonly memory: GrowableMemory;
  readonly width: number;
  readonly count: number;
}

/** Room that threads may claim for themselves, at most. */
const CLAIMED = 2 ** 28;

const quadsOf = (width: number): number => Math.max(1, Math.ceil(width / 4));

/**
 * Puts rows onto memory that threads share.
 * @param rows (count, width), copied; @param order which of them, in which order; all unless told
 */
export function sharedRows(rows: Float32Array, width: number, order?: Int32Array): SharedRows {
  const count = order?.length ?? rows.length / width;
  const stride = 4 * quadsOf(width);
  const bytes = Math.max(1, 4 * stride * count);
  const memory = growableMemory(bytes, Math.min(LARGEST_MEMORY, bytes + CLAIMED));
  const padded = new Float32Array(memory.buffer, 0, stride * count);
  for (let row = 0; row < count; row++) {
    const from = (order ? (order[row] as number) : row) * width;
    for (let i = 0; i < width; i++) padded[row * stride + i] = rows[from + i] as number;
  }
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
    const own = PAGE * memory.grow(pagesOf(16 * quads + 4 * most));
    const { buffer } = memory; // after it grew
    this.#rows = new Float32Array(buffer, 0, this.#stride * count);
    this.#vector = new Float32Array(buffer, own, this.#stride);
    this.#results = new Float32Array(buffer, own + 16 * quads, most);
    const instantiate = getOrCreate(modules, quads, () => compileModule(assemble(quads)));
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
