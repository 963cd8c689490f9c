import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import type { Dataset, HeldOut } from '../../src/data/index.js';
import {
  chance,
  drawCandidates,
  evaluate,
  hashCandidates,
  METRICS,
  type Candidates,
} from '../../src/evaluate/index.js';
import type { Case, Ranker } from '../../src/model/index.js';
import { randomRanker } from '../../src/model/models/popularity.js';
import { rankerOf } from '../support/rankers.js';
import { tinyDataset, type TinyEvent } from '../support/tiny-dataset.js';

/** Scores every item by a function of its raw id. */
const rankerBy = (dataset: Dataset, score: (item: string, moment: Case) => number): Ranker =>
  rankerOf(dataset.items.ids.length, (item, moment) => score(dataset.items.ids[item] as string, moment));

/** i7 scores 7. */
const byNumber = (item: string): number => Number(item.slice(1));
const items = Array.from({ length: 10 }, (_, i) => `i${i}`);
const stories: Record<string, TinyEvent[]> = {
  // Test target i3; known before it: i9 (feed), i8 (click), i5 (validation). The search that leads to i3 shows i7.
  ann: ['i9', { query: 'shoe', clicked: ['i8'] }, 'i9', 'i5', { query: 'hat', clicked: ['i7'] }, { led: 'i3' }],
  // Test target i9, which is known already; the click on i6 comes after the target.
  bob: ['i9', { query: 'shoe', clicked: [] }, 'i1', 'i2', 'i9', { click: 'i6' }],
  cat: ['i0', 'i1'],
};
const dataset = tinyDataset(stories, { items });
const user = (name: string): number => dataset.users.index(name);

describe('the full protocol', () => {
  test('by hand on test: what was known before the target is out, the target stays', async () => {
    const { ranks, protocol, metrics, ...rest } = await evaluate(rankerBy(dataset, byNumber), dataset, {
      on: 'test',
      protocol: 'full',
    });
    // ann: i0 … i9 without i9, i8, i5 leaves i7, i6, i4 above i3. bob: i9 first; i1, i2 are out, and six stay beside it with i6.
    assert.deepEqual(Array.from(ranks.user), [user('ann'), user('bob')]);
    assert.deepEqual(Array.from(ranks.better), [3, 0]);
    assert.deepEqual(Array.from(ranks.tied), [0, 0]);
    assert.equal(metrics.mrr, (1 / 4 + 1) / 2);
    assert.equal(rest.users, 2);
    assert.equal(protocol.count, (6 + 7) / 2);
    assert.equal(protocol.hash, null);
    assert.equal(protocol.seenItemsRemoved, true);
    assert.equal(protocol.split, 'leave-one-out');
    assert.equal(rest.chance['hit@1'], (1 / 7 + 1 / 8) / 2);
  });

  test('by hand on validation: the validation item is the target, later events are not known', async () => {
    const { ranks } = await evaluate(rankerBy(dataset, byNumber), dataset, { on: 'validation', protocol: 'full' });
    // ann: target i5, above it i7, i6 (i9 and i8 are known). bob: target i2 (i9, i1 known), above it i3 … i8.
    assert.deepEqual(Array.from(ranks.better), [2, 6]);
  });

  test('a constant scorer gets exactly chance', async () => {
    for (const on of ['validation', 'test'] as const) {
      const result = await evaluate(
        rankerBy(dataset, () => 1),
        dataset,
        { on, protocol: 'full' },
      );
      for (const name of METRICS) assert.ok(Math.abs(result.metrics[name] - result.chance[name]) < 1e-15);
      assert.equal(result.tieRate, 1);
    }
  });

  test('stops between stretches of the catalogue when it is told to', async () => {
    const stop = new AbortController();
    const ranker = rankerBy(dataset, byNumber);
    let stretches = 0;
    const stopping: Ranker = {
      ...ranker,
      scoreAll: async (cases, consume, references) =>
        ranker.scoreAll(
          cases,
          (stretch) => {
            if (++stretches === 2) stop.abort();
            consume(stretch);
          },
          references,
        ),
    };
    const options = { on: 'test', protocol: 'full', signal: stop.signal } as const;
    await assert.rejects(evaluate(stopping, dataset, options), /stopped after 0 of 2 users/);
    assert.equal(stretches, 2);
  });

  test('NaN scores of removed items do not matter, those of candidates are an error', async () => {
    const nanFor = (item: string): Ranker =>
      rankerBy(dataset, (id, { user: who }) => (id === item && who === user('ann') ? Number.NaN : 1));
    await evaluate(nanFor('i8'), dataset, { on: 'test', protocol: 'full' });
    await assert.rejects(evaluate(nanFor('i0'), dataset, { on: 'test', protocol: 'full' }), /user "ann" as NaN/);
    await assert.rejects(evaluate(nanFor('i3'), dataset, { on: 'test', protocol: 'full' }), UserError);
  });
});

describe('the sampled protocol', () => {
  const candidates = drawCandidates(dataset, { count: 5 });

  test('asks for the right cases and candidates, in batches', async () => {
    const asked: Case[] = [];
    const progress: number[] = [];
    const ranker: Ranker = {
      ...rankerBy(dataset, byNumber),
      score: async (cases, list, perCase) => {
        asked.push(...cases);
        assert.equal(list.length, cases.length * perCase);
        assert.equal(perCase, 6);
        return Float32Array.from(list);
      },
    };
    for (const on of ['validation', 'test'] as HeldOut[]) {
      await evaluate(ranker, dataset, {
        on,
        protocol: 'sampled',
        candidates,
        batchSize: 1,
        onProgress: (done) => progress.push(done),
      });
    }
    assert.deepEqual(progress, [1, 2, 1, 2]);
    assert.deepEqual(asked, [
      { user: user('ann'), feedPosition: 2 },
      { user: user('bob'), feedPosition: 6 },
      { user: user('ann'), feedPosition: 3 },
      { user: user('bob'), feedPosition: 7 },
    ]);
  });

  test('a constant scorer gets exactly chance, with every user tied', async () => {
    const {
      metrics,
      chance: level,
      tieRate,
      protocol,
    } = await evaluate(
      rankerBy(dataset, () => 0),
      dataset,
      { on: 'test', protocol: 'sampled', candidates },
    );
    assert.deepEqual(metrics, chance(6));
    assert.deepEqual(level, chance(6));
    assert.equal(tieRate, 1);
    assert.equal(protocol.count, 5);
    assert.equal(protocol.seed, 1);
    assert.equal(protocol.hash, hashCandidates(candidates, dataset));
    assert.equal(protocol.seenItemsRemoved, false);
  });

  test('the order of candidates does not matter', async () => {
    const ranker = rankerBy(dataset, (item) => byNumber(item) % 3);
    const { ranks } = await evaluate(ranker, dataset, { on: 'test', protocol: 'sampled', candidates });
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), async (order) => {
        const shuffled: Candidates = {
          ...candidates,
          items: candidates.items.map((_, i) => candidates.items[i - (i % 5) + (order[i % 5] as number)] as number),
        };
        const again = await evaluate(ranker, dataset, { on: 'test', protocol: 'sampled', candidates: shuffled });
        assert.deepEqual(again.ranks, ranks);
      }),
      { numRuns: 20 },
    );
  });

  test('NaN of the target or of a candidate is an error', async () => {
    const options = { on: 'test', protocol: 'sampled', candidates } as const;
    await assert.rejects(
      evaluate(
        rankerBy(dataset, (item) => (item === 'i3' ? Number.NaN : 0)),
        dataset,
        options,
      ),
      UserError,
    );
    await assert.rejects(
      evaluate(
        rankerBy(dataset, (item) => (item === 'i3' ? 0 : Number.NaN)),
        dataset,
        options,
      ),
      UserError,
    );
  });

  test('lists of another data set are an error', async () => {
    const other: Candidates = { ...candidates, rowOf: new Int32Array(dataset.users.ids.length).fill(-1) };
    await assert.rejects(
      evaluate(rankerBy(dataset, byNumber), dataset, { on: 'test', protocol: 'sampled', candidates: other }),
      /no candidates for user "ann"/,
    );
  });
});

describe('which users count', () => {
  test('requireBoth leaves out targets without feed events or searches before them, and counts them', async () => {
    const both = tinyDataset(
      {
        ...stories,
        dan: ['i1', 'i2', { query: 'late', clicked: ['i3'] }, { led: 'i3' }, 'i4'], // on validation, the only search led to the target
        eve: ['i1', 'i2', 'i3'], // never a search
      },
      { items, importOptions: { requireBoth: true } },
    );
    const on = async (heldOut: HeldOut): Promise<[number, number]> => {
      const { users, protocol } = await evaluate(rankerBy(both, byNumber), both, { on: heldOut, protocol: 'full' });
      return [users, protocol.leftOut];
    };
    assert.deepEqual(await on('validation'), [2, 2]);
    assert.deepEqual(await on('test'), [3, 1]);
  });

  test('nobody to evaluate is told to the user', async () => {
    const none = tinyDataset({ cat: ['i0', 'i1'] });
    await assert.rejects(
      evaluate(rankerBy(none, byNumber), none, { on: 'test', protocol: 'full' }),
      /nothing to evaluate/,
    );
    const blind = tinyDataset({ eve: ['i1', 'i2', 'i3'] }, { importOptions: { requireBoth: true } });
    await assert.rejects(
      evaluate(rankerBy(blind, byNumber), blind, { on: 'test', protocol: 'full' }),
      /all 1 test targets lack/,
    );
  });

  test('impossible numbers of users or cases are told to the user', async () => {
    for (const wrong of [{ users: 0 }, { users: 1.5 }, { batchSize: 0 }, { batchSize: Number.NaN }]) {
      await assert.rejects(
        evaluate(rankerBy(dataset, byNumber), dataset, { on: 'test', protocol: 'full', ...wrong }),
        UserError,
      );
    }
  });
});

describe('a random ranker on many users', () => {
  const many = tinyDataset(
    Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`u${i}`, [0, 1, 2, 3].map((j) => `i${(i * 7 + j * 31) % 200}`)]),
    ),
  );

  test('is near chance under both protocols', async () => {
    for (const protocol of ['sampled', 'full'] as const) {
      const {
        metrics,
        chance: level,
        intervals,
        tieRate,
      } = await evaluate(randomRanker(many, 5), many, { on: 'test', protocol });
      for (const name of METRICS) {
        // 1.96 standard errors each side; three times that is beyond accident
        const margin = 3 * (intervals[name][1] - metrics[name]);
        assert.ok(
          Math.abs(metrics[name] - level[name]) < margin,
          `${protocol} ${name}: ${metrics[name]}, chance ${level[name]}`,
        );
      }
      assert.ok(tieRate < 0.01);
    }
  });

  test('a sample of users is seeded, labelled, and agrees with the whole on those users', async () => {
    const candidates = drawCandidates(many);
    const options = { on: 'test', protocol: 'sampled', candidates, users: 100 } as const;
    const sample = await evaluate(randomRanker(many, 5), many, options);
    assert.deepEqual(sample.protocol.sample, { users: 100, of: 3000, seed: 1 });
    assert.equal(new Set(sample.ranks.user).size, 100);
    assert.deepEqual((await evaluate(randomRanker(many, 5), many, options)).ranks, sample.ranks);
    assert.notDeepEqual(
      (await evaluate(randomRanker(many, 5), many, { ...options, seed: 2 })).ranks.user,
      sample.ranks.user,
    );
    const whole = await evaluate(randomRanker(many, 5), many, { ...options, users: 99999 });
    assert.equal(whole.protocol.sample, null);
    for (const [i, who] of sample.ranks.user.entries()) {
      assert.equal(sample.ranks.better[i], whole.ranks.better[whole.ranks.user.indexOf(who)]);
    }
  });
});
