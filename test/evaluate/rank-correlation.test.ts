import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kendallTau } from '../../src/evaluate/index.js';
import { metricsFixture } from '../support/metrics-fixture.js';

test('the same order is 1, the reverse -1, one exchanged pair of four values 4 of 6', () => {
  assert.equal(kendallTau([1, 2, 3], [10, 20, 90]), 1);
  assert.equal(kendallTau([1, 2, 3], [9, 8, -1]), -1);
  assert.equal(kendallTau([1, 2, 3, 4], [1, 3, 2, 4]), 4 / 6);
});

test('ties count for neither side: by hand', () => {
  // pairs: (1, 2) agree, (1, 3) agree, (2, 3) tied in the first
  assert.equal(kendallTau([1, 2, 2], [1, 2, 3]), 2 / Math.sqrt(2 * 3));
});

test('without two different values there is no order', () => {
  for (const values of [[], [1], [2, 2, 2]]) assert.equal(kendallTau(values, values), Number.NaN);
  assert.throws(() => kendallTau([1], [1, 2]));
});

test('it is what a second version counts', () => {
  for (const { one, other, tau } of metricsFixture.tau) assert.ok(Math.abs(kendallTau(one, other) - tau) < 1e-9);
});
