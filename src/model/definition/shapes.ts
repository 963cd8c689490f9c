/**
 * The two published shapes: widths, windows, and the trainer's settings that go with each. Knows what all models share at
 * them (SESRec, section 5.1.4: the item embedding is the same for every model); does not know any one model.
 */
import type { CommonConfig, DataConfig } from './model.js';

export interface PublishedShape {
  /** What the data do not decide. */
  readonly common: Omit<CommonConfig, keyof DataConfig>;
  readonly weightDecay: number;
  /** Epochs without improvement before the learning rate falls to a tenth. */
  readonly learningRatePatience: number;
}

const training = { dropout: 0.1, negatives: 4, negativeSampling: 'popular', fixedNegatives: false } as const;

export const publishedShapes = {
  amazon: {
    common: {
      ...training,
      itemIdWidth: 32,
      queryIdWidth: 16,
      wordWidth: 16,
      userIdWidth: 32,
      window: { feed: 15, search: 15, clicks: 1, words: 15 },
    },
    weightDecay: 1e-5,
    learningRatePatience: 5,
  },
  kuaishou: {
    common: {
      ...training,
      itemIdWidth: 32,
      queryIdWidth: 32,
      wordWidth: 32,
      userIdWidth: 16,
      window: { feed: 150, search: 25, clicks: 5, words: 6 },
    },
    weightDecay: 1e-6,
    learningRatePatience: 1,
  },
} as const satisfies Record<string, PublishedShape>;
export type ShapeName = keyof typeof publishedShapes;
