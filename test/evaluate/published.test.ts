/** Popularity on real data, beside what others published for it: shows that candidates, split and metrics are theirs. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { importInteractions, importS3rec, loadDataset } from '../../src/data/index.js';
import {
  chance,
  evaluate,
  loadOrDrawCandidates,
  METRICS,
  readCandidatesFile,
  summarise,
  type Evaluation,
  type Metrics,
} from '../../src/evaluate/index.js';
import { popularityRanker, randomRanker } from '../../src/model/models/popularity.js';

const data = join(process.cwd(), '../shared/data');
let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sesrec-published-'));
});
after(() => rm(directory, { recursive: true }));

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} is not ${expected} ± ${tolerance}`);

/** The bounds that hits set to gains (test/evaluate/metrics.test.ts). */
function assertConsistent({ metrics }: Evaluation): void {
  const ten = (metrics['ndcg@10'] - metrics['ndcg@5']) / (metrics['hit@10'] - metrics['hit@5']);
  const five = (metrics['ndcg@5'] - metrics['hit@1']) / (metrics['hit@5'] - metrics['hit@1']);
  assert.ok(ten >= 0.2891 && ten <= 0.3562 && five >= 0.387 && five <= 0.631, `${ten} ${five}`);
}

describe('Amazon Beauty, 99 uniform candidates, test', () => {
  const file = 'amazon-beauty/interactions.tsv.gz';
  const skip = existsSync(join(data, file)) ? false : `${join(data, file)} is not here`;

  test(
    'popularity counted in training, and with the held-out events as published; random; both protocols',
    { skip },
    async (t) => {
      const out = join(directory, 'beauty');
      await importInteractions({
        file: join(data, file),
        items: join(data, 'amazon-beauty/items.tsv.gz'),
        constructSearches: 'query',
        out,
      });
      const dataset = await loadDataset(out);
      assert.equal(dataset.items.ids.length - 2, 12101);
      const options = {
        on: 'test',
        protocol: 'sampled',
        candidates: await loadOrDrawCandidates(out, dataset),
      } as const;

      const honest = await evaluate(popularityRanker(dataset), dataset, options);
      t.diagnostic(JSON.stringify({ ...honest.metrics, tieRate: honest.tieRate }));
      assert.equal(honest.users, 22363);
      near(honest.metrics['ndcg@10'], 0.15, 0.004);
      near(honest.metrics['hit@1'], 0.054, 0.003);
      assert.ok(honest.tieRate > 0.64 && honest.tieRate < 0.68, `tie rate ${honest.tieRate}`);
      assertConsistent(honest);

      const leaky = await evaluate(popularityRanker(dataset, { countHeldOut: true }), dataset, options);
      t.diagnostic(JSON.stringify({ ...leaky.metrics, tieRate: leaky.tieRate }));
      near(leaky.metrics['ndcg@10'], 0.179, 0.004);
      near(leaky.metrics['hit@1'], 0.068, 0.003);
      assert.ok(leaky.tieRate > 0.57 && leaky.tieRate < 0.61, `tie rate ${leaky.tieRate}`);

      const random = await evaluate(randomRanker(dataset, 1), dataset, options);
      t.diagnostic(JSON.stringify({ ...random.metrics, tieRate: random.tieRate }));
      for (const name of METRICS) near(random.metrics[name], chance(100)[name], 0.006);

      const full = await evaluate(popularityRanker(dataset), dataset, { on: 'test', protocol: 'full', users: 2000 });
      t.diagnostic(JSON.stringify({ ...full.metrics, tieRate: full.tieRate, count: full.protocol.count }));
      assert.ok(full.metrics['ndcg@10'] > full.chance['ndcg@10'] && full.metrics['ndcg@10'] < 0.02);
    },
  );
});

describe('LastFM, the published candidates, test', () => {
  const file = 'lastfm/LastFM_sample.txt.gz';
  const skip = existsSync(join(data, file)) ? false : `${join(data, file)} is not here`;

  test('popularity with the held-out events is the published row', { skip }, async (t) => {
    const out = join(directory, 'lastfm');
    await importS3rec({ sequences: join(data, 'lastfm/LastFM.txt.gz'), out });
    const dataset = await loadDataset(out);
    const candidates = await readCandidatesFile(join(data, file), dataset);
    const result = await evaluate(popularityRanker(dataset, { countHeldOut: true }), dataset, {
      on: 'test',
      protocol: 'sampled',
      candidates,
    });
    const published: Metrics = {
      'hit@1': 0.0725,
      'hit@5': 0.1982,
      'ndcg@5': 0.135,
      'hit@10': 0.3037,
      'ndcg@10': 0.1687,
      mrr: 0.1506,
    };
    const honest = await evaluate(popularityRanker(dataset), dataset, { on: 'test', protocol: 'sampled', candidates });
    t.diagnostic(JSON.stringify({ ...result.metrics, tieRate: result.tieRate }));
    t.diagnostic(JSON.stringify({ ...honest.metrics, tieRate: honest.tieRate }));
    assert.equal(result.users, 1090);
    for (const name of METRICS) near(result.metrics[name], published[name], 0.003);
    // Theirs breaks ties by the order of an unstable sort: it lies between all against the target and all in its favour.
    const { better, tied } = result.ranks;
    const none = new Int32Array(better.length);
    const best = summarise({ better, tied: none }).metrics;
    const worst = summarise({ better: better.map((count, i) => count + (tied[i] as number)), tied: none }).metrics;
    for (const name of METRICS)
      assert.ok(published[name] > worst[name] - 5e-5 && published[name] < best[name] + 5e-5, name);
    for (const name of ['hit@1', 'hit@5', 'ndcg@5'] as const) near(best[name], published[name], 5e-5);
    assertConsistent(result);
  });
});
