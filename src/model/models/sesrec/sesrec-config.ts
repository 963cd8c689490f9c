/**
 * The sizes and switches of SESRec. Knows the presets `official` (what the authors' code does), `paper` (what the text says)
 * and `sesrec` (ours), and the two published shapes; does not know the graph.
 */
import type { CommonConfig } from '../../definition/model.js';
import type { Trial } from '../../definition/trials.js';
import { type ShapeName, publishedShapes } from '../../definition/shapes.js';

/** Rules that the paper and the authors' code disagree on, or that an ablation turns off. */
export interface SesrecRules {
  /** Eq. 11, 12: an action exactly at the threshold is similar (official) or dissimilar (paper). */
  readonly thresholdIncludesTies: boolean;
  /**
   * What Eq. 10 weighs actions by: how co-attention (Eq. 9) relates the encoded histories, or, ours, how near the vectors that
   * the alignment loss trains bring an action to the other history.
   */
  readonly splitBy: 'coAttention' | 'alignment';
  /** gamma of Eq. 11, 12: `mean` is 1 / length; `median` is over the real positions; or a constant (Table 4). */
  readonly threshold: 'mean' | 'median' | number;
  /** Keep padded positions of the other history out of the co-attention's sums (Eq. 10). The official code does not. */
  readonly maskCoAttention: boolean;
  /** Divide the co-attention's sums by the other history's length. Needs `maskCoAttention`. */
  readonly meanCoAttention: boolean;
  /** Biases in the projections of Eq. 1. */
  readonly projectionBias: boolean;
  /** Score the projected candidate (official) or the raw embedding (paper). */
  readonly projectCandidate: boolean;
  /** Whether the positive is part of the denominator of Eq. 6, 7. */
  readonly alignmentIncludesPositive: boolean;
  /** Average the alignment over all pairs of a batch (official), or add it up per row and average rows (paper). */
  readonly alignmentReduction: 'pairs' | 'rows';
  /** Item-to-query similarity i^T W_A q (official) instead of q^T W_A i in both directions (paper). */
  readonly transposedItemToQuery: boolean;
  /** Padding rows of the tables are zero; else they keep their random start, get no gradient, and decay. */
  readonly zeroPaddingRows: boolean;
  /** Initialise W_d of Eq. 17 as the official code happens to: far smaller than Xavier would. */
  readonly flatAttentionInitialisation: boolean;
  /** Order before the MLP: interests, user, candidate (official) or interests, candidate, user (paper, Eq. 21). */
  readonly userBeforeCandidate: boolean;
  /** L_ali of Eq. 23. */
  readonly useAlignment: boolean;
  /** L_con of Eq. 23. */
  readonly useContrast: boolean;
  /** The similar and dissimilar interests of Eq. 18, 19. */
  readonly useMultiInterest: boolean;
  /** The search history at all. */
  readonly useSearch: boolean;
  /**
   * Eq. 22, a candidate and its negatives for every event; or, ours, the next item at every place of a whole feed, scored by a product
   * (sesrec-every-place.ts), which has no use for what scores candidates and contrasts interests.
   */
  readonly trainOn: 'candidates' | 'everyPlace';
  /** Items that stand for all at every place, per batch. */
  readonly sharedNegatives: number;
  /** Width of what actions remember items by (sesrec-memory.ts), at every place; 0: they do not. */
  readonly memoryWidth: number;
  /**
   * What that is: a projection of the item's vector, or, `own`, vectors of its id and of its attributes that are for votes alone; then item
   * vectors learn nothing from votes.
   */
  readonly memoryKeys: 'items' | 'own';
  /** What item vectors are made of; with `ids`, attributes are in keys of items' own alone, where they say what is like what. */
  readonly itemVectorsOf: 'idsAndAttributes' | 'ids';
  /** Share of a key's entries that are dropped while training. */
  readonly memoryDropout: number;
  /** Products and votes learn `together`, as one score of the next item, or `apart`, each by itself. */
  readonly memoryTrained: 'together' | 'apart';
  /** How much votes that learnt apart count in the ranking. */
  readonly memoryShare: number;
  /** Share of the ids of items and queries that a batch leaves out, so that attributes and words learn to speak for those that are new. */
  readonly idDropout: number;
  /** Where layer norms stand at every place: first, or as SASRec was programmed (layers.ts). */
  readonly norm: 'pre' | 'code';
}

/** Widths and numbers. */
export interface SesrecShape {
  /** d */
  readonly width: number;
  readonly blocks: number;
  readonly heads: number;
  /** Units of the prediction's layers (Eq. 21), the last one 1. */
  readonly hidden: readonly number[];
  /** Start of tau (Eq. 6). */
  readonly temperature: number;
  /** m of Eq. 15. */
  readonly margin: number;
  /** Weights of the alignment and the contrast (Eq. 23). */
  readonly alpha: number;
  readonly beta: number;
  /** Negative items and queries of the alignment, per batch. */
  readonly alignmentNegatives: number;
}

export interface SesrecConfig extends CommonConfig, SesrecRules, SesrecShape {}

/**
 * Whether scores depend on how far histories are padded: the co-attention of `official` lets padded positions into its
 * sums. Where they do not, batches may be cut to their longest history.
 */
export function seesPadding({
  useSearch,
  maskCoAttention,
}: Pick<SesrecRules, 'useSearch' | 'maskCoAttention'>): boolean {
  return useSearch && !maskCoAttention;
}

/** What runs had that were trained before these were settings. */
export const asBefore = {
  memoryKeys: 'items',
  itemVectorsOf: 'idsAndAttributes',
  memoryDropout: 0,
  memoryTrained: 'together',
  memoryShare: 1,
  idDropout: 0,
  norm: 'pre',
} as const;

const complete = {
  threshold: 'mean',
  splitBy: 'coAttention',
  meanCoAttention: false,
  useAlignment: true,
  useContrast: true,
  useMultiInterest: true,
  useSearch: true,
  trainOn: 'candidates',
  sharedNegatives: 1024,
  memoryWidth: 0,
  ...asBefore,
} as const;

export const sesrecPresets = {
  official: {
    ...complete,
    thresholdIncludesTies: true,
    maskCoAttention: false,
    projectionBias: true,
    projectCandidate: true,
    alignmentIncludesPositive: true,
    alignmentReduction: 'pairs',
    transposedItemToQuery: true,
    zeroPaddingRows: false,
    flatAttentionInitialisation: true,
    userBeforeCandidate: true,
    negativeSampling: 'popular',
  },
  paper: {
    ...complete,
    thresholdIncludesTies: false,
    maskCoAttention: true,
    projectionBias: false,
    projectCandidate: false,
    alignmentIncludesPositive: false,
    alignmentReduction: 'rows',
    transposedItemToQuery: false,
    zeroPaddingRows: true,
    flatAttentionInitialisation: false,
    userBeforeCandidate: false,
    negativeSampling: 'uniform',
  },
  sesrec: {
    ...complete,
    trainOn: 'everyPlace',
    memoryWidth: 64,
    splitBy: 'alignment',
    useContrast: false,
    useMultiInterest: false,
    thresholdIncludesTies: false,
    maskCoAttention: true,
    projectionBias: false,
    projectCandidate: true,
    alignmentIncludesPositive: true,
    alignmentReduction: 'pairs',
    transposedItemToQuery: false,
    zeroPaddingRows: true,
    flatAttentionInitialisation: false,
    userBeforeCandidate: false,
    negativeSampling: 'uniform',
  },
} as const satisfies Record<string, SesrecRules & Pick<CommonConfig, 'negativeSampling'>>;
export type SesrecPreset = keyof typeof sesrecPresets;

const common = {
  blocks: 1,
  hidden: [200, 80, 1],
  temperature: 0.1,
  margin: 0.1,
  alpha: 0.1,
  beta: 0.001,
  alignmentNegatives: 1024,
} as const;

/** What preset `sesrec` is, whatever the shape. */
export const everyPlaceShape = { width: 64, itemIdWidth: 64, blocks: 2, heads: 1 } as const;

const apart = { memoryTrained: 'apart', memoryKeys: 'own', memoryShare: 0.75, memoryDropout: 0.25, norm: 'code' };
const slowlyApart = { learningRate: 1e-3, dropout: 0.6, ...apart };

/**
 * What preset `sesrec` is tuned by: where people meet the same things again and again, votes and products learn together; where a
 * catalogue is large and histories are short, apart; and where searches say nothing that the feed does not, without them
 * (docs/preset.md).
 */
export const everyPlaceTrials: readonly Trial[] = [
  { learningRate: 3e-3, dropout: 0.3 },
  slowlyApart,
  { ...slowlyApart, useSearch: false },
  { learningRate: 3e-3, dropout: 0.3, useSearch: false },
  { learningRate: 3e-3, dropout: 0.3, ...apart },
  { learningRate: 1e-3, dropout: 0.3 },
];

/** What the published shapes say of SESRec alone. */
export const ownShapes = {
  amazon: { ...common, width: 32, heads: 4 },
  kuaishou: { ...common, width: 48, heads: 2 },
} as const satisfies Record<ShapeName, SesrecShape>;

/** The two published shapes, whole. */
export const sesrecShapes = {
  amazon: { ...publishedShapes.amazon.common, ...ownShapes.amazon },
  kuaishou: { ...publishedShapes.kuaishou.common, ...ownShapes.kuaishou },
} as const;
