import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { studentCriticalValue, studentTails } from '../../src/evaluate/index.js';

/** Degrees of freedom, and P(|T| ≥ t) at the places above: the incomplete beta function of mpmath 1.4, 50 digits. */
const PLACES = [0.001, 0.3, 1, 1.7, 1.8, 2.5, 6, 30];
const TAILS: readonly (readonly [degreesOfFreedom: number, tails: readonly number[]])[] = [
  [
    1,
    [
      0.9993633804398389, 0.8144528418445153, 0.5, 0.33850605466066536, 0.3228289344341905, 0.2422378831816868,
      0.10513691342250686, 0.021212804811070848,
    ],
  ],
  [
    2,
    [
      0.9992928933955901, 0.7924856608401776, 0.4226497308103742, 0.23123342620157122, 0.21366634900506584,
      0.1296117202215108, 0.02667147321542477, 0.0011092626819596588,
    ],
  ],
  [
    3,
    [
      0.9992648949694609, 0.783763292039919, 0.39100221895577064, 0.1876906415534101, 0.16967992890125824,
      0.08770664700806555, 0.009272714892284668, 8.135280427163959e-5,
    ],
  ],
  [
    9,
    [
      0.9992239303259732, 0.7709907037415249, 0.3434363961379135, 0.12334766214382391, 0.1053906715864089,
      0.03386182768298574, 0.00020249932206764065, 2.4837047041582624e-10,
    ],
  ],
  [
    30,
    [
      0.9992087357664851, 0.7662461052843528, 0.3253086154260299, 0.09947787558851688, 0.08192506860874028,
      0.018115649068066696, 1.3942768767204743e-6, 6.251791630608888e-24,
    ],
  ],
  [
    1000,
    [
      0.9992023150184527, 0.7642395041672441, 0.3175524180846723, 0.08944188695924005, 0.07216193947038933,
      0.012578567801090797, 2.755369173377469e-9, 1.5374687444043482e-141,
    ],
  ],
  [
    22_362,
    [
      0.9992021244922263, 0.7641799441264435, 0.31732132836284005, 0.08914483182029583, 0.0718741108598705,
      0.012426435005430147, 2.003533874236511e-9, 6.772052263985071e-194,
    ],
  ],
  [
    1_000_000,
    [
      0.9992021157716491, 0.7641772179789942, 0.31731074983357815, 0.08913123649034876, 0.07186093949968336,
      0.012419489502163246, 1.9738498123544347e-9, 1.2020094233663438e-197,
    ],
  ],
];

/** Degrees of freedom, and scipy.stats.t.ppf((1 + level) / 2) of scipy 1.17.1 at the levels. */
const LEVELS = [0.5, 0.9, 0.95, 0.99, 0.999];
const CRITICAL: readonly (readonly [degreesOfFreedom: number, values: readonly number[]])[] = [
  [1, [1.0000000000000002, 6.313751514675037, 12.706204736174694, 63.656741162871526, 636.6192487687897]],
  [2, [0.8164965809277261, 2.9199855803537242, 4.302652729749462, 9.924843200918287, 31.599054576445365]],
  [9, [0.7027221467513264, 1.833112932656237, 2.262157162798205, 3.249835541592126, 4.780912585931217]],
  [30, [0.6827556933212927, 1.697260886593957, 2.0422724563012378, 2.7499956535672254, 3.6459586350420627]],
  [1942, [0.6746161023365707, 1.6456386427690564, 1.9611862941724227, 2.5783633406917716, 3.29554382805648]],
  [22_362, [0.6745007214187282, 1.6449217707963524, 1.9600700751157598, 2.576049182929195, 3.290961884850517]],
];

test('both tails have their probability to a relative 1e-11, from one degree of freedom to a million', () => {
  for (const [degreesOfFreedom, tails] of TAILS) {
    for (const [i, expected] of tails.entries()) {
      const actual = studentTails(PLACES[i] as number, degreesOfFreedom);
      assert.ok(
        Math.abs(actual / expected - 1) < 1e-11,
        `${degreesOfFreedom}, ${PLACES[i]}: ${actual}, not ${expected}`,
      );
    }
  }
});

test('critical values are those of tables', () => {
  for (const [degreesOfFreedom, values] of CRITICAL) {
    for (const [i, expected] of values.entries()) {
      const actual = studentCriticalValue(LEVELS[i] as number, degreesOfFreedom);
      assert.ok(
        Math.abs(actual / expected - 1) < 1e-11,
        `${degreesOfFreedom}, ${LEVELS[i]}: ${actual}, not ${expected}`,
      );
    }
  }
});

test('edges: nothing at 0, everything at infinity, nothing known without degrees of freedom', () => {
  assert.equal(studentTails(0, 5), 1);
  assert.equal(studentTails(Infinity, 5), 0);
  assert.equal(studentTails(-Infinity, 5), 0);
  assert.ok(Number.isNaN(studentTails(Number.NaN, 5)));
  assert.ok(Number.isNaN(studentTails(1, 0)));
  assert.ok(Number.isNaN(studentCriticalValue(0.95, 0)));
  for (const level of [0, 1, 1.5, Number.NaN]) assert.throws(() => studentCriticalValue(level, 3), /level is/);
});

test('tails are alike on both sides, fall with t and with degrees of freedom, and invert critical values', () => {
  const t = fc.double({ min: 0, max: 50, noNaN: true });
  const degrees = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 61, max: 1_000_000 }));
  fc.assert(
    fc.property(t, t, degrees, degrees, fc.double({ min: 0.01, max: 0.999, noNaN: true }), (one, two, n, m, level) => {
      assert.equal(studentTails(-one, n), studentTails(one, n));
      const allowed = 1 + 1e-12;
      assert.ok(studentTails(Math.max(one, two), n) <= studentTails(Math.min(one, two), n) * allowed);
      assert.ok(studentTails(one, Math.max(n, m)) <= studentTails(one, Math.min(n, m)) * allowed);
      assert.ok(Math.abs(studentTails(studentCriticalValue(level, n), n) / (1 - level) - 1) < 1e-11);
    }),
    { numRuns: 500 },
  );
});
