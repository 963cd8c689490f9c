/** Random stories for tinyDataset: users who search, click and act in any order. Knows fast-check; reads no files. */
import * as fc from 'fast-check';
import type { TinyEvent } from './tiny-dataset.js';

const item = fc.integer({ min: 0, max: 7 }).map((number) => `i${number}`);
const event: fc.Arbitrary<TinyEvent> = fc.oneof(
  { weight: 3, arbitrary: item },
  { weight: 2, arbitrary: item.map((led) => ({ led })) },
  {
    weight: 2,
    arbitrary: fc.record({
      query: fc.constantFrom('red', 'blue hat', 'red hat'),
      clicked: fc.array(item, { maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: item.map((click) => ({ click })) },
);
/** What is led to, or clicked, needs a search of the same user before it. */
const story = fc.array(event, { minLength: 1, maxLength: 14 }).map((events) => {
  let searched = false;
  return events.filter((one) => {
    if (typeof one === 'object' && 'query' in one) searched = true;
    return searched || typeof one === 'string';
  });
});

/** Two users; either may have no event at all. */
export const randomStories: fc.Arbitrary<Record<string, TinyEvent[]>> = fc.record({ ann: story, bob: story });
