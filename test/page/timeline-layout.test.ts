/** Where actions stand on a timeline, and what agrees with what: any timeline, without a browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { agreementsIn } from '../../src/page/views/people/agreements.js';
import { firstFrom, layOut, nearest } from '../../src/page/views/people/timeline-layout.js';
import type { TimelineEntry } from '../../src/serve/schemas/index.js';

const entry = fc.record({
  type: fc.constantFrom('feed' as const, 'search' as const),
  hours: fc.option(fc.integer({ min: 0, max: 300 })),
  seen: fc.boolean(),
});
/** Any actions, in order, whose times are those of a clock that never runs back, where they have any. */
const timelines = fc.array(entry, { maxLength: 60 }).map((entries) => {
  let hour = 0;
  return entries.map(({ type, hours, seen }, i): TimelineEntry => {
    hour += hours ?? 0;
    const time = hours === null ? null : new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
    return { ordinal: 3 * i + 1, type, items: [], titles: [], time, seen, side: seen ? 'similar' : null, weight: null };
  });
});
const axes = fc.constantFrom('order' as const, 'time' as const);

test('everything is placed once, inside, and never before what happened earlier', () => {
  fc.assert(
    fc.property(
      timelines,
      axes,
      fc.integer({ min: 1, max: 2000 }),
      fc.integer({ min: 1, max: 72 }),
      (timeline, axis, width, step) => {
        const layout = layOut(timeline.toReversed(), axis, width, step);
        assert.deepEqual(
          layout.all.map((placed) => placed.entry.ordinal),
          timeline.map(({ ordinal }) => ordinal),
        );
        assert.equal(layout.lanes.feed.length + layout.lanes.search.length, timeline.length);
        for (const { x } of layout.all) assert.ok(x >= 0 && x <= layout.width, `${x} of ${layout.width}`);
        if (axis === 'order')
          layout.all.slice(1).forEach(({ x }, i) => assert.ok(x >= layout.all[i]!.x + Math.min(step, 1)));
        for (const lane of ['feed', 'search'] as const) {
          const xs = layout.lanes[lane].filter(({ entry: { time } }) => time !== null).map(({ x }) => x);
          assert.deepEqual(
            xs,
            xs.toSorted((a, b) => a - b),
          );
        }
      },
    ),
  );
});

test('nothing stands on anything else, but where more happened at once than there are levels', () => {
  fc.assert(
    fc.property(timelines, (timeline) => {
      const { lanes } = layOut(
        timeline.filter(({ time }) => time !== null),
        'time',
        800,
        1,
      );
      for (const placed of Object.values(lanes))
        for (const [i, one] of placed.entries())
          for (const other of placed.slice(0, i))
            if (one.level < 5 && other.level === one.level)
              assert.ok(one.x - other.x >= 12.9, `${one.x} and ${other.x}`);
    }),
  );
});

test('the nearest action is the nearest one of all', () => {
  fc.assert(
    fc.property(
      timelines,
      fc.integer({ min: -50, max: 2000 }),
      fc.integer({ min: 1, max: 400 }),
      (timeline, x, reach) => {
        const { lanes } = layOut(timeline, 'order', 800, 26);
        const found = nearest(lanes.feed, x, 0, reach);
        const distances = lanes.feed.map((placed) => Math.abs(placed.x - x)).filter((distance) => distance <= reach);
        assert.equal(
          found === null ? undefined : Math.abs(found.x - x),
          distances.length > 0 ? Math.min(...distances) : undefined,
        );
        const first = firstFrom(lanes.feed, x);
        assert.ok(
          lanes.feed.slice(0, first).every((placed) => placed.x < x) &&
            lanes.feed.slice(first).every((placed) => placed.x >= x),
        );
      },
    ),
  );
});

test('agreements are the rows and the columns of the matrix, the most first', () => {
  const { of, strongest } = agreementsIn({
    feed: [10, 20],
    search: [11, 21, 31],
    values: [
      [0.5, -1, 0.9],
      [0.7, 0.2, -0.3],
    ],
  });
  assert.deepEqual(
    of(10).map(({ ordinal }) => ordinal),
    [31, 11, 21],
  );
  assert.deepEqual(of(11), [
    { ordinal: 20, value: 0.7 },
    { ordinal: 10, value: 0.5 },
  ]);
  assert.deepEqual(of(99), []);
  assert.deepEqual(strongest(2), [
    { feed: 10, search: 31, value: 0.9 },
    { feed: 20, search: 11, value: 0.7 },
  ]);
  assert.equal(strongest(100).length, 4, 'what disagrees is none');
  assert.deepEqual(agreementsIn(null).of(10), []);
});
