/** Rankers in tests: made by hand, and asked for everything at once. Knows the Ranker interface; does not know any model. */
import assert from 'node:assert/strict';
import type { Case, Ranker } from '../../src/model/index.js';

/** All that a ranker hands out, row-major (cases.length, items); every item must come once per case, and references as among all. */
export async function allScores(
  ranker: Ranker,
  cases: readonly Case[],
  items: number,
  references?: Int32Array,
): Promise<Float32Array> {
  const scores = new Float32Array(cases.length * items);
  const seen = new Uint8Array(scores.length);
  const brought = new Map<number, number | null>();
  await ranker.scoreAll(
    cases,
    ({ position, firstItem, scores: own, reference }) => {
      scores.set(own, position * items + firstItem);
      const range = seen.subarray(position * items + firstItem, position * items + firstItem + own.length);
      assert.ok(
        range.every((times) => times === 0),
        'an item came twice',
      );
      range.fill(1);
      if (brought.has(position)) assert.equal(reference, brought.get(position));
      brought.set(position, reference);
    },
    references,
  );
  assert.ok(
    seen.every((times) => times === 1),
    'an item is missing',
  );
  for (const [position, reference] of brought)
    assert.equal(
      reference,
      references ? scores[position * items + (references[position] as number)] : null,
      'a reference differs from the score among all',
    );
  return scores;
}

/** A ranker that scores an item index by a function. It hands out stretches of a few items. */
export function rankerOf(items: number, score: (item: number, moment: Case) => number): Ranker {
  return {
    name: 'by hand',
    score: async (cases, candidates, perCase) =>
      Float32Array.from(candidates, (item, i) => score(item, cases[Math.floor(i / perCase)] as Case)),
    scoreAll: async (cases, consume, references) => {
      for (const [position, moment] of cases.entries()) {
        const reference = references ? Math.fround(score(references[position] as number, moment)) : null;
        for (let firstItem = 0; firstItem < items; firstItem += 4) {
          const count = Math.min(4, items - firstItem);
          const scores = Float32Array.from({ length: count }, (_, i) => score(firstItem + i, moment));
          consume({ position, firstItem, scores, reference });
        }
      }
    },
  };
}
