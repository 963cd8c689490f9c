/**
 * The text of an item: how often each word was in the queries that led to a click on it in training. Knows counts and
 * drawn words; does not know what a model makes of them.
 */
import { type Random, assert, at, grouped, offsetsOf } from '../base/index.js';
import { type Dataset, FIRST_INDEX, UNKNOWN } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';
import { drawOther, trainingPairs } from './search-pairs.js';

/** Words of items, with repeats. Those of item i: `words[offsets[i]]` … `words[offsets[i + 1] - 1]`. */
export interface ItemWords {
  readonly offsets: Int32Array;
  readonly words: Int32Array;
}

/** All known words of every query that led to a training click on an item, once per click. */
export function itemWords(dataset: Dataset): ItemWords {
  const { wordOffsets, queryWords, items } = dataset;
  const pairs = trainingPairs(dataset);
  const known = (query: number): Int32Array =>
    queryWords.subarray(at(wordOffsets, query), at(wordOffsets, query + 1)).filter((word) => word >= FIRST_INDEX);
  const itemOf: number[] = [];
  const words: number[] = [];
  pairs.items.forEach((item, pair) => {
    for (const word of known(at(pairs.queries, pair))) {
      itemOf.push(item);
      words.push(word);
    }
  });
  const groups = Int32Array.from(itemOf);
  const offsets = offsetsOf(groups, items.ids.length);
  return { offsets, words: grouped(groups, offsets).map((entry) => at(words, entry)) };
}

/**
 * Brings the text of each training row's target, and what to tell it from: all words, or some that are drawn by how often
 * they occur in the texts, not of the target's own as far as others can be found.
 *
 *   textItem        (B)   item slot of the target
 *   hasText         (B)   1 where it has a text
 *   textRow         (P)   row of each distinct word of a target, P: size `textWords`
 *   textWord        (P)   its word slot
 *   textShare       (P)   its share of the text: those of a row add up to 1; 0 pads
 *   vocabularyMask  (V)   1 for real words; with all words
 *   textNegatives   (B,n) word slots; with drawn words
 */
export class ItemText implements BatchExtra {
  readonly #dataset: Dataset;
  readonly #negatives: number | 'all';
  #known: ItemWords | null = null;

  constructor(dataset: Dataset, negatives: number | 'all') {
    this.#dataset = dataset;
    this.#negatives = negatives;
  }

  /** Worked out at the first training batch, since those who only score need none. */
  get #texts(): ItemWords {
    return (this.#known ??= itemWords(this.#dataset));
  }

  add(assembly: Assembly): void {
    const { training, rows, inputs, items } = assembly;
    if (!training) return;
    const width = training.candidates.length / rows.count;
    const targets = Int32Array.from({ length: rows.count }, (_, row) => at(training.candidates, row * width));
    const texts = Array.from(targets, (item) => this.#textOf(item));
    inputs['textItem'] = items.slots(targets);
    inputs['hasText'] = Float32Array.from(texts, ({ size }) => (size === 0 ? 0 : 1));
    if (this.#negatives === 'all') this.#addVocabulary(assembly);
    addTexts(assembly, texts);
    if (this.#negatives !== 'all') this.#addDrawn(assembly, texts, this.#negatives);
  }

  /** Each word of an item's text and its share. */
  #textOf(item: number): ReadonlyMap<number, number> {
    const { offsets, words } = this.#texts;
    const [start, end] = [at(offsets, item), at(offsets, item + 1)];
    const shares = new Map<number, number>();
    for (let place = start; place < end; place++) {
      const word = at(words, place);
      shares.set(word, (shares.get(word) ?? 0) + 1 / (end - start));
    }
    return shares;
  }

  #addVocabulary({ inputs, words, capacity }: Assembly): void {
    const total = this.#dataset.words.ids.length;
    for (let word = UNKNOWN; word < total; word++) words.slot(word); // all there are: no batch of any content has more
    const mask = new Float32Array(capacity('words', words.indices.length));
    words.indices.forEach((word, slot) => (mask[slot] = word >= FIRST_INDEX ? 1 : 0));
    inputs['vocabularyMask'] = mask;
  }

  #addDrawn({ training, inputs, words }: Assembly, texts: readonly ReadonlyMap<number, number>[], count: number): void {
    const randomOf = training?.randomOf;
    assert(randomOf, 'words are drawn');
    const { words: all } = this.#texts;
    const drawn = new Int32Array(texts.length * count);
    texts.forEach((text, row) => {
      if (text.size === 0) return;
      const random: Random = randomOf('text words', row);
      for (let place = 0; place < count; place++)
        drawn[row * count + place] = drawOther(
          () => at(all, random.integer(all.length)),
          (word) => text.has(word),
        );
    });
    inputs['textNegatives'] = words.slots(drawn);
  }
}

/** The words of all rows, one after another. */
function addTexts({ inputs, words, capacity }: Assembly, texts: readonly ReadonlyMap<number, number>[]): void {
  const entries = texts.flatMap((text, row) => [...text].map(([word, share]) => ({ row, word, share })));
  const room = capacity('textWords', Math.max(1, entries.length));
  const rowOf = new Int32Array(room);
  const wordOf = new Int32Array(room);
  const shareOf = new Float32Array(room);
  entries.forEach(({ row, word, share }, place) => {
    rowOf[place] = row;
    wordOf[place] = words.slot(word);
    shareOf[place] = share;
  });
  Object.assign(inputs, { textRow: rowOf, textWord: wordOf, textShare: shareOf });
}
