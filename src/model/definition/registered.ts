/**
 * What a model's own file says, and the model that is made of it: rules for every setting, and the usual where it says nothing.
 * Knows definitions; does not know which there are (registry.ts).
 */
import { type Rule, isListOf, isOneOf, isRecordOf, isText, isTrueOrFalse, isWhole } from '../../base/index.js';
import { predictionLosses } from './losses.js';
import type { CommonConfig, DataConfig, Model, ModelCard, Sight } from './model.js';
import { isRate, isWidth } from './settings.js';
import { type ShapeName, publishedShapes } from './shapes.js';
import { type Trial, usualTrials } from './trials.js';

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
