/**
 * What a trained model is to everybody else: a card, settings, and the functions that build its graphs. Knows what is asked
 * of every model alike; does not know any one model (registry.ts lists them), how its file says it, how it is trained or ranks.
 *
 * Shapes: B rows, C candidates, I distinct items of a batch, d_v width of what a candidate is scored by, N items of a catalogue.
 */
import type { Dataset } from '../../data/index.js';
import type { BatchExtra, BatchSizes, Extent, NegativeSampling, Window } from '../../features/index.js';
import type { Tensor } from '../../tensor/index.js';
import { type IdKind, type ParameterDescription, Scope } from '../layers/layers.js';
import { Parameters } from '../weights/parameters.js';

/** An attribute of items or users that is embedded beside the id. */
export interface AttributeConfig {
  readonly name: string;
  /** Values, padding and unknown included. */
  readonly size: number;
  readonly width: number;
}

/** What every model has: how items, queries and users are embedded, how far it looks back, what it is trained against. */
export interface CommonConfig {
  /** Vocabulary sizes, padding and unknown included. */
  readonly sizes: {
    readonly items: number;
    readonly users: number;
    readonly queries: number;
    readonly words: number;
    readonly sources: number;
  };
  readonly itemAttributes: readonly AttributeConfig[];
  readonly userAttributes: readonly AttributeConfig[];
  readonly itemIdWidth: number;
  readonly queryIdWidth: number;
  readonly wordWidth: number;
  readonly userIdWidth: number;
  readonly window: Window;
  readonly dropout: number;
  /** Negative candidates per training row. */
  readonly negatives: number;
  /** How training negatives are drawn. */
  readonly negativeSampling: NegativeSampling;
  /** Draw each row's negatives once and keep them for all epochs. */
  readonly fixedNegatives: boolean;
}

/** The part of a configuration that the data decide. */
export type DataConfig = Pick<CommonConfig, 'sizes' | 'itemAttributes' | 'userAttributes'>;

/** What a model can look at, as tables of results name it. */
export type Sight =
  'item ids' | 'item attributes' | 'user' | 'order' | 'queries' | 'query words' | 'search clicks' | 'times';

/** A model, told to people. */
export interface ModelCard {
  readonly id: string;
  readonly name: string;
  readonly kind: 'sequential' | 'search-aware' | 'counts';
  /** Where it was published. */
  readonly source: { readonly authors: string; readonly title: string; readonly venue: string; readonly year: number };
  readonly idea: string;
  readonly sees: readonly Sight[];
  /** Losses beside the prediction, each with the setting that weighs it. */
  readonly extraLosses: readonly string[];
  /** What differs from the publication, and why. */
  readonly differs: readonly string[];
}

/** A training graph. Where a batch is computed in parts, each loss is the part's share, and those of the parts add up. */
export interface Losses {
  /** What is minimised. A scalar, as all losses. */
  readonly loss: Tensor;
  /** Binary cross-entropy of the candidates (SESRec, Eq. 22) unless the model says otherwise, before any weight. */
  readonly prediction: Tensor;
  /** The other losses by name, before their weights. */
  readonly others: Readonly<Record<string, Tensor>>;
  /** (B,C). */
  readonly logits: Tensor;
  /** What else tests and analyses may look at. */
  readonly details?: Readonly<Record<string, Tensor>>;
}

/** What a user is encoded to, the same for all candidates: tensors (B, …) by name. */
export type State = Readonly<Record<string, Tensor>>;

/** One way to score: encode users once, then let candidates meet them. */
export interface ScoringForm {
  /** @param extent where the histories of the rows end at the latest; the graph's own room may be larger */
  readonly encode: (scope: Scope, sizes: BatchSizes, extent: Extent) => State;
  /** Scores candidates of each user's own. candidates: (B,C,d_v). Result (B,C), logits. */
  readonly score: (scope: Scope, state: State, candidates: Tensor) => Tensor;
  /** Scores the same candidates for all users, where that is cheaper than one user after another. candidates: (N,d_v). Result (B,N). */
  readonly scoreShared?: (scope: Scope, state: State, candidates: Tensor) => Tensor;
  /** How many pairs of a user and a candidate may be scored at once; 16,384 unless told. */
  readonly pairsAtOnce?: number;
}

export interface Scoring extends ScoringForm {
  /** What each distinct item of a batch is scored by, the same for every user: (I,d_v). */
  readonly items: (scope: Scope, sizes: BatchSizes) => Tensor;
  /** A shorter form of the same scores, as long as they stay small: reach of a user times reach of an item at most `most`. */
  readonly short?: ScoringForm & {
    readonly most: number;
    /** (B,…) upper bounds. */
    readonly reachOfUsers: (state: State) => Tensor;
    /** (I) upper bounds. vectors: (I,d_v). */
    readonly reachOfItems: (scope: Scope, vectors: Tensor) => Tensor;
  };
}

/** A model with its settings: everything that training and ranking ask for. */
export interface Model {
  readonly card: ModelCard;
  readonly config: CommonConfig;
  /** What it looks at with these settings: the card tells what it can look at. */
  readonly sees: readonly Sight[];
  /** Whether scores depend on how far histories are padded; where they do not, batches are cut to their longest history. */
  readonly seesPadding: boolean;
  /** Whether searches change its scores. */
  readonly seesSearches: boolean;
  /** Whether it cannot be trained on a log without searches. */
  readonly needsSearches: boolean;
  /** Its training rows: every event that is not held out, or one per user, the last (of a whole feed at once). */
  readonly trainsOn: 'events' | 'users';
  /** Queries and clicked items to align, where it does that: negatives per batch, and how pairs are averaged. */
  readonly alignment: { readonly negatives: number; readonly reduction: 'pairs' | 'rows' } | null;
  /** A loss compares so many rows of a batch with one another, counted from its first: parts are cut between them. 1: none does. */
  readonly rowsTogether: number;
  readonly scoring: Scoring;
  readonly losses: (scope: Scope, sizes: BatchSizes) => Losses;
  /** What else its batches bring, for a data set. Sizes of the smallest instance of each: `extraSizes`. */
  readonly extras: (dataset: Dataset) => readonly BatchExtra[];
  readonly extraSizes: Readonly<Record<string, number>>;
}

/** The vocabulary sizes of a data set, padding and unknown included. Of users and items it counts those that training knows. */
export function vocabularySizes({
  trainedItems,
  trainedUsers,
  queries,
  words,
  sources,
}: Dataset): CommonConfig['sizes'] {
  return {
    items: trainedItems,
    users: trainedUsers,
    queries: queries.ids.length,
    words: words.ids.length,
    sources: sources.ids.length,
  };
}

/** The smallest batch that touches everything. */
export function smallestSizes({ config, extraSizes }: Model): BatchSizes {
  const { feed, search } = config.window;
  return {
    rows: 1,
    feed,
    search,
    candidates: 2,
    items: 1,
    queries: 1,
    words: 1,
    pairs: 1,
    anchorQueries: 1,
    anchorItems: 1,
    negativeItems: 1,
    negativeQueries: 1,
    extras: extraSizes,
  };
}

/** What parameters a model has: names and shapes do not depend on a batch. */
export function descriptionsOf(model: Model): ParameterDescription[] {
  const scope = new Scope();
  model.losses(scope, smallestSizes(model));
  return [...scope.parameters.values()];
}

/**
 * The parameters of a model, all zero.
 * @param room rows of tables, by what they are of, where not all are held
 */
export function parametersOf(model: Model, room: Readonly<Partial<Record<IdKind, number>>> = {}): Parameters {
  return new Parameters(
    descriptionsOf(model).map((description) => {
      const rows = description.table ? room[description.table] : undefined;
      return rows === undefined ? description : { ...description, shape: [rows, ...description.shape.slice(1)] };
    }),
  );
}
