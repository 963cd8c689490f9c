/**
 * The vectors that candidates are scored by, worked out once for a model and kept for all its rankers, on memory that threads share. Knows chunks of items
 * and where their vectors lie; does not know how a chunk is encoded.
 */
import { at, range } from '../../base/index.js';
import { type Items, largest } from './catalogue-stretches.js';
import type { Lanes } from './lanes.js';

/** Items whose vectors are worked out at once; with the padding they fill a room of 2048. */
const CHUNK = 2047;

/** Vectors of a chunk as a graph gives them: that of the item at a position stands at its slot. */
export interface EncodedChunk {
  readonly slots: Int32Array;
  /** (slots, width) */
  readonly vectors: Float32Array;
  readonly width: number;
  /** Upper bounds where there is a short form, by slot. */
  readonly reach: Float32Array | null;
}

export type EncodeChunk = (items: Int32Array) => Promise<EncodedChunk>;

export class ItemVectors {
  readonly #lanes: Lanes;
  #all: Promise<Items> | null = null;

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** Those of all items of a catalogue, worked out when they are first asked for. */
  async all(total: number, encode: EncodeChunk): Promise<Items> {
    this.#all ??= this.#encodeAll(total, encode);
    return this.#all;
  }

  /** They are worked out anew when they are next asked for. */
  forget(): void {
    this.#all = null;
    this.#lanes.forgetAll();
  }

  async #encodeAll(total: number, encode: EncodeChunk): Promise<Items> {
    // index 0 is padding: it has the slot of padding, and what is scored by it means nothing
    const tasks = Array.from({ length: Math.ceil(total / CHUNK) }, (_, chunk) => async () => {
      const items = range(CHUNK).map((offset) => Math.min(chunk * CHUNK + offset, total - 1));
      return { items, chunk: await encode(items) };
    });
    const all: Items = { width: 0, vectors: new Float32Array(0), reach: 0 };
    for await (const { items, chunk } of this.#lanes.ahead(tasks)) {
      if (all.width === 0) {
        all.width = chunk.width;
        all.vectors = new Float32Array(new SharedArrayBuffer(4 * total * chunk.width));
      }
      take(all, items, chunk);
    }
    return all;
  }

  /** Works out those of some items anew. Items that come behind those known so far must be all that do, in order. */
  async revise(all: Items, items: Int32Array, encode: EncodeChunk): Promise<void> {
    for (let start = 0; start < items.length; start += CHUNK) {
      const own = items.subarray(start, start + CHUNK);
      const chunk = await encode(Int32Array.from({ length: CHUNK }, (_, i) => at(own, Math.min(i, own.length - 1))));
      makeRoom(all, own.reduce((most, item) => Math.max(most, item), 0) + 1);
      take(all, own, chunk);
    }
    this.#lanes.forgetStretches();
  }
}

function take(all: Items, items: Int32Array, { slots, vectors, width, reach }: EncodedChunk): void {
  items.forEach((item, position) => {
    const slot = at(slots, position);
    all.vectors.set(vectors.subarray(slot * width, (slot + 1) * width), item * width);
  });
  if (reach) all.reach = largest(reach, all.reach);
}

function makeRoom(all: Items, count: number): void {
  const needed = count * all.width;
  if (needed <= all.vectors.length) return;
  const { buffer } = all.vectors;
  const isRoom = buffer.byteLength >= 4 * needed;
  const longer = new Float32Array(isRoom ? buffer : new SharedArrayBuffer(5 * needed), 0, needed);
  if (!isRoom) longer.set(all.vectors);
  all.vectors = longer;
}
