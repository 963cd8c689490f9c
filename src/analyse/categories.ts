/**
 * Categories of what people did: one attribute of items, and that of the items clicked in a search. Knows columns and
 * moments; does not know what is counted of them.
 */
import { UserError, at } from '../base/index.js';
import { type Dataset, FIRST_INDEX } from '../data/index.js';
import { type Action, type Case, clicksBefore } from '../features/index.js';

/** The category of every item index, below `FIRST_INDEX` for none, and for one that training does not know. An attribute that the items do not have is a `UserError`. */
export function categoryOf(dataset: Dataset, attribute: string): Int32Array {
  const column = dataset.itemAttributes.get(attribute);
  if (!column)
    throw new UserError(
      `the items have no attribute ${JSON.stringify(attribute)} to be their category; they have ${[...dataset.itemAttributes.keys()].join(', ') || 'none'}: name one with --category`,
    );
  return column.index;
}

/**
 * The categories of an action before a moment: that of the item in the feed, those of all items clicked in the search by then,
 * as often as they come. Empty for a search without a click, and where items have none that is known.
 */
export function categoriesOf(
  dataset: Dataset,
  category: Int32Array,
  moment: Case,
  { lane, position }: Action,
): readonly number[] {
  const items = lane === 'feed' ? [at(dataset.feedItem, position)] : clicksBefore(dataset, moment, position);
  return items.map((item) => at(category, item)).filter((value) => value >= FIRST_INDEX);
}
