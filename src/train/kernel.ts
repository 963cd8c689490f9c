/**
 * Adam's arithmetic as WebAssembly, four float32 at a time: the same loop in JavaScript takes ten times as long
 * (LOG.md). The module is put together here, instruction by instruction, for given constants. Knows one step of Adam for
 * a stretch of values, and many steps without a gradient; does not know tables, rows or schedules.
 *
 * Everything is float32 and rounded at every operation, as in PyTorch: many steps in registers give the bits of as many
 * single steps through memory, so it does not matter when, or in how many parts, steps are replayed.
 *
 * What fades is flushed to zero: a value below 2^-40, a first moment below 2^-70 and a second one below 2^-80. They can
 * move nothing beyond rounding (a step of 1e-3 is itself rounded to 1e-10; beside epsilon 1e-8 the root of 2^-80 is
 * 1e-12), would slow the processor down once denormal, and a row whose values and first moments are zero stays so, by
 * the formula: its replay ends there.
 */
import { type GrowableMemory, compileModule, getOrCreate } from '../base/index.js';

export interface AdamConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decay that is added to the gradient. */
  readonly coupledDecay: number;
}

/**
 * The functions, on one memory. Places are byte offsets; counts are of values. Each returns the sum of what it wrote,
 * |value| + second moment: not finite if any of these is not.
 */
export interface AdamKernel {
  /** One step with a gradient. `shrink` multiplies the value first. */
  update(
    value: number,
    first: number,
    second: number,
    gradient: number,
    count: number,
    rate: number,
    root: number,
    shrink: number,
  ): number;
  /** `steps` steps whose gradient is zero, of which `history` has rate and root, 8 bytes a step. */
  replay(value: number, first: number, second: number, count: number, history: number, steps: number): number;
}

type Code = readonly number[];

const unsigned = (value: number): Code => (value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)]);
const signed = (value: number): Code =>
  value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
const float = (value: number): Code => [...new Uint8Array(Float32Array.of(value).buffer)];
const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const sized = (code: Code): Code => [...unsigned(code.length), ...code];
const text = (value: string): Code => sized([...Buffer.from(value)]);

/** "\0asm", version 1. */
const HEADER: Code = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const I32 = 0x7f;
const F32 = 0x7d;
const V128 = 0x7b;
const get = (local: number): Code => [0x20, ...unsigned(local)];
const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
const tee = (local: number, value: Code): Code => [...value, 0x22, ...unsigned(local)];
const integer = (value: number): Code => [0x41, ...signed(value)];
const addInteger = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
const andInteger = (a: Code, b: Code): Code => [...a, ...b, 0x71];
const shiftRight = (a: Code, bits: number): Code => [...a, ...integer(bits), 0x76];
const isZero = (a: Code): Code => [...a, 0x45];
const vector = (operation: number, ...operands: Code[]): Code => [...operands.flat(), 0xfd, ...unsigned(operation)];
const splat = (value: Code): Code => vector(0x13, value);
const constant = (value: number): Code => splat([0x43, ...float(value)]);
const load = (place: Code, offset: number): Code => [...place, 0xfd, 0, 2, ...unsigned(offset)];
const loadSplat = (place: Code, offset: number): Code => [...place, 0xfd, 9, 2, ...unsigned(offset)];
const store = (place: Code, offset: number, value: Code): Code => [
  ...place,
  ...value,
  0xfd,
  11,
  2,
  ...unsigned(offset),
];
const lane = (value: Code, which: number): Code => [...value, 0xfd, 0x1f, which];
const lowerThan = (a: Code, b: Code): Code => vector(0x43, a, b);
const and = (a: Code, b: Code): Code => vector(0x4e, a, b);
const andNot = (a: Code, b: Code): Code => vector(0x4f, a, b);
const or = (a: Code, b: Code): Code => vector(0x50, a, b);
const choose = (a: Code, b: Code, mask: Code): Code => vector(0x52, a, b, mask);
const anyTrue = (a: Code): Code => vector(0x53, a);
const absolute = (a: Code): Code => vector(0xe0, a);
const squareRoot = (a: Code): Code => vector(0xe3, a);
const add = (a: Code, b: Code): Code => vector(0xe4, a, b);
const subtract = (a: Code, b: Code): Code => vector(0xe5, a, b);
const multiply = (a: Code, b: Code): Code => vector(0xe6, a, b);
const divide = (a: Code, b: Code): Code => vector(0xe7, a, b);
/** Repeats while the body does not leave: `leave` breaks out of it. */
const loop = (body: Code): Code => [0x02, 0x40, 0x03, 0x40, ...body, 0x0c, 0, 0x0b, 0x0b];
const leaveIf = (condition: Code): Code => [...condition, 0x0d, 1];
const when = (condition: Code, body: Code): Code => [...condition, 0x04, 0x40, ...body, 0x0b];
/** Lanes 0 … count-1. */
const lanesBelow = (count: Code): Code =>
  vector(0x39, [0xfd, 12, ...[0, 1, 2, 3].flatMap((value) => [value, 0, 0, 0])], vector(0x11, count));

/** Numbers the locals of a function after its parameters. */
class Locals {
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

interface Quad {
  readonly value: number;
  readonly first: number;
  readonly second: number;
}

const compiled = new Map<string, (memory: GrowableMemory) => AdamKernel>();

/** The functions for given constants, to be put to work on a memory. Compiled once: V8 makes code fast that is used for long. */
export function compileAdam(constants: AdamConstants): (memory: GrowableMemory) => AdamKernel {
  return getOrCreate(compiled, JSON.stringify(constants), () => {
    const instantiate = compileModule(assemble(constants));
    return (memory) => instantiate(memory) as unknown as AdamKernel;
  });
}

/** The module, as bytes. */
function assemble({ beta1, beta2, epsilon, coupledDecay }: AdamConstants): Uint8Array {
  /** What both functions hold in locals. */
  const common = (locals: Locals) => {
    const vectors: Code[] = [];
    const hold = (value: number): Code => {
      const local = locals.next(V128);
      vectors.push(set(local, constant(value)));
      return get(local);
    };
    const [keepFirst, takeFirst] = [hold(beta1), hold(1 - beta1)];
    const [keepSecond, takeSecond] = [hold(beta2), hold(1 - beta2)];
    const [small, decay] = [hold(epsilon), hold(coupledDecay)];
    const [tinyValue, tinyFirst, tinySecond] = [hold(2 ** -40), hold(2 ** -70), hold(2 ** -80)];
    const [slope, fresh] = [locals.next(V128), locals.next(V128)];
    const sum = locals.next(V128);
    const flushed = (value: Code, tiny: Code): Code => andNot(tee(fresh, value), lowerThan(absolute(get(fresh)), tiny)); // NaN is not below anything: it stays
    const faded = ({ second }: Quad): Code => set(second, flushed(multiply(keepSecond, get(second)), tinySecond));
    const step = (quad: Quad, gradient: Code | null, rate: Code, root: Code, shrunk: Code): Code => {
      const [value, first, second] = [get(quad.value), get(quad.first), get(quad.second)];
      const decayed = multiply(decay, value);
      return [
        ...set(slope, gradient ? add(gradient, decayed) : decayed),
        ...set(quad.first, flushed(add(multiply(keepFirst, first), multiply(takeFirst, get(slope))), tinyFirst)),
        ...set(
          quad.second,
          flushed(
            add(multiply(keepSecond, second), multiply(multiply(takeSecond, get(slope)), get(slope))),
            tinySecond,
          ),
        ),
        ...set(
          quad.value,
          flushed(
            subtract(shrunk, divide(multiply(rate, first), add(multiply(squareRoot(second), root), small))),
            tinyValue,
          ),
        ),
      ];
    };
    const read = (quad: Quad, i: number): Code => [
      ...set(quad.value, load(get(0), 16 * i)),
      ...set(quad.first, load(get(1), 16 * i)),
      ...set(quad.second, load(get(2), 16 * i)),
    ];
    const counted = (size: Code): Code => set(sum, add(get(sum), size));
    const sizeOf = (quad: Quad): Code => add(absolute(get(quad.value)), get(quad.second));
    const write = (quad: Quad, i: number): Code => [
      ...store(get(0), 16 * i, get(quad.value)),
      ...store(get(1), 16 * i, get(quad.first)),
      ...store(get(2), 16 * i, get(quad.second)),
      ...counted(sizeOf(quad)),
    ];
    /** Writes some lanes and leaves the others, which are of the next row, as they were. */
    const writeSome = (quad: Quad, mask: Code): Code => [
      ...store(get(0), 0, choose(get(quad.value), load(get(0), 0), mask)),
      ...store(get(1), 0, choose(get(quad.first), load(get(1), 0), mask)),
      ...store(get(2), 0, choose(get(quad.second), load(get(2), 0), mask)),
      ...counted(and(sizeOf(quad), mask)),
    ];
    const total: Code = [0, 1, 2, 3].map((which) => lane(get(sum), which)).reduce((a, b) => [...a, ...b, 0x92]);
    const newQuad = (): Quad => ({ value: locals.next(V128), first: locals.next(V128), second: locals.next(V128) });
    return { start: () => vectors.flat(), step, faded, read, write, writeSome, total, newQuad };
  };
  const move = (pointers: readonly number[], bytes: number): Code =>
    pointers.flatMap((pointer) => set(pointer, addInteger(get(pointer), integer(bytes))));
  const countDown = (local: number): Code => set(local, addInteger(get(local), integer(-1)));
  const COUNT_OF_UPDATE = 4;
  const COUNT_OF_REPLAY = 3;

  const updateBody = (): Code => {
    const locals = new Locals(8);
    const { start, step, read, write, writeSome, total, newQuad } = common(locals);
    const [rate, root, shrink] = [locals.next(V128), locals.next(V128), locals.next(V128)];
    const [quad, left, mask] = [newQuad(), locals.next(I32), locals.next(V128)];
    const one = step(quad, load(get(3), 0), get(rate), get(root), multiply(get(shrink), get(quad.value)));
    const rest = andInteger(get(COUNT_OF_UPDATE), integer(3));
    return sized([
      ...locals.declared,
      ...start(),
      ...set(rate, splat(get(5))),
      ...set(root, splat(get(6))),
      ...set(shrink, splat(get(7))),
      ...set(left, shiftRight(get(COUNT_OF_UPDATE), 2)),
      ...loop([
        ...leaveIf(isZero(get(left))),
        ...read(quad, 0),
        ...one,
        ...write(quad, 0),
        ...move([0, 1, 2, 3], 16),
        ...countDown(left),
      ]),
      ...when(rest, [...set(mask, lanesBelow(rest)), ...read(quad, 0), ...one, ...writeSome(quad, get(mask))]),
      ...total,
      0x0b,
    ]);
  };

  const replayBody = (): Code => {
    const locals = new Locals(6);
    const { start, step, faded, read, write, writeSome, total, newQuad } = common(locals);
    const [rate, root, mask] = [locals.next(V128), locals.next(V128), locals.next(V128)];
    const [left, place, steps] = [locals.next(I32), locals.next(I32), locals.next(I32)];
    const quads = [newQuad(), newQuad(), newQuad(), newQuad()] as const; // several at once: a root and a quotient take long
    const all = (some: readonly Quad[]): Code => [
      ...set(place, get(4)),
      ...set(steps, get(5)),
      ...loop([
        ...leaveIf(isZero(get(steps))),
        ...leaveIf(isZero(anyTrue(some.flatMap(({ value, first }) => [get(value), get(first)]).reduce(or)))),
        ...set(rate, loadSplat(get(place), 0)),
        ...set(root, loadSplat(get(place), 4)),
        ...some.flatMap((quad) => step(quad, null, get(rate), get(root), get(quad.value))),
        ...move([place], 8),
        ...countDown(steps),
      ]),
      ...loop([
        ...leaveIf(isZero(get(steps))),
        ...leaveIf(isZero(anyTrue(some.map(({ second }) => get(second)).reduce(or)))),
        ...some.flatMap(faded),
        ...countDown(steps),
      ]),
    ];
    const stretch = (some: readonly Quad[]): Code =>
      loop([
        ...leaveIf(isZero(get(left))),
        ...some.flatMap(read),
        ...all(some),
        ...some.flatMap(write),
        ...move([0, 1, 2], 16 * some.length),
        ...countDown(left),
      ]);
    const [single] = quads;
    const rest = andInteger(get(COUNT_OF_REPLAY), integer(3));
    return sized([
      ...locals.declared,
      ...start(),
      ...set(left, shiftRight(get(COUNT_OF_REPLAY), 4)),
      ...stretch(quads),
      ...set(left, andInteger(shiftRight(get(COUNT_OF_REPLAY), 2), integer(3))),
      ...stretch([single]),
      ...when(rest, [
        ...set(mask, lanesBelow(rest)),
        ...read(single, 0),
        ...all([single]),
        ...writeSome(single, get(mask)),
      ]),
      ...total,
      0x0b,
    ]);
  };

  const section = (id: number, content: Code): Code => [id, ...sized(content)];
  const type = (parameters: readonly number[]): Code => [0x60, ...sized(parameters), ...sized([F32])];
  return Uint8Array.from([
    ...HEADER,
    ...section(1, list([type([I32, I32, I32, I32, I32, F32, F32, F32]), type([I32, I32, I32, I32, I32, I32])])),
    ...section(2, list([[...text('memory'), ...text('memory'), 2, 3, ...unsigned(1), ...unsigned(65536)]])),
    ...section(3, list([[0], [1]])),
    ...section(
      7,
      list([
        [...text('update'), 0, 0],
        [...text('replay'), 0, 1],
      ]),
    ),
    ...section(10, list([updateBody(), replayBody()])),
  ]);
}
