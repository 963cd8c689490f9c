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
import { type GrowableMemory, compileModule, getOrCreate, instructions } from '../base/index.js';

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

type Code = instructions.Code;
const { F32, I32, V128, Locals } = instructions;
const { get, set, tee, integer, andInteger, shiftRight, isZero, loop, leaveIf, when, countDown } = instructions;
const { splat, constant, load, loadSplat, store, lanesBelow, sumOfLanes } = instructions;
const { lowerThan, and, andNot, or, choose, anyTrue } = instructions;
const { absolute, squareRoot, add, subtract, multiply, divide } = instructions;

interface Quad {
  readonly value: number;
  readonly first: number;
  readonly second: number;
}

const compiled = new Map<string, (memory: GrowableMemory) => AdamKernel>();

/** The functions for given constants, to be put to work on a memory. Compiled once: V8 makes code fast that is used for long. */
export function compileAdam(constants: AdamConstants): (memory: GrowableMemory) => AdamKernel {
  return getOrCreate(compiled, JSON.stringify(constants), () => {
    const instantiate = compileModule(instructions.moduleOf(functionsFor(constants)));
    return (memory) => instantiate(memory) as unknown as AdamKernel;
  });
}

/** `update` and `replay`. */
function functionsFor({ beta1, beta2, epsilon, coupledDecay }: AdamConstants): instructions.WrittenFunction[] {
  /** What both functions hold in locals. */
  const common = (locals: instructions.Locals) => {
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
    const newQuad = (): Quad => ({ value: locals.next(V128), first: locals.next(V128), second: locals.next(V128) });
    return {
      start: () => vectors.flat(),
      step,
      flushed,
      keepSecond,
      tinySecond,
      read,
      write,
      writeSome,
      total: sumOfLanes(sum),
      newQuad,
    };
  };
  const move = (pointers: readonly number[], bytes: number): Code =>
    pointers.flatMap((pointer) => instructions.move(pointer, bytes));
  const COUNT_OF_UPDATE = 4;
  const COUNT_OF_REPLAY = 3;

  const update = (): instructions.WrittenFunction => {
    const parameters = [I32, I32, I32, I32, I32, F32, F32, F32];
    const locals = new Locals(parameters.length);
    const { start, step, read, write, writeSome, total, newQuad } = common(locals);
    const [rate, root, shrink] = [locals.next(V128), locals.next(V128), locals.next(V128)];
    const [quad, left, mask] = [newQuad(), locals.next(I32), locals.next(V128)];
    const one = step(quad, load(get(3), 0), get(rate), get(root), multiply(get(shrink), get(quad.value)));
    const rest = andInteger(get(COUNT_OF_UPDATE), integer(3));
    const body = [
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
    ];
    return { name: 'update', parameters, results: [F32], locals, body };
  };

  const replay = (): instructions.WrittenFunction => {
    const parameters = [I32, I32, I32, I32, I32, I32];
    const locals = new Locals(parameters.length);
    const { start, step, flushed, keepSecond, tinySecond, read, write, writeSome, total, newQuad } = common(locals);
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
      // Only second moments are left, and they shrink: to flush them at the end is to flush them at every step.
      ...when(anyTrue(some.map(({ second }) => get(second)).reduce(or)), [
        ...loop([
          ...leaveIf(isZero(get(steps))),
          ...some.flatMap(({ second }) => set(second, multiply(keepSecond, get(second)))),
          ...countDown(steps),
        ]),
        ...some.flatMap(({ second }) => set(second, flushed(get(second), tinySecond))),
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
    const body = [
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
    ];
    return { name: 'replay', parameters, results: [F32], locals, body };
  };

  return [update(), replay()];
}
