/**
 * What tells how similar an action is to the other lane: a model's split, simple rules, vectors. Knows the actions of windows, and
 * of the truth only what a rule is given; does not know what is made of the scores.
 */
import { at } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { AlignedVectors, SidedAction } from '../model/index.js';
import { categoriesOf } from './categories.js';
import { type PlantedWindow, otherLane } from './planted-truth.js';
import { cosine, mapped, rowOf } from './vectors.js';

/** Something that tells how similar an action is to the other lane. */
export interface Scorer {
  readonly name: string;
  /** By window, then by action: higher is more similar; comparable between the users of one lane. */
  readonly scores: readonly (readonly number[])[];
  /** Whether it calls each similar; null for what only orders them. */
  readonly isSimilar: readonly (readonly boolean[])[] | null;
}

/**
 * A model's split. The scores are the co-attention (Eq. 10) times the length of the lane: so they have mean 1 whatever the
 * length, and actions of different users can be compared.
 */
export function splitScorer(
  name: string,
  windows: readonly PlantedWindow[],
  splits: readonly (readonly SidedAction[])[],
): Scorer {
  const own = windows.map(({ row }) => splits[row] as readonly SidedAction[]);
  return {
    name,
    scores: own.map((actions) =>
      actions.map(
        ({ lane, coAttention }) => (coAttention as number) * actions.filter((other) => other.lane === lane).length,
      ),
    ),
    isSimilar: own.map((actions) => actions.map(({ side }) => side === 'similar')),
  };
}

/**
 * The simple rule that needs no model: an action is similar when one of its categories occurred on the other side of the window.
 * Two orders of it, yes before no, and by the share of the other side's actions that have one of its categories. An action
 * without a category is dissimilar.
 */
export function ruleScorers(dataset: Dataset, category: Int32Array, windows: readonly PlantedWindow[]): Scorer[] {
  return sharers('category rule', 'category share', windows, ({ moment, actions }) =>
    actions.map((action) => categoriesOf(dataset, category, moment, action)),
  );
}

/**
 * The same rule by the category of the interest behind each action, which nobody sees: what could be told by somebody who
 * understood every query, but not why people act.
 */
export function plantedCategoryScorers(windows: readonly PlantedWindow[]): Scorer[] {
  return sharers('planted category', 'planted category share', windows, ({ causes }) =>
    causes.map(({ category }) => [category]),
  );
}

function sharers(
  name: string,
  shareName: string,
  windows: readonly PlantedWindow[],
  categoriesIn: (window: PlantedWindow) => readonly (readonly unknown[])[],
): [rule: Scorer, share: Scorer] {
  const shares = windows.map((window) => {
    const categories = categoriesIn(window);
    return window.actions.map(({ lane }, i) => {
      const own = new Set(categories[i]);
      const others = categories.filter((_, other) => window.actions[other]?.lane === otherLane(lane));
      return others.filter((values) => values.some((value) => own.has(value))).length / others.length;
    });
  });
  const isSimilar = shares.map((ofWindow) => ofWindow.map((share) => share > 0));
  return [
    { name, scores: isSimilar.map((ofWindow) => ofWindow.map(Number)), isSimilar },
    { name: shareName, scores: shares, isSimilar },
  ];
}

/**
 * What the vectors that the alignment trains know: the greatest cos(W_A^T q, i) of an action with any action of the other lane,
 * q the query of the search and i the item of the feed event. It orders, and draws no line.
 */
export function similarityScorer(
  name: string,
  dataset: Dataset,
  { width, queries, items, bilinear }: AlignedVectors & { readonly bilinear: Float32Array },
  windows: readonly PlantedWindow[],
): Scorer {
  const vectorOf = ({ lane, position }: SidedAction): ArrayLike<number> =>
    lane === 'feed'
      ? rowOf(items, at(dataset.feedItem, position), width)
      : mapped(rowOf(queries, at(dataset.searchQuery, position), width), bilinear);
  return {
    name,
    scores: windows.map(({ actions }) => {
      const vectors = actions.map(vectorOf);
      return actions.map(({ lane }, i) =>
        vectors.reduce<number>(
          (most, vector, other) =>
            actions[other]?.lane === lane ? most : Math.max(most, cosine(vectors[i] as ArrayLike<number>, vector)),
          -1,
        ),
      );
    }),
    isSimilar: null,
  };
}
