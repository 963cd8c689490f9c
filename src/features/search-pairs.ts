/**
 * Queries and the items clicked in their results, as training knows them, and pairs of them drawn for the rows of a batch.
 * Knows which clicks are training; does not know what a model learns from a pair.
 */
import { type Random, UserError, assert, at } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import type { Assembly, BatchExtra } from './batch.js';

/** Clicks in search results, one entry per click. */
export interface SearchPairs {
  /** Query indices. */
  readonly queries: Int32Array;
  /** Item indices. */
  readonly items: Int32Array;
  /** The clicks themselves, by their positions. */
  readonly clicks: Int32Array;
  /** The searches that they belong to, and who searched. */
  readonly searches: Int32Array;
  readonly users: Int32Array;
}

/**
 * Every click of the training period on a known item, by user and search. A click is training when its search is and nothing
 * held out had happened by then: a late click on a result of a training search is not.
 */
export function trainingPairs(dataset: Dataset): SearchPairs {
  const { searchOffsets, searchQuery, searchIsTraining, clickOffsets, clickItem } = dataset;
  const queries: number[] = [];
  const items: number[] = [];
  const [clicks, searches, users]: [number[], number[], number[]] = [[], [], []];
  for (let user = 0; user + 1 < searchOffsets.length; user++) {
    const isBefore = beforeHeldOut(dataset, user);
    for (let search = at(searchOffsets, user); search < at(searchOffsets, user + 1); search++) {
      if (at(searchIsTraining, search) === 0 || at(searchQuery, search) < FIRST_INDEX) continue;
      for (let click = at(clickOffsets, search); click < at(clickOffsets, search + 1); click++) {
        if (at(clickItem, click) < FIRST_INDEX || !isBefore(click)) continue;
        queries.push(at(searchQuery, search));
        items.push(at(clickItem, click));
        clicks.push(click);
        searches.push(search);
        users.push(user);
      }
    }
  }
  return {
    queries: Int32Array.from(queries),
    items: Int32Array.from(items),
    clicks: Int32Array.from(clicks),
    searches: Int32Array.from(searches),
    users: Int32Array.from(users),
  };
}

/** Whether a click of a user came before anything of that user, or of that time, is held out. */
function beforeHeldOut(dataset: Dataset, user: number): (click: number) => boolean {
  const { split } = dataset.manifest;
  const first = at(dataset.heldOutStart, user);
  const ordinal = first < at(dataset.feedOffsets, user + 1) ? at(dataset.feedOrdinal, first) : Infinity;
  const time = split.strategy === 'global-time' ? split.validationFrom : null;
  return (click) => at(dataset.clickOrdinal, click) < ordinal && (time === null || at(dataset.clickTime, click) < time);
}

/** A training click, and what it is told from. */
export interface DrawnPair {
  readonly user: number;
  /** The search that the click belongs to, and its query. */
  readonly search: number;
  readonly query: number;
  /** Items, of which the first was clicked. */
  readonly candidates: readonly number[];
}

/** Draws until something is not excluded; the last of a hundred draws is taken as it is, lest a small catalogue hangs the training. */
export function drawOther(draw: () => number, isExcluded: (drawn: number) => boolean): number {
  let drawn = draw();
  for (let tries = 1; tries < 100 && isExcluded(drawn); tries++) drawn = draw();
  return drawn;
}

/**
 * Brings each row of a training batch one training click, drawn uniformly, and negative items for its query: drawn by how
 * often an item is clicked in search results, and not clicked for that query in training as far as others can be found.
 *
 *   searchPairQuery   (B)     query slots
 *   searchPairItems   (B,1+n) item slots, the clicked one first
 */
export class SearchPairDraws implements BatchExtra {
  readonly #dataset: Dataset;
  readonly #negatives: number;
  #known: { readonly pairs: SearchPairs; readonly clicked: ReadonlySet<number> } | null = null;

  constructor(dataset: Dataset, negatives: number) {
    this.#dataset = dataset;
    this.#negatives = negatives;
  }

  /** The pairs, and which there are; worked out at the first training batch, since those who only score need none. */
  get #training() {
    if (this.#known) return this.#known;
    const pairs = trainingPairs(this.#dataset);
    if (pairs.items.length === 0)
      throw new UserError(
        'the model learns from clicks in search results, and training has none: choose another --model',
      );
    const clicked = new Set<number>();
    pairs.items.forEach((item, pair) => clicked.add(this.#key(at(pairs.queries, pair), item)));
    return (this.#known = { pairs, clicked });
  }

  #key(query: number, item: number): number {
    return query * this.#dataset.items.ids.length + item;
  }

  add({ rows, training, inputs, items, queries }: Assembly): void {
    if (!training) return;
    const { randomOf } = training;
    assert(randomOf, 'search pairs are drawn');
    const width = 1 + this.#negatives;
    const drawn = { queries: new Int32Array(rows.count), items: new Int32Array(rows.count * width) };
    for (let row = 0; row < rows.count; row++) {
      const { query, candidates } = this.draw(randomOf('search pairs', row));
      drawn.queries[row] = query;
      drawn.items.set(candidates, row * width);
    }
    inputs['searchPairQuery'] = queries.slots(drawn.queries);
    inputs['searchPairItems'] = items.slots(drawn.items);
  }

  /** The pair of a row, by its stream `search pairs`; whoever draws from the same stream gets the same. */
  draw(random: Random): DrawnPair {
    const { pairs, clicked } = this.#training;
    const any = (): number => random.integer(pairs.items.length);
    const pair = any();
    const query = at(pairs.queries, pair);
    const candidates = [at(pairs.items, pair)];
    while (candidates.length <= this.#negatives)
      candidates.push(
        drawOther(
          () => at(pairs.items, any()),
          (item) => clicked.has(this.#key(query, item)),
        ),
      );
    return { user: at(pairs.users, pair), search: at(pairs.searches, pair), query, candidates };
  }
}
