/**
 * The safetensors file format: named float32 tensors, nothing that can execute. Knows bytes; does not know what the
 * tensors mean. https://github.com/huggingface/safetensors#format
 */
import { CorruptFileError } from '../../base/index.js';
import { type Shape, sizeOf } from '../../tensor/index.js';

export interface NamedTensor {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** Parsed it may take forty times as much; ours have some kilobytes. */
const MAX_HEADER_BYTES = 4 << 20;

/** Values of one part of a file. */
const PART = 2 ** 20;

/**
 * The bytes of a safetensors file, in parts: a file may be larger than any buffer. Tensors come in the order of the map, each aligned to 4 bytes;
 * parts are views of them, so nothing may change before they are written.
 */
export function* safetensorsParts(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) header['__metadata__'] = metadata;
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const beginning = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20); // padded with spaces, so that the data starts aligned
  new DataView(beginning.buffer).setBigUint64(0, BigInt(beginning.length - 8), true);
  beginning.set(json, 8);
  yield beginning;
  for (const { data } of tensors.values())
    for (let from = 0; from < data.length; from += PART) {
      const part = data.subarray(from, from + PART);
      yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
    }
}

const failing =
  (where: string) =>
  (why: string): never => {
    throw new CorruptFileError(`${where} is not a sound safetensors file: ${why}`);
  };

/** A tensor of a file: bytes from where the data begin. */
export interface TensorPlace {
  readonly name: string;
  readonly shape: Shape;
  readonly start: number;
  readonly end: number;
}

/** How long the header is that the first eight bytes of a file tell of. Too long, for the file or at all, is a `CorruptFileError` that names `where`. */
export function headerLengthOf(first: Uint8Array, fileLength: number, where: string): number {
  const fail = failing(where);
  if (first.length < 8) fail(`it has only ${first.length} bytes`);
  const length = Number(new DataView(first.buffer, first.byteOffset).getBigUint64(0, true));
  if (length > MAX_HEADER_BYTES || 8 + length > fileLength)
    fail(`its header claims ${length} bytes: the file has ${fileLength}, a header at most ${MAX_HEADER_BYTES}`);
  return length;
}

/** What a header tells. Sizes are checked against each other and against the bytes of data behind it; what does not fit is a `CorruptFileError`. */
export function readHeader(
  bytes: Uint8Array,
  dataLength: number,
  where: string,
): { places: TensorPlace[]; metadata: Readonly<Record<string, unknown>> } {
  const fail = failing(where);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    fail('its header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) fail('its header is not an object');
  const places: TensorPlace[] = [];
  let metadata: Readonly<Record<string, unknown>> = {};
  for (const [name, entry] of Object.entries(header as Record<string, unknown>)) {
    if (name === '__metadata__') {
      metadata = (entry ?? {}) as Record<string, unknown>;
      continue;
    }
    const {
      dtype,
      shape,
      data_offsets: offsets,
    } = (entry ?? {}) as { dtype?: unknown; shape?: unknown; data_offsets?: unknown };
    const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
    if (dtype !== 'F32') fail(`tensor ${name} has type ${JSON.stringify(dtype)}, only F32 is read`);
    if (!Array.isArray(shape) || !shape.every(isCount)) return fail(`tensor ${name} has no sound shape`);
    if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
      return fail(`tensor ${name} has no sound offsets`);
    const [start, end] = offsets as [number, number];
    if (start > end || end > dataLength || end - start !== 4 * sizeOf(shape))
      fail(`tensor ${name} does not fit its place`);
    places.push({ name, shape, start, end });
  }
  let covered = 0;
  for (const { name, start, end } of places.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== covered) fail(`tensor ${name} starts at byte ${start}, the one before it ends at ${covered}`);
    covered = end;
  }
  if (covered !== dataLength) fail(`its tensors cover ${covered} bytes of ${dataLength}`);
  return { places, metadata };
}

/**
 * Reads the bytes of a safetensors file. Sizes are checked before anything is allocated; whatever does not fit is a `CorruptFileError` that
 * names `where`.
 */
export function decodeSafetensors(file: Uint8Array, where: string): Map<string, NamedTensor> {
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength); // a Buffer's slice() would not copy
  const begin = 8 + headerLengthOf(bytes, bytes.length, where);
  const data = bytes.subarray(begin);
  const { places } = readHeader(bytes.subarray(8, begin), data.length, where);
  return new Map(
    places.map(({ name, shape, start, end }) => [
      name,
      { shape, data: new Float32Array(data.slice(start, end).buffer) },
    ]),
  );
}
