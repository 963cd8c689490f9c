/**
 * Whether what a split calls similar is alike in both lanes, and what it calls dissimilar is not: Figure 3 of the SESRec paper.
 * Knows categories of actions and the side of each; does not know what model divided them.
 *
 * Per user, p and q are the shares of categories among the feed events and among the clicked items of the searches of one side;
 * their Jensen-Shannon divergence in base 2 is 0 for equal shares and 1 where no category is common. Short lists differ by
 * chance, so that the same histories are also divided at random: actions that have a category change their sides within their
 * lane, so that every part keeps as many of them. What the model's split does beyond that is its own.
 */
import { Random, at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import { type PairedTest, pairedBootstrap, pairedTest, signTest } from '../evaluate/index.js';
import { LANES, type Lane } from '../features/index.js';
import type { Case, SidedAction } from '../model/index.js';
import { categoriesOf, categoryOf } from './categories.js';

export const BINS = 20;
const SIDES = ['similar', 'dissimilar'] as const;
type SideName = (typeof SIDES)[number];

export interface DivergenceOptions {
  /** The item attribute that is the category. Default: `category`. */
  readonly category?: string;
  /** Random splits of every history. Default: 20. */
  readonly repeats?: number;
  /** Of the random splits and the intervals. Default: 1. */
  readonly seed?: number;
}

/** A mean over users, its 95 % bootstrap interval, and Student's test that it is 0. */
export interface MeanOverUsers {
  readonly mean: number;
  readonly interval: readonly [low: number, high: number];
  readonly test: PairedTest;
}

/** The divergences of the two sides of one way to split. */
export interface Divergences {
  /** Mean over users, by side. */
  readonly mean: Readonly<Record<SideName, number>>;
  /** Shares of the users in 20 bins of equal width on [0,1], by side; 1 lies in the last one. */
  readonly histogram: Readonly<Record<SideName, readonly number[]>>;
  /** Dissimilar minus similar: above 0 where the split does what the paper says. */
  readonly difference: MeanOverUsers;
}

export interface Divergence {
  /** The model's split. */
  readonly split: Divergences;
  /** Random splits of the same sizes: means over the repeats. */
  readonly random: Divergences;
  /** What the model's split does beyond the random ones; `similar` and `dissimilar`: random minus model, and model minus random. */
  readonly beyond: Readonly<Record<'difference' | SideName, MeanOverUsers>>;
  /** Users whose similar parts diverge less than their dissimilar ones, out of those where the two differ. */
  readonly sign: { readonly less: number; readonly of: number; readonly ties: number; readonly p: number };
  readonly users: {
    /** Those with a test target. */
    readonly all: number;
    readonly compared: number;
    /** Why the others are not. */
    readonly leftOut: {
      /** They lack one history: there is nothing to split. */
      readonly oneHistory: number;
      /** A side of a lane is empty, so that the model takes the whole history for it. */
      readonly emptySide: number;
      /** A part has no action with a category, such as searches without a click. */
      readonly noCategory: number;
    };
  };
  readonly protocol: {
    readonly category: string;
    readonly repeats: number;
    readonly seed: number;
    readonly bins: number;
    readonly base: 2;
  };
}

/** How often each category occurs. */
export type Counts = ReadonlyMap<number, number>;

/**
 * The Jensen-Shannon divergence of two distributions, given as counts, in base 2: KL(p||m)/2 + KL(q||m)/2 with m = (p + q)/2 and
 * 0 log 0 = 0. From 0 (equal shares) to 1 (nothing in common); NaN where one has no counts. Not its square root, the distance.
 */
export function jensenShannon(one: Counts, other: Counts): number {
  const total = (counts: Counts): number => [...counts.values()].reduce((sum, count) => sum + count, 0);
  const [ofOne, ofOther] = [total(one), total(other)];
  if (ofOne === 0 || ofOther === 0) return Number.NaN;
  const half = (from: Counts, ofFrom: number, to: Counts, ofTo: number): number => {
    let sum = 0;
    for (const [category, count] of from) {
      const p = count / ofFrom;
      const q = (to.get(category) ?? 0) / ofTo;
      if (p > 0) sum += (p / 2) * Math.log2((2 * p) / (p + q));
    }
    return sum;
  };
  const divergence = half(one, ofOne, other, ofOther) + half(other, ofOther, one, ofOne);
  // to where rounding reaches: what is equal must be so, or chance and the order of counts would decide ties; and a trifle may lie outside
  return Math.min(1, Math.max(0, Math.round(divergence * 1e12) / 1e12));
}

/** The actions of a user that have categories, by lane, and whether each is similar. */
type Labelled = Readonly<Record<Lane, { readonly categories: readonly (readonly number[])[]; isSimilar: boolean[] }>>;

/**
 * Compares the sides of every user. `splits`: the actions of each case with their sides, in any order. A data set whose items
 * lack the category is a `UserError`.
 */
export function divergence(
  dataset: Dataset,
  cases: readonly Case[],
  splits: readonly (readonly SidedAction[])[],
  { category = 'category', repeats = 20, seed = 1 }: DivergenceOptions = {},
): Divergence {
  const column = categoryOf(dataset, category);
  const leftOut = { oneHistory: 0, emptySide: 0, noCategory: 0 };
  const model: Pair[] = [];
  const random: Pair[] = [];
  const repeated: Pair[] = [];
  for (const [row, moment] of cases.entries()) {
    const actions = splits[row] as readonly SidedAction[];
    const reason = whyNot(actions);
    if (reason !== null) {
      leftOut[reason]++;
      continue;
    }
    const labelled = labelledOf(dataset, column, moment, actions);
    const own = divergencesOf(labelled);
    if (SIDES.some((side) => Number.isNaN(own[side]))) {
      leftOut.noCategory++;
      continue;
    }
    const id = dataset.users.ids[moment.user] as string;
    const draws = Array.from({ length: repeats }, (_, repeat) =>
      divergencesOf(shuffled(labelled, new Random(seed, 'random split', id, repeat))),
    );
    model.push(own);
    random.push({ similar: meanOf(draws, 'similar'), dissimilar: meanOf(draws, 'dissimilar') });
    repeated.push(...draws);
  }
  const test = (what: string, values: readonly number[]): MeanOverUsers => {
    const { mean, interval } = pairedBootstrap(values, {
      random: new Random(seed, 'divergence', what),
      resamples: RESAMPLES,
    });
    return { mean, interval, test: pairedTest(values) };
  };
  const differences = model.map(differenceOf);
  const { positive, negative, p } = signTest(differences);
  const beyond = (what: string, value: (own: Pair, chance: Pair) => number): MeanOverUsers =>
    test(
      `beyond, ${what}`,
      model.map((own, i) => value(own, random[i] as Pair)),
    );
  return {
    split: {
      mean: meansOf(model),
      histogram: histogramsOf(model),
      difference: test('split', differences),
    },
    random: {
      mean: meansOf(random),
      histogram: histogramsOf(repeated),
      difference: test('random', random.map(differenceOf)),
    },
    beyond: {
      difference: beyond('difference', (own, chance) => differenceOf(own) - differenceOf(chance)),
      similar: beyond('similar', (own, chance) => chance.similar - own.similar),
      dissimilar: beyond('dissimilar', (own, chance) => own.dissimilar - chance.dissimilar),
    },
    sign: { less: positive, of: positive + negative, ties: model.length - positive - negative, p },
    users: { all: cases.length, compared: model.length, leftOut },
    protocol: { category, repeats, seed, bins: BINS, base: 2 },
  };
}

/** With tens of thousands of users, more would take long and tell little. */
const RESAMPLES = 2000;

/** The divergence of either side of one user. */
type Pair = Readonly<Record<SideName, number>>;
const differenceOf = ({ similar, dissimilar }: Pair): number => dissimilar - similar;
const meanOf = (pairs: readonly Pair[], side: SideName): number =>
  pairs.reduce((sum, pair) => sum + pair[side], 0) / pairs.length;
const meansOf = (pairs: readonly Pair[]): Pair => ({
  similar: meanOf(pairs, 'similar'),
  dissimilar: meanOf(pairs, 'dissimilar'),
});

/** Why a user has no two sides in both lanes; null where they have. */
function whyNot(actions: readonly SidedAction[]): 'oneHistory' | 'emptySide' | null {
  if (actions.every(({ side }) => side === null)) return 'oneHistory';
  const has = (lane: Lane, side: SideName): boolean =>
    actions.some((action) => action.lane === lane && action.side === side);
  return LANES.every((lane) => SIDES.every((side) => has(lane, side))) ? null : 'emptySide';
}

function labelledOf(dataset: Dataset, column: Int32Array, moment: Case, actions: readonly SidedAction[]): Labelled {
  const ofLane = (lane: Lane) => {
    const known = actions
      .filter((action) => action.lane === lane)
      .map((action) => ({ categories: categoriesOf(dataset, column, moment, action), side: action.side }))
      .filter(({ categories }) => categories.length > 0);
    return {
      categories: known.map(({ categories }) => categories),
      isSimilar: known.map(({ side }) => side === 'similar'),
    };
  };
  return { feed: ofLane('feed'), search: ofLane('search') };
}

/** The same actions with their sides in another order, lane by lane. */
function shuffled(labelled: Labelled, random: Random): Labelled {
  const ofLane = (lane: Lane) => {
    const { categories, isSimilar } = labelled[lane];
    const order = random.shuffle(Int32Array.from(isSimilar.keys()));
    return { categories, isSimilar: Array.from(order, (from) => isSimilar[from] as boolean) };
  };
  return { feed: ofLane('feed'), search: ofLane('search') };
}

function divergencesOf(labelled: Labelled): Pair {
  const countsOf = (lane: Lane, similar: boolean): Counts => {
    const counts = new Map<number, number>();
    const { categories, isSimilar } = labelled[lane];
    categories.forEach((own, i) => {
      if (isSimilar[i] === similar) for (const value of own) counts.set(value, (counts.get(value) ?? 0) + 1);
    });
    return counts;
  };
  const between = (similar: boolean): number => jensenShannon(countsOf('feed', similar), countsOf('search', similar));
  return { similar: between(true), dissimilar: between(false) };
}

function histogramsOf(pairs: readonly Pair[]): Divergences['histogram'] {
  const of = (side: SideName): number[] => {
    const bins = new Float64Array(BINS);
    for (const pair of pairs) {
      const bin = Math.min(BINS - 1, Math.floor(pair[side] * BINS));
      bins[bin] = at(bins, bin) + 1 / pairs.length;
    }
    return [...bins];
  };
  return { similar: of('similar'), dissimilar: of('dissimilar') };
}
