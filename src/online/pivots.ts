/**
 * Items as they look to a few users: vectors distilled from the ranker. Knows scores; does not know how they come about.
 *
 * The score that a model gives an item is some function of the item for every user. These functions have much in common, above all what makes
 * an item good for everybody, and so that of a user is close to a sum of those of others: an item is the vector of its scores for pivot
 * users, and a user is the weights of the sum, which a sample of the user's own scores tells.
 */
import { at } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import type { ServedModel } from './served-model.js';

/** Users whose scores an item is told by. */
const PIVOTS = 32;

/** Vectors of the items of the run, (items, width), each column of mean 0 and deviation 1 over the items. */
export async function pivotVectors(
  model: ServedModel,
): Promise<{ readonly vectors: Float32Array; readonly width: number }> {
  const items = model.items.firstNew;
  const columns: Float32Array[] = [];
  for (const history of model.histories(PIVOTS))
    columns.push((await model.scoresFor(history)).slice(0, items - FIRST_INDEX));
  model.letGo();
  const width = columns.length;
  const vectors = new Float32Array(items * width);
  for (const [column, scores] of columns.entries()) {
    const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
    const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / scores.length;
    const scale = 1 / (Math.sqrt(variance) || 1);
    for (let i = 0; i < scores.length; i++)
      vectors[(FIRST_INDEX + i) * width + column] = (at(scores, i) - mean) * scale;
  }
  return { vectors, width };
}
