/**
 * What a trained model is to everybody else: a card, settings with rules, and the functions that build its graphs. Knows
 * what is asked of every model alike; does not know any one model (registry.ts lists them), how it is trained or ranks.
 *
 * Shapes: B rows, C candidates, I distinct items of a batch, d_v width of what a candidate is scored by, N items of a catalogue.
 */
import { type Rule, isListOf, isOneOf, isRecordOf, isText, isTrueOrFalse, isWhole } from '../../base/index.js';
import type { Dataset } from '../../data/index.js';
import type { BatchExtra, BatchSizes, Extent, NegativeSampling, Window } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type IdKind, type ParameterDescription, Scope } from '../layers/layers.js';
import { Parameters } from '../weights/parameters.js';
import { type ShapeName, publishedShapes } from './shapes.js';
import { isRate, isWidth } from './settings.js';

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

/** Settings to try on a data set: some of the model's own or of the common ones, and `learningRate`. */
export type Trial = Readonly<Record<string, unknown>>;

/** No model is given more trials than this. */
export const MOST_TRIALS = 6;

const rateAndDropout = ([learningRate, dropout]: readonly [learningRate: number, dropout: number]): Trial => ({
  learningRate,
  dropout,
});
const [bold, gentle] = [rateAndDropout([3e-3, 0.3]), rateAndDropout([1e-3, 0.1])];
const others = (
  [
    [1e-3, 0.3],
    [3e-3, 0.1],
    [1e-3, 0.5],
    [3e-3, 0.5],
  ] as const
).map(rateAndDropout);

/**
 * What is worth trying for a model that does not say otherwise. The first is what twelve of fourteen models were best with on
 * Beauty's validation (LOG, 2026-11-24), and the first few reach both learning rates.
 */
export const usualTrials: readonly Trial[] = [bold, gentle, ...others];

/** The same for models that were better with less of both there. */
export const gentleTrials: readonly Trial[] = [gentle, bold, ...others];

/** What a model's own file says. */
export interface ModelDefinition<Settings extends object> {
  readonly card: ModelCard;
  /** Settings by preset, the usual one first, and what is other than common for this model. */
  readonly presets: Readonly<Record<string, Settings & Partial<CommonConfig>>>;
  /** What the published shapes change. */
  readonly shapes?: Readonly<Record<ShapeName, Partial<Settings & CommonConfig>>>;
  /** What a preset says that no shape changes. */
  readonly whateverTheShape?: Readonly<Record<string, Partial<Settings & CommonConfig>>>;
  readonly rules: { readonly [Key in keyof Settings]: Rule };
  /** Settings that came later, and what runs that lack them were trained with. */
  readonly added?: Partial<Settings>;
  /** What is wrong with a configuration whose every setting is sound by itself; null when nothing is. */
  readonly wrong?: (config: CommonConfig & Settings) => string | null;
  /** What `sesrec compare` tries, at most MOST_TRIALS, the likeliest first; usualTrials unless told. */
  readonly tuning?: readonly Trial[];
  /** The same of presets that want other trials. */
  readonly tuningOf?: Readonly<Record<string, readonly Trial[]>>;
  readonly build: (config: CommonConfig & Settings) => ModelParts;
}

export interface ModelParts extends Pick<Model, 'scoring'> {
  /** Default: what the card says. Attributes that are not configured, and searches where it learns from none, are left out anyway. */
  readonly sees?: Model['sees'];
  readonly seesPadding?: boolean;
  readonly seesSearches?: boolean;
  /** As it sees searches, unless told. */
  readonly needsSearches?: boolean;
  readonly trainsOn?: Model['trainsOn'];
  readonly alignment?: Model['alignment'];
  readonly rowsTogether?: number;
  /** Default: the prediction alone. */
  readonly losses?: Model['losses'];
  readonly extras?: Model['extras'];
  readonly extraSizes?: Readonly<Record<string, number>>;
}

/** An entry of the registry: a definition whose settings nobody outside its file needs to know by type. */
export interface RegisteredModel {
  readonly card: ModelCard;
  /** The usual one first. */
  readonly presets: readonly [string, ...string[]];
  /** The settings of a preset at a published shape, without what the data decide. */
  readonly settings: (preset: string, shape: ShapeName) => Omit<CommonConfig, keyof DataConfig>;
  /** What keeps it from being built with a configuration, in a few words; null when nothing does. */
  readonly rule: Rule;
  readonly tuning: (preset: string) => readonly Trial[];
  /** The configuration must have passed the rule. */
  readonly build: (config: CommonConfig) => Model;
}

const steps = isWhole(1, 10_000);
const size = isWhole(2, 2 ** 31 - 1);
/** Attributes share their owner's prefix with its other parameters, so they cannot have the names of those. */
const attributesBeside = (...taken: readonly string[]): Rule => {
  const isFree: Rule = (value, name) =>
    isText(value, name) ??
    (taken.includes(value as string)
      ? `${name} cannot be ${JSON.stringify(value)}, the name of a parameter: rename the attribute in the log`
      : null);
  return isListOf(isRecordOf({ name: isFree, size, width: isWidth }));
};

/** Bounds are far beyond any use, and keep a slip of the finger from asking for more memory than there is. */
const commonRules: { readonly [Key in keyof CommonConfig]: Rule } = {
  sizes: isRecordOf({ items: size, users: size, queries: size, words: size, sources: size }),
  itemAttributes: attributesBeside('id', 'projection.weight', 'projection.bias'),
  userAttributes: attributesBeside('id'),
  itemIdWidth: isWidth,
  queryIdWidth: isWidth,
  wordWidth: isWidth,
  userIdWidth: isWidth,
  window: isRecordOf({ feed: steps, search: steps, clicks: steps, words: steps }),
  dropout: isRate,
  negatives: isWhole(1, 10_000),
  negativeSampling: isOneOf('popular', 'uniform'),
  fixedNegatives: isTrueOrFalse,
};

/** Makes a definition an entry of the registry. */
export function registered<Settings extends object>(definition: ModelDefinition<Settings>): RegisteredModel {
  const { card, presets, rules, shapes, whateverTheShape, added } = definition;
  const isComplete = isRecordOf({ ...commonRules, ...(rules as Record<string, Rule>) });
  const completed = (config: unknown): unknown => (added && isObject(config) ? { ...added, ...config } : config);
  const rule: Rule = (value, name) => {
    const config = completed(value);
    return isComplete(config, name) ?? definition.wrong?.(config as CommonConfig & Settings) ?? null;
  };
  return {
    card,
    presets: Object.keys(presets) as [string, ...string[]],
    settings: (preset, shape) => ({
      ...publishedShapes[shape].common,
      ...presets[preset],
      ...shapes?.[shape],
      ...whateverTheShape?.[preset],
    }),
    rule,
    tuning: (preset) => definition.tuningOf?.[preset] ?? definition.tuning ?? usualTrials,
    build: (given) => {
      const config = completed(given) as CommonConfig & Settings;
      return built(card, config, definition.build(config));
    },
  };
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

const OF_SEARCHES: readonly Sight[] = ['queries', 'query words', 'search clicks'];

/** Fills in what a model leaves to the usual. */
function built(card: ModelCard, config: CommonConfig, parts: ModelParts): Model {
  const { scoring, seesPadding = false, alignment = null, extraSizes = {} } = parts;
  const sees = parts.sees ?? card.sees;
  const seesSearches = parts.seesSearches ?? sees.some((sight) => sight === 'queries' || sight === 'query words');
  const needsSearches = parts.needsSearches ?? seesSearches;
  return {
    card,
    config,
    sees: sees.filter(
      (sight) =>
        (seesSearches || needsSearches || !OF_SEARCHES.includes(sight)) &&
        (sight !== 'item attributes' || config.itemAttributes.length > 0),
    ),
    scoring,
    seesPadding,
    seesSearches,
    needsSearches,
    trainsOn: parts.trainsOn ?? 'events',
    alignment,
    rowsTogether: parts.rowsTogether ?? 1,
    losses: parts.losses ?? ((scope, sizes) => predictionLosses(scope, scoring, sizes)),
    extras: parts.extras ?? (() => []),
    extraSizes,
  };
}

/** The logits of a training batch, from what ranks: (B,C), the positive in column 0. */
export function trainingLogits(scope: Scope, scoring: Scoring, sizes: BatchSizes, state: State): Tensor {
  const slots = scope.input('candidates', [sizes.rows, sizes.candidates], 'int32');
  return scoring.score(scope, state, ops.gather(scoring.items(scope, sizes), slots));
}

/** Binary cross-entropy of a positive in column 0 and negatives behind it, the part's share of the mean (SESRec, Eq. 22). logits: (B,C). */
export function predictionLoss(scope: Scope, logits: Tensor): Tensor {
  const [, candidates] = logits.shape as [number, number];
  const labels = ops.constant([1, ...Array.from({ length: candidates - 1 }, () => 0)], [1, candidates]);
  return ops.mul(nn.binaryCrossEntropy(logits, labels), scope.input('rowShare', []));
}

/** Further losses by name, each with its weight. */
export type WeightedLosses = Readonly<Record<string, readonly [loss: Tensor, weight: number]>>;

/** The prediction, and further losses with their weights. */
export function predictionLosses(
  scope: Scope,
  scoring: Scoring,
  sizes: BatchSizes,
  others: WeightedLosses = {},
): Losses {
  return lossesOf(scope, trainingLogits(scope, scoring, sizes, scoring.encode(scope, sizes, sizes)), others);
}

/** The same from logits (B,C), for models that look at more of what they encode than they score by. */
export function lossesOf(scope: Scope, logits: Tensor, others: WeightedLosses): Losses {
  const prediction = predictionLoss(scope, logits);
  const loss = Object.values(others).reduce((sum, [other, weight]) => ops.add(sum, ops.mul(other, weight)), prediction);
  return {
    loss,
    prediction,
    others: Object.fromEntries(Object.entries(others).map(([name, [other]]) => [name, other])),
    logits,
  };
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
