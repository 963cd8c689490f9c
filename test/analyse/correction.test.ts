import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type RowToCorrect, ESTIMATES, correctSampled } from '../../src/analyse/index.js';
import { UserError, at } from '../../src/base/index.js';
import { METRICS, SampledRanks, type UserRanks, corrections, metricsOf } from '../../src/evaluate/index.js';

const options = { items: 5, candidates: 2, gamma: 0.1 };
const ranks = (better: readonly number[], user = better.map((_, i) => i + 2)): UserRanks => ({
  user,
  better,
  tied: better.map(() => 0),
});
const row = (label: string, seeds: RowToCorrect['seeds']): RowToCorrect => ({
  label,
  name: label.toUpperCase(),
  seeds,
});
const near = (actual: number, expected: number): void =>
  assert.ok(Math.abs(actual - expected) < 1e-12, `${actual} is not ${expected}`);

/** One is better among all items, the other among the sampled. */
const rows = [
  row('one', [
    { sampled: ranks([0, 1, 2, 0]), full: ranks([0, 1, 4, 0]) },
    { sampled: ranks([0, 0, 2, 1]), full: ranks([0, 2, 4, 0]) },
  ]),
  row('other', [{ sampled: ranks([0, 0, 0, 2]), full: ranks([1, 1, 1, 4]) }]),
  row('untested', []),
];

test('estimates are means over users and trainings, and errors are theirs from full ranking: by hand', () => {
  const { rows: found, protocol } = correctSampled(rows, options);
  assert.deepEqual(protocol, { ...options, users: 4 });
  assert.deepEqual(
    found.map(({ label, name, seeds }) => [label, name, seeds]),
    [
      ['one', 'ONE', 2],
      ['other', 'OTHER', 1],
    ],
  );
  const [one] = found;
  assert.ok(one);
  const { 'hit@1': values } = corrections(new SampledRanks(5, 2), 0.1)['bias-variance'];
  near(one.full['hit@1'], (1 + 1 / 1 + 0 + 0) / 4);
  near(one.estimates.sampled['hit@1'].value, (1 + 1 / 2 + 0 + 1 / 2) / 4);
  // r̃ of the two trainings: 1 1, 2 1, 3 3, 1 2
  const users = [
    [0, 0],
    [1, 0],
    [2, 2],
    [0, 1],
  ].map(([first, second]) => (at(values, first as number) + at(values, second as number)) / 2);
  const { value, error } = one.estimates['bias-variance']['hit@1'];
  near(value, users.reduce((sum, own) => sum + own, 0) / 4);
  near(error.mean, value - one.full['hit@1']);
  assert.equal(error.degreesOfFreedom, 3);
  near(one.estimates.sampled.mrr.error.mean, (1 + 3 / 4 + 1 / 3 + 3 / 4) / 4 - (1 + 5 / 12 + 1 / 5 + 1) / 4);
  for (const metric of METRICS) {
    const plain = [0, 1, 2, 0, 0, 0, 2, 1].reduce((sum, better) => sum + metricsOf(better, 0)[metric], 0) / 8;
    near(one.estimates.sampled[metric].value, plain);
  }
});

test('the order by sampled ranks may be the reverse of that by all', () => {
  const { agreement, meanAbsoluteError, rows: found } = correctSampled(rows, options);
  assert.equal(agreement.sampled['hit@1'], -1);
  const miss = found.map(({ estimates, full }) => Math.abs(estimates['least bias'].mrr.value - full.mrr));
  near(meanAbsoluteError['least bias'].mrr, ((miss[0] as number) + (miss[1] as number)) / 2);
  const alone = correctSampled(rows.slice(0, 1), options);
  for (const estimate of ESTIMATES) assert.equal(alone.agreement[estimate].mrr, Number.NaN, 'one row has no order');
});

test('where full ranking is of fewer users, all are told of these', () => {
  const some = rows.map(({ seeds, ...own }) => ({
    ...own,
    seeds: seeds.map(({ sampled, full }) => ({
      sampled,
      full: ranks([full.better[1] as number, full.better[2] as number], [3, 4]),
    })),
  }));
  const { protocol, rows: found } = correctSampled([rows[0] as RowToCorrect, some[1] as RowToCorrect], options);
  assert.equal(protocol.users, 2);
  near(found[0]?.estimates.sampled['hit@1'].value ?? Number.NaN, (1 / 2 + 0) / 2);
  near(found[0]?.full.mrr ?? Number.NaN, ((1 / 2 + 1 / 3) / 2 + 1 / 5) / 2);
});

test('without a row that was tested there is nothing to tell', () => {
  assert.throws(() => correctSampled([row('untested', [])], options), UserError);
});
