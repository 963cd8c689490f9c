/**
 * Instructions of WebAssembly, as bytes: a function is put together from what it computes, for sizes and constants that are known by then. Knows
 * how instructions are written; does not know what is computed. webassembly.ts puts the module to work.
 */

/** Bytes of instructions, in order: what goes onto the stack and what takes it from there. */
export type Code = readonly number[];

/** Kinds of values. */
export const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];

const unsigned = (value: number): Code => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]);
const signed = (value: number): Code =>
  value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (code: Code): Code => [...unsigned(code.length), ...code];
const text = (value: string): Code => sized([...Buffer.from(value)]);
const section = (id: number, content: Code): Code => [id, ...sized(content)];

// locals
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const tee = (local: number, value: Code): Code => [...value, 0x22, ...unsigned(local)];

// integers and single numbers
export const integer = (value: number): Code => [0x41, ...signed(value)];
export const addInteger = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const andInteger = (a: Code, b: Code): Code => [...a, ...b, 0x71];
export const shiftRight = (a: Code, bits: number): Code => [...a, ...integer(bits), 0x76];
export const isZero = (a: Code): Code => [...a, 0x45];
export const toFloat = (a: Code): Code => [...a, 0xb2];
export const addFloat = (a: Code, b: Code): Code => [...a, ...b, 0x92];
export const multiplyFloat = (a: Code, b: Code): Code => [...a, ...b, 0x94];
export const storeFloat = (place: Code, value: Code): Code => [...place, ...value, 0x38, 2, 0];

// four float32
const vector = (operation: number, ...operands: Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(operation)];
export const splat = (value: Code): Code => vector(0x13, value);
export const constant = (value: number): Code => splat([0x43, ...new Uint8Array(Float32Array.of(value).buffer)]);
export const load = (place: Code, offset: number): Code => [...vector(0, place), 2, ...unsigned(offset)];
export const loadSplat = (place: Code, offset: number): Code => [...vector(9, place), 2, ...unsigned(offset)];
export const store = (place: Code, offset: number, value: Code): Code => [
  ...vector(11, place, value),
  2,
  ...unsigned(offset),
];
export const lowerThan = (a: Code, b: Code): Code => vector(0x43, a, b);
export const and = (a: Code, b: Code): Code => vector(0x4e, a, b);
export const andNot = (a: Code, b: Code): Code => vector(0x4f, a, b);
export const or = (a: Code, b: Code): Code => vector(0x50, a, b);
export const choose = (a: Code, b: Code, mask: Code): Code => vector(0x52, a, b, mask);
export const anyTrue = (a: Code): Code => vector(0x53, a);
export const absolute = (a: Code): Code => vector(0xe0, a);
export const squareRoot = (a: Code): Code => vector(0xe3, a);
export const add = (a: Code, b: Code): Code => vector(0xe4, a, b);
export const subtract = (a: Code, b: Code): Code => vector(0xe5, a, b);
export const multiply = (a: Code, b: Code): Code => vector(0xe6, a, b);
export const divide = (a: Code, b: Code): Code => vector(0xe7, a, b);
/** Of a vector that is held in a local. */
export const sumOfLanes = (local: number): Code =>
  [0, 1, 2, 3].map((which): Code => [...vector(0x1f, get(local)), which]).reduce(addFloat);
/** Lanes 0 … count-1. */
export const lanesBelow = (count: Code): Code =>
  vector(0x39, [0xfd, 12, ...[0, 1, 2, 3].flatMap((value) => [value, 0, 0, 0])], vector(0x11, count));

// whole numbers: sixteen of 8 bits, eight of 16, four of 32
export const lowToSixteenBits = (a: Code): Code => vector(0x87, a);
export const highToSixteenBits = (a: Code): Code => vector(0x88, a);
/** Products of eight and eight numbers of 16 bits, neighbours added: four of 32. */
export const pairwiseProducts = (a: Code, b: Code): Code => vector(0xba, a, b);
export const addIntegers = (a: Code, b: Code): Code => vector(0xae, a, b);
/** Of a vector that is held in a local. */
export const sumOfIntegers = (local: number): Code =>
  [0, 1, 2, 3].map((which): Code => [...vector(0x1b, get(local)), which]).reduce(addInteger);

// what is done when
/** Repeats while the body does not leave: `leaveIf` breaks out of it. */
export const loop = (body: Code): Code => [0x02, 0x40, 0x03, 0x40, ...body, 0x0c, 0, 0x0b, 0x0b];
export const leaveIf = (condition: Code): Code => [...condition, 0x0d, 1];
export const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b];
export const move = (pointer: number, bytes: number): Code => set(pointer, addInteger(get(pointer), integer(bytes)));
export const countDown = (local: number): Code => move(local, -1);

/** Numbers the locals of a function after its parameters. */
export class Locals {
  readonly #kinds: number[] = [];
  readonly #parameters: number;
  constructor(parameters: number) {
    this.#parameters = parameters;
  }
  next(kind: number): number {
    return this.#parameters + this.#kinds.push(kind) - 1;
  }
  get declared(): Code {
    return list(this.#kinds.map((kind) => [1, kind]));
  }
}

/** "\0asm", version 1. */
const HEADER: Code = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

/** A function that a module offers; places are byte offsets in its memory. */
export interface WrittenFunction {
  readonly name: string;
  /** Kinds. */
  readonly parameters: readonly number[];
  readonly results: readonly number[];
  readonly locals: Locals;
  readonly body: Code;
}

/** A module on a memory that threads share, as bytes. */
export function moduleOf(functions: readonly WrittenFunction[]): Uint8Array {
  return Uint8Array.from([
    ...HEADER,
    ...section(1, list(functions.map(({ parameters, results }) => [0x60, ...sized(parameters), ...sized(results)]))),
    ...section(2, list([[...text('memory'), ...text('memory'), 2, 3, ...unsigned(1), ...unsigned(65_536)]])),
    ...section(3, list(functions.map((_, index) => unsigned(index)))),
    ...section(7, list(functions.map(({ name }, index) => [...text(name), 0, ...unsigned(index)]))),
    ...section(10, list(functions.map(({ locals, body }) => sized([...locals.declared, ...body, 0x0b])))),
  ]);
}
