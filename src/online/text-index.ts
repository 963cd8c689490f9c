/**
 * Texts that are found by any part of them, capitals or not: hundreds of thousands, while others have their turn. Knows texts by number;
 * does not know what they name.
 *
 * Texts lie one behind the other in long strings, since one search in a long string is many times as quick as one in each of many.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { at } from '../base/index.js';

/** Texts of one long string. */
const CHUNK = 8192;
const END = '\n';
// oxlint-disable-next-line no-control-regex -- what parts texts must not be in them
const CONTROL = /[\u0000-\u001F\u007F]+/g;

/** As texts are compared. */
export const comparable = (text: string): string => text.replaceAll(CONTROL, ' ').toLowerCase();

interface Chunk {
  readonly text: string;
  /** Where each text begins. */
  readonly starts: Int32Array;
}

export class TextIndex {
  readonly #chunks: readonly Chunk[];
  readonly #first: number;

  private constructor(chunks: readonly Chunk[], first: number) {
    this.#chunks = chunks;
    this.#first = first;
  }

  /** @param textOf the text of a number from `first` on, below `end` */
  static async of(first: number, end: number, textOf: (index: number) => string): Promise<TextIndex> {
    const chunks: Chunk[] = [];
    for (let start = first; start < end; start += CHUNK) {
      const count = Math.min(CHUNK, end - start);
      const starts = new Int32Array(count);
      const parts: string[] = [];
      let place = 0;
      for (let i = 0; i < count; i++) {
        starts[i] = place;
        const text = comparable(textOf(start + i));
        parts.push(text);
        place += text.length + END.length;
      }
      chunks.push({ text: parts.join(END), starts });
      await breathe();
    }
    return new TextIndex(chunks, first);
  }

  /** Numbers of the texts that hold a text, ascending. An aborted signal ends it with its reason. */
  async find(part: string, signal?: AbortSignal): Promise<number[]> {
    const wanted = comparable(part);
    const found: number[] = [];
    for (const [number, { text, starts }] of this.#chunks.entries()) {
      if (number % 8 === 7) {
        await breathe();
        signal?.throwIfAborted();
      }
      let own = 0;
      for (let place = text.indexOf(wanted); place >= 0; place = text.indexOf(wanted, at(starts, own))) {
        while (own + 1 < starts.length && at(starts, own + 1) <= place) own++;
        found.push(this.#first + number * CHUNK + own);
        own++; // each text once
        if (own >= starts.length) break;
      }
    }
    return found;
  }
}
