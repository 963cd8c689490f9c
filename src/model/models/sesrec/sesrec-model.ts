/**
 * SESRec as an entry of the registry. Knows its card, the bounds of its settings, and which form scores what; does not know
 * the graphs themselves (sesrec.ts, sesrec-losses.ts, sesrec-projected.ts).
 */
import { isEither, isNotNegative, isNumber, isOneOf, isPositive, isTrueOrFalse, isWhole } from '../../../base/index.js';
import { type Extent, nextItems, searchAges } from '../../../features/index.js';
import { type Tensor, ops } from '../../../tensor/index.js';
import { itemWidthOf, userWidthOf } from '../../definition/embeddings.js';
import type { Scope } from '../../layers/layers.js';
import { type Model, type Scoring, type ScoringForm, type State, parametersOf } from '../../definition/model.js';
import { type ModelDefinition, type ModelParts, registered } from '../../definition/registered.js';
import type { Parameters } from '../../weights/parameters.js';
import { type Interests, type UserState, candidateVectors, encodeUser, scoreCandidates } from './sesrec.js';
import {
  type SesrecConfig,
  type SesrecRules,
  type SesrecShape,
  asBefore,
  everyPlaceShape,
  everyPlaceTrials,
  ownShapes,
  seesPadding,
  sesrecPresets,
} from './sesrec-config.js';
import { everyPlaceLosses, everyPlaceScoring, nextItemChoice } from './sesrec-every-place.js';
import { sesrecLosses } from './sesrec-losses.js';
import {
  MAXIMAL_SCORE,
  type ProjectedUsers,
  projectUsers,
  reachOfCandidates,
  reachOfUsers,
  scoreOwnCandidates,
  scoreSharedCandidates,
} from './sesrec-projected.js';
import { areWidths, isRate, isWidth, wrongHeads, wrongLogit } from '../../definition/settings.js';

type Settings = SesrecRules & SesrecShape;

const definition: ModelDefinition<Settings> = {
  card: {
    id: 'sesrec',
    name: 'SESRec',
    kind: 'search-aware',
    source: {
      authors: 'Si et al.',
      title: 'When Search Meets Recommendation: Learning Disentangled Search Representation for Recommendation',
      venue: 'SIGIR',
      year: 2023,
    },
    idea: 'encodes both histories, splits each into what is similar and dissimilar to the other, and lets the candidate attend to all of it',
    sees: ['item ids', 'item attributes', 'user', 'order', 'queries', 'query words', 'search clicks'],
    extraLosses: [
      'alignment (alpha): queries with the items clicked in their results',
      'contrast (beta): similar and dissimilar interests',
    ],
    differs: [
      "official: nothing from the authors' code, proven by golden vectors",
      'paper: what the text says where the two disagree; docs/sesrec.md lists the places',
      'sesrec: ours. A causal Transformer reads the feed, every place asks the searches before it, and a product scores the next item against many others; the split goes by the alignment and scores nothing; docs/preset.md',
    ],
  },
  presets: {
    official: { ...sesrecPresets.official, ...ownShapes.amazon },
    paper: { ...sesrecPresets.paper, ...ownShapes.amazon },
    sesrec: { ...sesrecPresets.sesrec, ...ownShapes.amazon, dropout: 0.5 },
  },
  tuningOf: { sesrec: everyPlaceTrials },
  shapes: ownShapes,
  whateverTheShape: { sesrec: everyPlaceShape },
  rules: {
    thresholdIncludesTies: isTrueOrFalse,
    threshold: isEither(
      isOneOf('mean', 'median'),
      isNumber('"mean", "median" or a number from 0 to 1', (value) => value >= 0 && value <= 1),
    ),
    splitBy: isOneOf('coAttention', 'alignment'),
    maskCoAttention: isTrueOrFalse,
    meanCoAttention: isTrueOrFalse,
    projectionBias: isTrueOrFalse,
    projectCandidate: isTrueOrFalse,
    alignmentIncludesPositive: isTrueOrFalse,
    alignmentReduction: isOneOf('pairs', 'rows'),
    transposedItemToQuery: isTrueOrFalse,
    zeroPaddingRows: isTrueOrFalse,
    flatAttentionInitialisation: isTrueOrFalse,
    userBeforeCandidate: isTrueOrFalse,
    useAlignment: isTrueOrFalse,
    useContrast: isTrueOrFalse,
    useMultiInterest: isTrueOrFalse,
    useSearch: isTrueOrFalse,
    trainOn: isOneOf('candidates', 'everyPlace'),
    width: isWidth,
    blocks: isWhole(0, 64),
    heads: isWidth,
    hidden: areWidths,
    temperature: isPositive,
    margin: isNotNegative,
    alpha: isNotNegative,
    beta: isNotNegative,
    alignmentNegatives: isWhole(1, 1_000_000),
    sharedNegatives: isWhole(1, 1_000_000),
    memoryWidth: isWhole(0, 4096),
    memoryKeys: isOneOf('items', 'own'),
    itemVectorsOf: isOneOf('idsAndAttributes', 'ids'),
    memoryDropout: isRate,
    memoryTrained: isOneOf('together', 'apart'),
    memoryShare: isNotNegative,
    idDropout: isRate,
    norm: isOneOf('pre', 'code'),
  },
  added: { splitBy: 'coAttention', trainOn: 'candidates', sharedNegatives: 1024, memoryWidth: 0, ...asBefore },
  wrong: ({ width, heads, hidden, meanCoAttention, maskCoAttention, splitBy, useAlignment, ...others }) =>
    wrongHeads('a width', width, heads) ??
    wrongLogit(hidden) ??
    (meanCoAttention && !maskCoAttention ? 'meanCoAttention needs maskCoAttention' : null) ??
    (splitBy === 'alignment' && !useAlignment
      ? 'splitBy alignment needs useAlignment, which trains what it goes by'
      : null) ??
    (others.memoryTrained === 'together' && others.memoryShare !== 1
      ? 'memoryShare is of votes that learn apart: it needs memoryTrained=apart'
      : null) ??
    (others.itemVectorsOf === 'ids' && !hasOwnKeys(others)
      ? 'itemVectorsOf ids leaves attributes to keys of their own: it needs trainOn=everyPlace, memoryWidth above 0 and memoryKeys=own'
      : null) ??
    (others.trainOn === 'everyPlace' ? wrongAtEveryPlace({ splitBy, maskCoAttention, ...others }) : null),
  build: (config) => ({
    seesPadding: seesPadding(config),
    seesSearches: config.useSearch,
    alignment: config.useSearch ? { negatives: config.alignmentNegatives, reduction: config.alignmentReduction } : null,
    ...(config.trainOn === 'everyPlace' ? everyPlaceParts(config) : candidateParts(config)),
  }),
};

const hasOwnKeys = ({
  trainOn,
  memoryWidth,
  memoryKeys,
}: Pick<SesrecConfig, 'trainOn' | 'memoryWidth' | 'memoryKeys'>): boolean =>
  trainOn === 'everyPlace' && memoryWidth > 0 && memoryKeys === 'own';

/** What has no meaning where nothing is scored by interests. */
function wrongAtEveryPlace(
  rules: Pick<SesrecConfig, 'splitBy' | 'maskCoAttention' | 'useContrast' | 'useMultiInterest' | 'projectCandidate'>,
): string | null {
  const needed = {
    splitBy: 'alignment',
    maskCoAttention: true,
    useContrast: false,
    useMultiInterest: false,
    projectCandidate: true,
  } as const;
  const wrong = Object.entries(needed).find(([name, value]) => rules[name as keyof typeof needed] !== value);
  return wrong ? `trainOn everyPlace needs ${wrong[0]}=${wrong[1]}` : null;
}

const candidateParts = (config: SesrecConfig): ModelParts => ({
  losses: (scope, sizes) => sesrecLosses(scope, config, sizes),
  scoring: sesrecScoring(config),
});

function everyPlaceParts(config: SesrecConfig): ModelParts {
  const scoring = everyPlaceScoring(config, splitByName);
  return {
    scoring,
    sees: definition.card.sees.filter((sight) => sight !== 'user'),
    trainsOn: 'users',
    extras: (dataset) => [
      nextItems(dataset, nextItemChoice(config)),
      ...(config.useSearch ? [searchAges(dataset)] : []),
    ],
    extraSizes: { places: 1 },
    losses: (scope, sizes) => everyPlaceLosses(scope, config, sizes, scoring),
  };
}

export const sesrec = registered(definition);

/** A SESRec with its settings. */
export const sesrecModel = (config: SesrecConfig): Model => sesrec.build(config);

/** Parameters of a SESRec with the given configuration, all zero. */
export const sesrecParameters = (config: SesrecConfig): Parameters => parametersOf(sesrecModel(config));

function sesrecScoring(config: SesrecConfig): Scoring {
  return {
    items: (scope, sizes) => candidateVectors(scope, config, sizes.items),
    ...exactForm(config),
    short: shortForm(config),
  };
}

/** As the paper has it. */
function exactForm(config: SesrecConfig): ScoringForm {
  return {
    encode: (scope, sizes) => flatten(encodeUser(scope, config, sizes).state),
    score: (scope, state, candidates) => scoreWithAttention(scope, config, state, candidates).logits,
  };
}

/** Encodes to nothing but `affinity` (B,T_r,T_s), how much the actions of both histories agree, and `hasBoth` (B); to nothing without search. */
export function affinityEncoding(config: SesrecConfig): ScoringForm['encode'] {
  const only = ({ affinity, hasBoth }: NonNullable<UserState['split']>): State => ({
    affinity,
    hasBoth: ops.reshape(hasBoth, [hasBoth.shape[0] as number]),
  });
  if (config.trainOn === 'everyPlace') {
    const scoring = everyPlaceScoring(config, only);
    return (scope, sizes, extent) => {
      const { affinity, hasBoth } = scoring.encode(scope, sizes, extent);
      return affinity && hasBoth ? { affinity, hasBoth } : {};
    };
  }
  return (scope, sizes) => {
    const { split } = encodeUser(scope, config, sizes).state;
    return split ? only(split) : {};
  };
}

/** Eq. 17 to 21 on an encoded state: logits (B,C), and the attention of each lane (B,C,T). */
export const scoreWithAttention = (scope: Scope, config: SesrecConfig, state: State, candidates: Tensor) =>
  scoreCandidates(scope, config, unflatten(state), candidates);

/** Projected before it is mixed. */
function shortForm(config: SesrecConfig): NonNullable<Scoring['short']> {
  const candidateWidth = config.projectCandidate ? config.width : itemWidthOf(config);
  const projected = (state: State): ProjectedUsers => state as unknown as ProjectedUsers;
  return {
    encode: (scope, sizes, extent) => ({
      ...projectUsers(scope, config, cutTo(encodeUser(scope, config, sizes).state, extent), candidateWidth),
    }),
    score: (scope, state, candidates) =>
      scoreOwnCandidates(scope, config, projected(state), candidates, userWidthOf(config)),
    scoreShared: (scope, state, candidates) =>
      scoreSharedCandidates(scope, config, projected(state), candidates, userWidthOf(config)),
    most: MAXIMAL_SCORE,
    reachOfUsers: (state) => reachOfUsers(projected(state)),
    reachOfItems: (scope, vectors) => reachOfCandidates(scope, config, vectors),
  };
}

/** The state by names. */
function flatten({ feed, search, masks, user, split }: UserState): State {
  return {
    encodedFeed: feed,
    encodedUser: user,
    feedAll: masks.feed.all,
    feedSimilar: masks.feed.similar,
    feedDissimilar: masks.feed.dissimilar,
    ...(search && masks.search
      ? {
          encodedSearch: search,
          searchAll: masks.search.all,
          searchSimilar: masks.search.similar,
          searchDissimilar: masks.search.dissimilar,
        }
      : {}),
    ...(split ? splitByName(split) : {}),
  };
}

const splitByName = ({ feed, search, hasBoth }: NonNullable<UserState['split']>): State => ({
  hasBoth: ops.reshape(hasBoth, [hasBoth.shape[0] as number]),
  feedIsSimilar: feed.isSimilar,
  searchIsSimilar: search.isSimilar,
  feedCoAttention: feed.attention,
  searchCoAttention: search.attention,
});

function unflatten(state: State): Omit<UserState, 'split'> {
  const tensor = (name: string): Tensor => state[name] as Tensor;
  const interests = (lane: 'feed' | 'search'): Interests<Tensor> => ({
    all: tensor(`${lane}All`),
    similar: tensor(`${lane}Similar`),
    dissimilar: tensor(`${lane}Dissimilar`),
  });
  return {
    feed: tensor('encodedFeed'),
    search: state['encodedSearch'] ?? null,
    masks: { feed: interests('feed'), search: state['searchAll'] ? interests('search') : null },
    user: tensor('encodedUser'),
  };
}

/** The first positions of encoded histories; those that are left out are padding. */
function cutTo({ feed, search, masks, user }: UserState, extent: Extent): Omit<UserState, 'split'> {
  const cut = (x: Tensor, lane: 'feed' | 'search'): Tensor => ops.slice(x, 1, 0, extent[lane]);
  const cutMasks = ({ all, similar, dissimilar }: UserState['masks']['feed'], lane: 'feed' | 'search') => ({
    all: cut(all, lane),
    similar: cut(similar, lane),
    dissimilar: cut(dissimilar, lane),
  });
  return {
    feed: cut(feed, 'feed'),
    search: search && cut(search, 'search'),
    masks: { feed: cutMasks(masks.feed, 'feed'), search: masks.search && cutMasks(masks.search, 'search') },
    user,
  };
}
