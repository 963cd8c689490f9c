import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { auc, boxOf, quantile, weightedAuc } from '../../src/evaluate/index.js';
import { answers } from '../support/analyses.js';

describe('the area under the ROC curve', () => {
  test('is 1 where every positive is above every negative, 0 the other way round, and .5 where all score the same', () => {
    const classes = [true, false, true, false, false];
    assert.equal(auc([3, 1, 2, 0, 1], classes), 1);
    assert.equal(auc([-3, -1, -2, 0, -1], classes), 0);
    assert.equal(auc([7, 7, 7, 7, 7], classes), 0.5);
  });

  test('counts a tie as one half', () => {
    // positives 2 and 1, negatives 1 and 0: 2 > 1, 2 > 0, 1 = 1, 1 > 0
    assert.equal(auc([2, 1, 1, 0], [true, true, false, false]), 3.5 / 4);
  });

  test('is not told where a class is missing', () => {
    assert.ok(Number.isNaN(auc([1, 2], [true, true])));
    assert.ok(Number.isNaN(auc([1, 2], [false, false])));
    assert.ok(Number.isNaN(auc([], [])));
  });

  test('is what numpy counts pair by pair', () => {
    for (const { scores, positive, answer } of answers.auc)
      assert.ok(Math.abs(auc(scores, positive.map(Boolean)) - answer) < 1e-12);
  });

  test('weighs an entry as if it came so often', () => {
    const entry = fc.record({ score: fc.integer({ min: 0, max: 4 }), positive: fc.boolean(), owner: fc.nat(2) });
    fc.assert(
      fc.property(
        fc.array(entry, { maxLength: 20 }),
        fc.array(fc.nat(3), { minLength: 3, maxLength: 3 }),
        (entries, weights) => {
          const weighed = weightedAuc(
            entries.map(({ score }) => score),
            entries.map(({ positive }) => positive),
            Int32Array.from(entries, ({ owner }) => owner),
          )(weights);
          const repeated = entries.flatMap((one) => Array.from({ length: weights[one.owner] as number }, () => one));
          const plain = auc(
            repeated.map(({ score }) => score),
            repeated.map(({ positive }) => positive),
          );
          assert.ok(Object.is(weighed, plain) || Math.abs(weighed - plain) < 1e-12, `${weighed}, not ${plain}`);
        },
      ),
    );
  });

  test('refuses a score that is not a number', () => {
    assert.throws(() => auc([1, Number.NaN], [true, false]), /score 1 is not a number/);
  });
});

describe('a box', () => {
  test('has quartiles between the values, and whiskers that end at values', () => {
    // h = 0.25 * 5 = 1.25: 2 + 0.25 (3 - 2); the box from 2.25 to 4.75 reaches 3.75 further: to -1.5 and 8.5
    const box = boxOf([4, 1, 100, 3, 5, 2]);
    assert.deepEqual(box, {
      count: 6,
      mean: 115 / 6,
      quartiles: [2.25, 3.5, 4.75],
      whiskers: [1, 5],
      outliers: 1,
    });
  });

  test('has no width where all values are the same, and nothing to tell of none', () => {
    assert.deepEqual(boxOf([2, 2, 2]).quartiles, [2, 2, 2]);
    assert.deepEqual(boxOf([2, 2, 2]).whiskers, [2, 2]);
    const none = boxOf([]);
    assert.equal(none.count, 0);
    assert.ok([none.mean, ...none.quartiles, ...none.whiskers].every(Number.isNaN));
    assert.equal(quantile([1, 2], 0.5), 1.5);
  });

  test('is that of numpy', () => {
    for (const { values, answer } of answers.box) {
      const { mean, quartiles, whiskers, outliers } = boxOf(values);
      [mean, ...quartiles, ...whiskers].forEach((value, i) =>
        assert.ok(
          Math.abs(value - ([answer.mean, ...answer.quartiles, ...answer.whiskers][i] as number)) < 1e-12,
          `${value}`,
        ),
      );
      assert.equal(outliers, answer.outliers);
    }
  });
});
