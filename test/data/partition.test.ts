/** Which events are held out, and who was trained, over the columns of a data set: by hand, at every edge. data/split.test.ts compares with the log. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FIRST_INDEX, partition } from '../../src/data/index.js';

interface Story {
  /** [ordinal, time, the search it came from or -1] */
  readonly feed: readonly (readonly [number, number, number])[];
  /** [ordinal, time] */
  readonly searches: readonly (readonly [number, number])[];
}

/** Columns of users, padding and unknown first, who have nothing. */
function columnsOf(stories: readonly Story[]) {
  const users: Story[] = [...Array.from({ length: FIRST_INDEX }, () => ({ feed: [], searches: [] })), ...stories];
  const offsets = (counts: readonly number[]): Int32Array => {
    const all = new Int32Array(counts.length + 1);
    counts.forEach((count, i) => (all[i + 1] = (all[i] as number) + count));
    return all;
  };
  const feed = users.flatMap((user) => user.feed);
  const searches = users.flatMap((user) => user.searches);
  return {
    feedOffsets: offsets(users.map((user) => user.feed.length)),
    feedOrdinal: Float64Array.from(feed.map(([ordinal]) => ordinal)),
    feedTime: Float64Array.from(feed, ([, time]) => time),
    feedSearch: Int32Array.from(feed, ([, , search]) => search),
    searchOffsets: offsets(users.map((user) => user.searches.length)),
    searchOrdinal: Float64Array.from(searches.map(([ordinal]) => ordinal)),
    searchTime: Float64Array.from(searches, ([, time]) => time),
  };
}

describe('leave one out', () => {
  const split = { strategy: 'leave-one-out' } as const;
  const simple = (ordinals: readonly number[]) => ordinals.map((ordinal) => [ordinal, 0, -1] as const);

  test('the last event is for the test, the one before it for validation, from three events on', () => {
    const columns = columnsOf([
      { feed: simple([0, 1, 2, 3]), searches: [] },
      { feed: simple([4, 5]), searches: [] },
      { feed: simple([6, 7, 8]), searches: [] },
      { feed: [], searches: [] },
    ]);
    const { heldOutStart, targets, trainedUsers } = partition(split, columns);
    assert.deepEqual([...heldOutStart], [0, 0, 2, 6, 7, 9]);
    assert.deepEqual([...targets.validation], [-1, -1, 2, -1, 7, -1]);
    assert.deepEqual([...targets.test], [-1, -1, 3, -1, 8, -1]);
    assert.equal(trainedUsers, 6, 'everybody, whatever they did');
  });

  test('searches from the validation event on are held out, and those that led to a held-out event, whenever they were', () => {
    const { searchIsTraining } = partition(
      split,
      columnsOf([
        // searches 0 to 4: one before all, one that led to the validation event, one at its very place, one after it, one before the test event
        { feed: [[1, 0, -1], [4, 0, 1], [8, 0, -1]], searches: [[0, 0], [2, 0], [4, 0], [5, 0], [7, 0]] }, // prettier-ignore
        // searches 5 to 7: the very first search led to the test event
        { feed: [[11, 0, -1], [13, 0, 6], [15, 0, 5]], searches: [[10, 0], [12, 0], [12, 0]] }, // prettier-ignore
        // too few events to hold one out: all of it is learnt from
        { feed: [[20, 0, 8], [21, 0, 8]], searches: [[19, 0], [22, 0]] }, // prettier-ignore
      ]),
    );
    assert.deepEqual([...searchIsTraining], [1, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
    const first = partition(split, columnsOf([{ feed: [[1, 0, -1], [2, 0, -1], [3, 0, 0]], searches: [[0, 0]] }])); // prettier-ignore
    assert.deepEqual([...first.searchIsTraining], [0], 'the search with index 0 led to the test event');
    const others = columnsOf([
      { feed: simple([0, 1, 2]), searches: [] },
      { feed: [], searches: [[0, 0]] },
    ]);
    assert.deepEqual([...partition(split, others).searchIsTraining], [1], 'of somebody else');
  });
});

describe('global time', () => {
  const split = { strategy: 'global-time', validationFrom: 100, testFrom: 200 } as const;
  const at = (times: readonly number[]) => times.map((time, i) => [i, time, -1] as const);

  test('the first event of a window is its target; a cut belongs to the later window', () => {
    const { heldOutStart, targets } = partition(
      split,
      columnsOf([
        { feed: at([99, 100, 150, 200, 300]), searches: [] },
        { feed: at([99]), searches: [] },
        { feed: at([199.5]), searches: [] },
        { feed: at([200]), searches: [] },
        { feed: at([50, 250]), searches: [] },
      ]),
    );
    assert.deepEqual([...heldOutStart], [0, 0, 1, 6, 6, 7, 9]);
    assert.deepEqual([...targets.validation], [-1, -1, 1, -1, 6, -1, -1]);
    assert.deepEqual([...targets.test], [-1, -1, 3, -1, -1, 7, 9]);
  });

  test('searches of the training window are learnt from, whatever they led to', () => {
    const columns = columnsOf([{ feed: [[1, 250, 0]], searches: [[0, 99], [2, 100], [3, 300]] }]); // prettier-ignore
    assert.deepEqual([...partition(split, columns).searchIsTraining], [1, 0, 0]);
  });

  test('trained are all up to the last one who did something before validation, in the feed or by searching', () => {
    const trained = (...stories: Story[]): number => partition(split, columnsOf(stories)).trainedUsers - FIRST_INDEX;
    const later: Story = { feed: at([150]), searches: [] };
    assert.equal(trained(later), 0);
    assert.equal(trained(later, { feed: at([99]), searches: [] }, later), 2);
    assert.equal(trained({ feed: [], searches: [[0, 99]] }, later), 1);
    assert.equal(trained({ feed: at([150]), searches: [[0, 99]] }, later), 1);
    assert.equal(trained({ feed: [], searches: [[0, 100]] }), 0, 'a search at the cut is not before it');
    assert.equal(trained(later, { feed: [], searches: [] }, { feed: [], searches: [[0, 150]] }), 0);
    assert.equal(trained({ feed: [], searches: [] }, { feed: [], searches: [[0, 50]] }), 2, 'by their own searches');
    assert.equal(trained({ feed: [], searches: [[0, 50]] }, { feed: [], searches: [] }), 1, 'not by those of another');
    assert.equal(trained({ feed: [], searches: [] }, { feed: at([150]), searches: [[0, 150]] }, { feed: [], searches: [[0, 50]] }), 3); // prettier-ignore
    assert.equal(trained({ feed: at([150]), searches: [] }, { feed: [], searches: [] }), 0);
  });
});
