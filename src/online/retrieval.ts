/**
 * Candidates from a catalogue that is too large to be ranked in full, with the ranker's own scores. Knows several sources, each by its
 * name; does not know how a score comes about, nor what may stand in a list.
 *
 * - `co-occurrence`: what others met around the newest items of the history, and what was clicked after its newest queries;
 * - `new`: what came since the run, where the model can tell such items apart;
 * - `popular`;
 * - `vectors`: what a linear function of vectors of the items likes best that was fitted to the user's scores (item-space.ts,
 *   candidate-finder.ts).
 *
 * Lists have one length always: each length is a program.
 */
import { Largest } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import { CandidateSearch } from '../model/index.js';
import { type FinderParts, type FinderQuestion, type FoundCandidates, open } from './candidate-finder.js';
import { bestSpace } from './item-space.js';
import { Meetings } from './meetings.js';
import type { ItemSource } from './questions.js';
import type { KnownUser } from './known-user.js';
import type { ServedModel } from './served-model.js';
import { vectorCells } from './vector-cells.js';

/** Items with the ranker's own scores. */
export interface Candidates extends FoundCandidates {
  /** The source that named an item first. */
  readonly sourceOf: (item: number) => ItemSource;
}

export interface Retrieval {
  candidates(known: KnownUser, popularity: Float32Array): Promise<Candidates>;
}

/** At most these shares of the list, and at most so many of one source. */
const SHARES = { 'co-occurrence': 0.2, new: 0.05, popular: 0.05 } as const;
const MOST_NAMED = 200;
/** Popular items that everybody's scores are fitted on: so many, and at most this share of all candidates. */
const [SAMPLE, SAMPLE_SHARE] = [384, 0.2];
/** The share of all candidates that are scored when the first fit is known, those named by other sources among them. */
const FIRST_ROUND = 0.3;

const FINDER = new URL('candidate-finder.js', import.meta.url);

export class Retrieving implements Retrieval {
  readonly #model: ServedModel;
  readonly #count: number;
  readonly #meetings: Meetings;
  readonly #sample: ReadonlySet<number>;
  readonly #search: CandidateSearch<FinderQuestion, FoundCandidates>;
  #popular: { readonly counts: Float32Array; readonly items: readonly number[] } | null = null;

  private constructor(
    model: ServedModel,
    parts: { count: number; sample: Int32Array; search: CandidateSearch<FinderQuestion, FoundCandidates> },
  ) {
    this.#model = model;
    this.#count = parts.count;
    this.#sample = new Set(parts.sample);
    this.#search = parts.search;
    this.#meetings = new Meetings(model.run.dataset, model.erased);
  }

  /** Makes what it looks things up in. `wanted`: candidates of a list. */
  static async of(model: ServedModel, wanted: number): Promise<Retrieving> {
    const count = Math.min(wanted, model.toldApart - FIRST_INDEX);
    const sample = Int32Array.from(
      mostOf(model.trainingCounts, Math.min(SAMPLE, Math.ceil(SAMPLE_SHARE * count))),
    ).sort();
    const first = Math.min(count - sample.length, Math.ceil(FIRST_ROUND * count));
    const rounds = [first, count - sample.length - first] as const;
    const { parts } = await bestSpace(model, async ({ vectors, width }) => {
      const own: FinderParts = { cells: await vectorCells(vectors, width), sample, rounds };
      const finder = open(own);
      return { parts: own, find: async (score) => finder({ named: new Int32Array(0) }, score) };
    });
    model.letGo();
    return new Retrieving(model, {
      count,
      sample,
      search: new CandidateSearch(FINDER, parts, [sample.length, ...rounds]),
    });
  }

  async candidates(known: KnownUser, popularity: Float32Array): Promise<Candidates> {
    const sources = new Map<number, ItemSource>();
    const named: number[] = [];
    const add = (items: Iterable<number>, source: keyof typeof SHARES): void => {
      let left = this.#mostNamedBy(source);
      for (const item of items) {
        if (left === 0) return;
        if (sources.has(item)) continue;
        sources.set(item, source);
        left--;
        if (!this.#sample.has(item)) named.push(item);
      }
    };
    add(this.#meetings.around(known.history, this.#mostNamedBy('co-occurrence')), 'co-occurrence');
    if (this.#model.seesAttributes) add(this.#model.items.newestFirst(this.#mostNamed), 'new');
    add(this.#mostPopular(popularity), 'popular');
    const found = await known.search(this.#search, { named: Int32Array.from(named) });
    return { ...found, sourceOf: (item) => sources.get(item) ?? 'vectors' };
  }

  /** By all sources. */
  get #mostNamed(): number {
    const sources = Object.keys(SHARES) as (keyof typeof SHARES)[];
    return sources.reduce((sum, source) => sum + this.#mostNamedBy(source), 0);
  }

  #mostNamedBy(source: keyof typeof SHARES): number {
    return Math.min(MOST_NAMED, Math.floor(SHARES[source] * this.#count));
  }

  /** As many as may be named, whatever others name before; worked out once for the counts of a moment. */
  #mostPopular(counts: Float32Array): readonly number[] {
    if (this.#popular?.counts !== counts)
      this.#popular = { counts, items: mostOf(counts.subarray(0, this.#model.toldApart), this.#mostNamed) };
    return this.#popular.items;
  }
}

/** The items with the largest counts, largest first. */
function mostOf(counts: Float32Array, size: number): number[] {
  const largest = new Largest(size);
  largest.offer(counts, 0, (item) => item >= FIRST_INDEX);
  return largest.sorted().map(({ index }) => index);
}
