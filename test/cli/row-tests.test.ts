import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ReferenceTest,
  type RowTest,
  RowTests,
  areTooMany,
  verdictOf,
} from '../../src/cli/comparison/row-tests.js';
import { type UserRanks, holm, metricsOver, pairedTest } from '../../src/evaluate/index.js';

const USERS = 200;

/** Ranks by a rule, of one seed, under both protocols. */
function rowOf(label: string, betterOf: (user: number) => number) {
  const user = Array.from({ length: USERS }, (_, i) => i);
  const ranks: UserRanks = { user, better: user.map(betterOf), tied: user.map(() => 0) };
  const means = Object.fromEntries(Object.entries(metricsOver(ranks)).map(([metric, mean]) => [metric, { mean }]));
  const test = { sampled: means, full: means } as unknown as ConstructorParameters<typeof RowTests>[0][number]['test'];
  return { row: { label, test }, ranks: { sampled: [ranks], full: [ranks] } };
}

/** Clearly first; second by little and by chance, another as good as it; clearly last. */
const KNOWN = [
  rowOf('middle', (user) => 4 + (user % 5)),
  rowOf('last', () => 30),
  rowOf('first', (user) => user % 3),
  rowOf('alike', (user) => 4 + ((user + 2) % 5)),
];
const FAILED = { row: { label: 'failed', test: null }, ranks: { sampled: [], full: [] } };

const testsOf = (rows: readonly ((typeof KNOWN)[number] | typeof FAILED)[]) =>
  new RowTests(
    rows.map(({ row }) => row),
    rows.map(({ ranks }) => ranks),
  );
const pairsOf = (tests: readonly ReferenceTest[], protocol: 'sampled' | 'full') =>
  tests.filter((one) => one.protocol === protocol).map((one) => [one.reference, one.other, verdictOf(one)]);

test('unless told, the best row is the reference, and every other one that was tested meets it', () => {
  const tests = testsOf([...KNOWN, FAILED]).againstReference([]);
  for (const protocol of ['sampled', 'full'] as const)
    assert.deepEqual(pairsOf(tests, protocol), [
      ['first', 'middle', 'better'],
      ['first', 'alike', 'better'],
      ['first', 'last', 'better'],
    ]);
  assert.deepEqual(testsOf([FAILED]).againstReference([]), []);
  assert.deepEqual(testsOf(KNOWN.slice(0, 1)).againstReference([]), [], 'alone, it meets nobody');
});

test('a row of reference may be worse, or not told apart; two of reference meet once; one that failed is left out', () => {
  const one = testsOf([...KNOWN, FAILED]).againstReference(['middle', 'failed']);
  assert.deepEqual(pairsOf(one, 'full'), [
    ['middle', 'first', 'worse'],
    ['middle', 'alike', 'not told apart'],
    ['middle', 'last', 'better'],
  ]);
  const two = testsOf(KNOWN).againstReference(['middle', 'first']);
  assert.deepEqual(
    pairsOf(two, 'full').map(([reference, other]) => [reference, other]),
    [
      ['first', 'middle'],
      ['first', 'alike'],
      ['first', 'last'],
      ['middle', 'alike'],
      ['middle', 'last'],
    ],
  );
});

test('differences are those of the same users, and p is corrected for all tests of the table', () => {
  const tests = testsOf(KNOWN).againstReference(['middle']);
  const gain = (better: number): number => (better < 10 ? 1 / Math.log2(better + 2) : 0);
  const expected = Array.from({ length: USERS }, (_, user) => gain(4 + (user % 5)) - gain(4 + ((user + 2) % 5)));
  const alike = tests.find(({ other }) => other === 'alike') as ReferenceTest;
  assert.ok(Math.abs(alike.difference.mean - expected.reduce((sum, value) => sum + value, 0) / USERS) < 1e-12);
  assert.ok(Math.abs(alike.t.p - pairedTest(expected).p) < 1e-9);
  assert.equal(tests.length, 6);
  const corrected = holm(tests.map(({ t }) => t.p));
  for (const [i, { t, bootstrap, metric }] of tests.entries()) {
    assert.equal(t.holm, corrected[i]);
    assert.ok(bootstrap.holm >= bootstrap.p);
    assert.equal(metric, 'ndcg@10');
  }
});

test('a pair that stands in both tables has the same figures in both, but for the correction', () => {
  const tests = testsOf(KNOWN);
  const [runnerUp, reference] = [tests.runnerUp(), tests.againstReference([])];
  for (const protocol of ['sampled', 'full'] as const) {
    const one = runnerUp.find((test) => test.protocol === protocol && test.metric === 'ndcg@10');
    const same = reference.find((test) => test.protocol === protocol && test.other === one?.runnerUp);
    assert.ok(one && same);
    const uncorrected = ({ difference, t, bootstrap }: RowTest) => [
      difference,
      { ...t, holm: null },
      { ...bootstrap, holm: null },
    ];
    assert.deepEqual(uncorrected(same), uncorrected(one));
  }
});

test('so it has where the other row is named first: everything turned round', () => {
  const tests = testsOf(KNOWN);
  for (const { best, runnerUp, ...one } of tests.runnerUp().filter(({ metric }) => metric === 'ndcg@10')) {
    const turned = tests
      .againstReference([runnerUp])
      .find(({ protocol, other }) => protocol === one.protocol && other === best);
    assert.ok(turned);
    assert.deepEqual([turned.difference.mean, turned.t.t], [-one.difference.mean, -one.t.t]);
    assert.deepEqual([turned.t.p, turned.bootstrap.p], [one.t.p, one.bootstrap.p]);
    const [low, high] = one.bootstrap.interval;
    assert.ok(low < high);
    assert.deepEqual(turned.bootstrap.interval, [-high, -low]);
  }
});

test('more tests than a bootstrap of so many resamples can correct for are said to be too many', () => {
  const tests = testsOf(KNOWN).againstReference([]);
  const { resamples } = (tests[0] as RowTest).bootstrap;
  const most = Math.floor(0.05 * (resamples + 1));
  const times = (count: number): RowTest[] => Array.from({ length: count }, () => tests[0] as RowTest);
  assert.deepEqual(
    [areTooMany([]), areTooMany(tests), areTooMany(times(most)), areTooMany(times(most + 1))],
    [false, false, false, true],
  );
});

test('both tests must agree, and rows that are the same are not told apart', () => {
  const difference = { mean: -0.1, error: 0.01, halfWidth: 0.02, degreesOfFreedom: 9 };
  const verdict = (holmOfT: number, holmOfBootstrap: number): string =>
    verdictOf({
      difference,
      t: { t: -9, degreesOfFreedom: 9, p: 0, holm: holmOfT },
      bootstrap: { interval: [-0.1, 0], resamples: 99, p: 0, holm: holmOfBootstrap },
    });
  assert.deepEqual(
    [verdict(0.01, 0.01), verdict(0.01, 0.05), verdict(0.05, 0.01), verdict(Number.NaN, Number.NaN)],
    ['worse', 'not told apart', 'not told apart', 'not told apart'],
  );
  const same = testsOf([KNOWN[0]!, { ...KNOWN[0]!, row: { ...KNOWN[0]!.row, label: 'same' } }]);
  const [first] = same.againstReference([]);
  assert.equal(verdictOf(first!), 'not told apart');
});
