import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fitStateRule, initialState } from '../../src/train/index.js';

test('a state may carry any losses by name, and must carry the loss and the prediction', () => {
  const state = initialState({ seed: 7, learningRate: 1e-3 });
  const withSums = (sums: unknown): string | null => fitStateRule({ ...state, sums }, 'state');
  assert.equal(withSums({ loss: 1, prediction: 0.5, retrieval: 0.5 }), null);
  assert.match(withSums({ prediction: 1 }) ?? '', /^state\.sums\.loss must be a number, not missing/);
  assert.match(withSums({ loss: 1 }) ?? '', /^state\.sums\.prediction must be a number/);
  assert.match(
    withSums({ loss: 1, prediction: 1, contrast: '1' }) ?? '',
    /^state\.sums\["contrast"\] must be a number/,
  );
});
