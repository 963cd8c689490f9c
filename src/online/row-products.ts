/**
 * Products of one vector with many rows, as WebAssembly, four float32 at a time: the same loop in JavaScript takes several times as long, and it
 * runs where requests are answered. The module is put together here, for a width. Knows rows; does not know what they stand for.
 */
import { compileModule, getOrCreate, growableMemory } from '../base/index.js';

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

/** Rows that vectors are multiplied with. */
export class RowProducts {
  readonly #width: number;
  readonly #stride: number;
  readonly #vector: Float32Array;
  readonly #results: Float32Array;
  readonly #rows: Float32Array;
  readonly #products: Products;

  /** @param rows (count, width), copied; @param order which of them, in which order; all unless told */
  constructor(rows: Float32Array, width: number, order?: Int32Array) {
    const count = order?.length ?? rows.length / width;
    const quads = Math.max(1, Math.ceil(width / 4));
    this.#width = width;
    this.#stride = 4 * quads;
    const bytes = 16 * quads + 4 * count + 16 * quads * count;
    const memory = growableMemory(bytes, bytes);
    this.#vector = new Float32Array(memory.buffer, 0, this.#stride);
    this.#rows = new Float32Array(memory.buffer, 16 * quads, this.#stride * count);
    this.#results = new Float32Array(memory.buffer, 16 * quads + 16 * quads * count, count);
    for (let row = 0; row < count; row++) {
      const from = (order ? (order[row] as number) : row) * width;
      for (let i = 0; i < width; i++) this.#rows[row * this.#stride + i] = rows[from + i] as number;
    }
    const instantiate = getOrCreate(modules, quads, () => compileModule(assemble(quads)));
    this.#products = instantiate(memory)['products'] as unknown as Products;
  }

  /** The products with rows [from, to), at their places in what comes back, which holds until those rows are asked for again. */
  with(vector: Float32Array, from: number, to: number): Float32Array {
    this.#vector.set(vector.length === this.#width ? vector : vector.subarray(0, this.#width));
    const { byteOffset } = this.#rows;
    this.#products(
      byteOffset + 4 * this.#stride * from,
      to - from,
      this.#vector.byteOffset,
      this.#results.byteOffset + 4 * from,
    );
    return this.#results;
  }
}
