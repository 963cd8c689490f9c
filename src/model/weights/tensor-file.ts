/**
 * A safetensors file that is read tensor by tensor, or row by row: it may be larger than any buffer, or than memory. Knows places in the file; does not know
 * what rows are of.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { CorruptFileError, at } from '../../base/index.js';
import { type NamedTensor, type TensorPlace, headerLengthOf, readHeader } from './safetensors.js';

/** Read at once, at most; and a gap that is read rather than jumped over. Bytes. */
const [AT_ONCE, GAP] = [2 ** 20, 2 ** 12];

export class TensorFile implements AsyncDisposable {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly #path: string;
  readonly #file: FileHandle;
  /** Where data begin. */
  readonly #begin: number;
  readonly #places: ReadonlyMap<string, TensorPlace>;

  private constructor(path: string, file: FileHandle, begin: number, header: ReturnType<typeof readHeader>) {
    this.#path = path;
    this.#file = file;
    this.#begin = begin;
    this.metadata = header.metadata;
    this.#places = new Map(header.places.map((place) => [place.name, place]));
  }

  /** Opens a file and reads its header. One that is not sound is a `CorruptFileError`. */
  static async open(path: string): Promise<TensorFile> {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const first = await readAt(file, path, 0, new Uint8Array(Math.min(8, size)));
      const length = headerLengthOf(first, size, path);
      const header = readHeader(await readAt(file, path, 8, new Uint8Array(length)), size - 8 - length, path);
      return new TensorFile(path, file, 8 + length, header);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #placeOf(name: string): TensorPlace {
    const place = this.#places.get(name);
    if (!place) throw new CorruptFileError(`${this.#path} has no tensor ${name}`);
    return place;
  }

  /** All tensors, in the order of the header. */
  async tensors(): Promise<Map<string, NamedTensor>> {
    const all = new Map<string, NamedTensor>();
    for (const { name, shape } of this.#places.values()) all.set(name, { shape, data: await this.whole(name) });
    return all;
  }

  /** The values of a tensor. */
  async whole(name: string): Promise<Float32Array> {
    const { start, end } = this.#placeOf(name);
    const values = new Float32Array((end - start) / 4);
    // a view of bytes ends at 4 GiB, below what values may take
    for (let from = 0; from < values.byteLength; from += AT_ONCE) {
      const bytes = new Uint8Array(values.buffer, from, Math.min(AT_ONCE, values.byteLength - from));
      await readAt(this.#file, this.#path, this.#begin + start + from, bytes);
    }
    return values;
  }

  /** Some rows of a tensor (rows, width), which ascend: (rows.length, width). */
  async rows(name: string, rows: Int32Array): Promise<Float32Array> {
    const { start, shape } = this.#placeOf(name);
    const [count, width] = shape;
    if (shape.length !== 2 || count === undefined || width === undefined || (rows.at(-1) ?? -1) >= count)
      throw new CorruptFileError(`${this.#path}: ${name} is [${shape}], which has not the rows that are asked for`);
    const bytes = 4 * width;
    const values = new Float32Array(rows.length * width);
    const target = new Uint8Array(values.buffer);
    for (let first = 0, end = 0; first < rows.length; first = end) {
      const from = at(rows, first);
      end = first + 1;
      while (
        end < rows.length &&
        bytes * (at(rows, end) - at(rows, end - 1) - 1) <= GAP &&
        bytes * (at(rows, end) + 1 - from) <= AT_ONCE
      )
        end++;
      const room = new Uint8Array(bytes * (at(rows, end - 1) + 1 - from));
      const read = await readAt(this.#file, this.#path, this.#begin + start + bytes * from, room);
      for (let i = first; i < end; i++) {
        const offset = bytes * (at(rows, i) - from);
        target.set(read.subarray(offset, offset + bytes), bytes * i);
      }
    }
    return values;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

/** Fills `bytes` from a position on. */
async function readAt(file: FileHandle, path: string, position: number, bytes: Uint8Array): Promise<Uint8Array> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await file.read(bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) throw new CorruptFileError(`${path} became shorter while it was read`);
    done += bytesRead;
  }
  return bytes;
}
