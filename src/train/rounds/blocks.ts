/**
 * How far a worker moved the parameters, in blocks that can be averaged key by key. Knows values, moments and lines of text; does not
 * know how a worker came there, nor who brings lines of one key together.
 *
 * A block is a row of a table, or a stretch of a dense parameter: the differences of its values, and of both moments. A row that
 * did not move is no block. A line is `KEY WORKER BASE64`, or with a sum `KEY COUNT BASE64`: little-endian float32.
 */
import { UserError, at, range } from '../../base/index.js';
import type { NamedTensor, ParameterDescription } from '../../model/index.js';
import type { HeldRows } from './held.js';

/** Values of one block of a dense parameter. */
const DENSE_BLOCK = 4096;
/** The tensors of a parameter: its values and its moments. */
export const TENSORS = ['', ' / first moment', ' / second moment'] as const;

/** A parameter in blocks. */
interface Blocks {
  readonly length: number;
  /** Values of a block; the last may have fewer. */
  readonly size: number;
  readonly isTable: boolean;
}

const blocksOf = ({ shape, table }: ParameterDescription, length: number): Blocks => ({
  length,
  size: table ? (shape[1] as number) : DENSE_BLOCK,
  isTable: table !== null,
});

const tensorsOf = (all: ReadonlyMap<string, NamedTensor>, name: string): Float32Array[] =>
  TENSORS.map((suffix) => {
    const found = all.get(`${name}${suffix}`);
    if (!found) throw new UserError(`the state of the round lacks ${name}${suffix}`);
    return found.data;
  });

/**
 * The lines that tell how far `end` is from `start`: parameters in their order, blocks ascending.
 * @param held which rows of tables both hold, one after another; null: all
 */
export function* movedBlocks(
  descriptions: readonly ParameterDescription[],
  start: ReadonlyMap<string, NamedTensor>,
  end: ReadonlyMap<string, NamedTensor>,
  { worker, held = null }: { readonly worker: number; readonly held?: HeldRows | null },
): Generator<string> {
  for (const [index, description] of descriptions.entries()) {
    const [before, after] = [tensorsOf(start, description.name), tensorsOf(end, description.name)];
    const { length, size, isTable } = blocksOf(description, (before[0] as Float32Array).length);
    const rows = description.table && held ? held[description.table] : null;
    for (let from = 0; from < length; from += size) {
      const to = Math.min(length, from + size);
      const moved = new Float32Array(TENSORS.length * (to - from));
      let place = 0;
      let differs = !isTable;
      for (const [tensor, values] of after.entries()) {
        const old = before[tensor] as Float32Array;
        for (let i = from; i < to; i++) {
          const difference = (values[i] as number) - (old[i] as number);
          differs ||= difference !== 0;
          moved[place++] = difference;
        }
      }
      const block = from / size;
      if (differs) yield `${index}.${rows ? at(rows, block) : block} ${worker} ${base64(moved)}`;
    }
  }
}

const base64 = (values: Float32Array): string =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');

function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length % 4 !== 0) throw new UserError('a block of a round is not whole');
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

interface Line {
  readonly key: string;
  readonly number: number;
  readonly values: Float32Array;
}

function parsed(line: string): Line {
  const [key = '', number = '', values = '', ...more] = line.split(' ');
  if (!/^\d+\.\d+$/.test(key) || !/^\d+$/.test(number) || more.length > 0)
    throw new UserError(`${JSON.stringify(line.slice(0, 40))} is no block of a round`);
  return { key, number: Number(number), values: fromBase64(values) };
}

/**
 * Adds up the blocks of each key. Lines of one key follow one another, by worker ascending, so that sums have the same bits whatever
 * the order in which workers were done.
 */
export async function* summedBlocks(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<string> {
  let key = '';
  let last = -1;
  let count = 0;
  let sum = new Float64Array(0);
  const told = (): string => `${key} ${count} ${base64(Float32Array.from(sum))}`;
  for await (const line of lines) {
    const next = parsed(line);
    if (next.key !== key) {
      if (count > 0) yield told();
      ({ key } = next);
      count = 0;
      sum = new Float64Array(next.values.length);
    } else if (next.number <= last) throw new UserError(`the blocks of ${key} do not come by worker`);
    if (next.values.length !== sum.length) throw new UserError(`the blocks of ${key} are not alike`);
    last = next.number;
    count++;
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + (next.values[i] as number);
  }
  if (count > 0) yield told();
}

/**
 * The mean moves of a round, over all its workers: what one of them did not move, it moved by nothing. (Over those that moved a row, outer
 * momentum, which makes up for the mean, would carry rows that few batches meet too far.) Only blocks that somebody moved take room.
 */
export class MeanMoves {
  readonly #parameters: readonly Moved[];
  readonly #workers: number;

  /** @param lengths how many values the parameter of a name has */
  constructor(descriptions: readonly ParameterDescription[], lengths: (name: string) => number, workers: number) {
    this.#parameters = descriptions.map((description) => ({
      blocks: blocksOf(description, lengths(description.name)),
      moved: new Map(),
    }));
    this.#workers = workers;
  }

  /** Takes the sum of a block, each of them once, in any order. */
  take(sum: string): void {
    const { key, number: count, values } = parsed(sum);
    const [index, block] = key.split('.').map(Number) as [number, number];
    const own = this.#parameters[index];
    const width = own ? widthOf(own.blocks, block) : 0;
    if (!own || count < 1 || count > this.#workers || width <= 0 || values.length !== TENSORS.length * width)
      throw new UserError(`${key} is no block of this model`);
    if (own.moved.has(block)) throw new UserError(`the blocks of ${key} were added up in pieces`);
    own.moved.set(
      block,
      values.map((value) => value / this.#workers),
    );
  }

  /**
   * The blocks of the parameter of a number: where each begins, and the mean moves of its values, of their first and of their second moments.
   * @param every also blocks that nobody moved, as zeros
   */
  *of(index: number, { every }: { readonly every: boolean }): Generator<readonly [from: number, Move]> {
    const { blocks, moved } = this.#parameters[index] as Moved;
    const nothing = new Float32Array(TENSORS.length * blocks.size);
    const numbers = every ? range(Math.ceil(blocks.length / blocks.size)) : moved.keys();
    for (const block of numbers) {
      const width = widthOf(blocks, block);
      const move = moved.get(block) ?? nothing;
      const part = (tensor: number): Float32Array => move.subarray(tensor * width, (tensor + 1) * width);
      yield [block * blocks.size, [part(0), part(1), part(2)]];
    }
  }
}

/** What moved of a parameter: mean moves by number of block. */
interface Moved {
  readonly blocks: Blocks;
  readonly moved: Map<number, Float32Array>;
}

/** How far values, their first and their second moments went. */
export type Move = readonly [Float32Array, Float32Array, Float32Array];

const widthOf = ({ length, size }: Blocks, block: number): number => Math.min(size, length - block * size);
