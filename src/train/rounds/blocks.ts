/**
 * How far a worker moved the parameters, in blocks that can be averaged key by key. Knows values, moments and lines of text; does not
 * know how a worker came there, nor who brings lines of one key together.
 *
 * A block is a row of a table, or a stretch of a dense parameter: the differences of its values, and of both moments. A row that
 * did not move is no block. A line is `KEY WORKER BASE64`, or with a sum `KEY COUNT BASE64`: little-endian float32.
 */
import { UserError, at } from '../../base/index.js';
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

/** The mean move of a parameter and of its moments, zero where nobody moved it. */
export type MeanMoves = ReadonlyMap<string, readonly [Float32Array, Float32Array, Float32Array]>;

/**
 * Reads sums of blocks into mean moves, over all workers of a round: what one of them did not move, it moved by nothing. (Over those that moved a
 * row, outer momentum, which makes up for the mean, would carry rows that few batches meet too far.)
 */
export function meanMoves(
  descriptions: readonly ParameterDescription[],
  lengths: (name: string) => number,
  sums: Iterable<string>,
  workers: number,
): MeanMoves {
  const moves = new Map(
    descriptions.map(({ name }) => {
      const zeros = (): Float32Array => new Float32Array(lengths(name));
      return [name, [zeros(), zeros(), zeros()] as const] as const;
    }),
  );
  const known = new Set<string>();
  for (const line of sums) {
    const { key, number: count, values } = parsed(line);
    const [index, block] = key.split('.').map(Number) as [number, number];
    const description = descriptions[index];
    if (!description || count < 1 || count > workers) throw new UserError(`${key} is no block of this model`);
    if (known.has(key)) throw new UserError(`the blocks of ${key} were added up in pieces`);
    known.add(key);
    const own = moves.get(description.name) as readonly [Float32Array, Float32Array, Float32Array];
    const { length, size } = blocksOf(description, own[0].length);
    const from = block * size;
    const width = Math.min(size, length - from);
    if (width <= 0 || values.length !== TENSORS.length * width) throw new UserError(`${key} is no block of this model`);
    for (const [tensor, target] of own.entries())
      for (let i = 0; i < width; i++) target[from + i] = (values[tensor * width + i] as number) / workers;
  }
  return moves;
}
