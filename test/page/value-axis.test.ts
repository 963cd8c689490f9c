/** Axes of values: any values, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { valueAxis } from '../../src/page/views/experiments/value-axis.js';

test('an axis holds its values, has a width, and tells its ends apart', () => {
  const value = fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 1e4, noNaN: true }));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 9 }), (values) => {
      const { domain, tickFormat } = valueAxis(values, 5);
      assert.ok(values.every((each) => each >= domain[0] && each <= domain[1]));
      assert.ok(domain[1] > domain[0]);
      assert.notEqual(tickFormat(domain[0]), tickFormat(domain[1]));
    }),
  );
});

test('of one epoch, of nothing, of small values: marks are short, or have the room that they take', () => {
  const one = valueAxis([0.056835], 5);
  assert.equal(one.tickFormat(0.0568), '0.0568');
  assert.ok(one.room >= 6 * 7 + 10);
  assert.deepEqual(valueAxis([], 5).domain, [0, 1]);
  const small = valueAxis([0.001234], 5);
  assert.equal(small.tickFormat(0.00123), '0.001230');
  assert.ok(small.room > one.room);
});
