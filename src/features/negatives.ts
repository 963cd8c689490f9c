/**
 * Draws what did not happen: negative candidates for training rows, negative items and queries for the alignment.
 * Knows how often and where things occurred in training; does not know models. Held-out events are never counted.
 */
import { type Random, UserError, at } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import type { Case } from './histories.js';

/** How negative candidates are drawn: in proportion to how often an item is a training target, or all items alike. */
export type NegativeSampling = 'popular' | 'uniform';

/**
 * Draws negatives for one training row after another, as the official code does: each is redrawn when it equals the
 * target, was already drawn, or occurs anywhere in the user's earlier feed (the whole prefix, not only the window).
 * What the user does later, and clicks in searches, are not excluded.
 */
export class NegativeSampler {
  readonly #dataset: Dataset;
  readonly #count: number;
  readonly #draw: (random: Random) => number;

  constructor(
    dataset: Dataset,
    cases: readonly Case[],
    { count, sampling }: { count: number; sampling: NegativeSampling },
  ) {
    const catalogue = dataset.trainedItems - FIRST_INDEX;
    this.#dataset = dataset;
    this.#count = count;
    if (sampling === 'uniform') {
      this.#draw = (random) => FIRST_INDEX + random.integer(catalogue);
    } else {
      const targets = Int32Array.from(cases, ({ feedPosition }) => at(dataset.feedItem, feedPosition));
      this.#draw = (random) => at(targets, random.integer(targets.length));
    }
  }

  /** Negatives of one training row, distinct. */
  draw({ user, feedPosition }: Case, random: Random): number[] {
    const { feedItem, feedOffsets, users } = this.#dataset;
    const excluded = new Set<number>();
    for (let position = at(feedOffsets, user); position <= feedPosition; position++)
      excluded.add(at(feedItem, position));
    const drawn: number[] = [];
    // An item that is hard to miss must not hang the training: after many tries the catalogue is too small, say so.
    for (let tries = 0; drawn.length < this.#count; tries++) {
      if (tries > 1000 * this.#count) {
        throw new UserError(
          `cannot draw ${this.#count} negatives for user ${users.ids[user]}: almost every item to draw from is in the user's history; draw from the whole catalogue (--set negativeSampling=uniform) or fewer (--set negatives=1)`,
        );
      }
      const item = this.#draw(random);
      if (excluded.has(item)) continue;
      excluded.add(item);
      drawn.push(item);
    }
    return drawn;
  }
}

/** Negatives of the alignment loss, shared by a whole batch: item indices and query indices, repeats allowed. */
export interface AlignmentNegatives {
  readonly items: Int32Array;
  readonly queries: Int32Array;
}

/** The queries of all training searches, one entry per search (so that drawing from it follows their frequency). */
export function trainingQueries(dataset: Dataset): Int32Array {
  return dataset.searchQuery.filter((_, search) => dataset.searchIsTraining[search] === 1);
}

/**
 * Reads items and training searches in blocks from two shuffled lists, as the official code does, but shuffled anew
 * each epoch. Items come uniformly, queries by how often they are searched. Past the end a list starts over.
 */
export class AlignmentSampler {
  readonly #items: Int32Array;
  readonly #queries: Int32Array;
  readonly #count: number;

  constructor(dataset: Dataset, queries: Int32Array, count: number, random: Random) {
    const catalogue = Int32Array.from({ length: dataset.trainedItems - FIRST_INDEX }, (_, item) => FIRST_INDEX + item);
    this.#items = random.shuffle(catalogue);
    this.#queries = random.shuffle(queries.slice());
    this.#count = count;
  }

  /** The negatives of a step of the epoch, counted from 0. */
  block(step: number): AlignmentNegatives {
    const read = (list: Int32Array): Int32Array =>
      Int32Array.from({ length: list.length === 0 ? 0 : this.#count }, (_, i) =>
        at(list, (step * this.#count + i) % list.length),
      );
    return { items: read(this.#items), queries: read(this.#queries) };
  }
}
