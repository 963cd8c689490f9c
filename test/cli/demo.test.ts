import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sesrec } from '../support/command-line.js';

type Attributes = Readonly<Record<'title', string>>;

interface Demo {
  readonly audit: { readonly ok: boolean };
  readonly results: readonly {
    readonly ranker: string;
    readonly metrics: Readonly<Record<string, number>>;
    readonly protocol: { readonly name: string; readonly on: string };
    readonly chance: Readonly<Record<string, number>>;
  }[];
  readonly gains: Readonly<
    Record<string, { readonly difference: number; readonly interval: readonly [number, number] }>
  >;
  readonly timeline: readonly { readonly type: string; readonly side: string }[];
  readonly items: readonly { readonly attributes: Attributes; readonly because: readonly unknown[] }[];
  readonly search: {
    readonly query: string;
    readonly items: readonly { readonly attributes: Attributes; readonly rank: number; readonly rankBefore: number }[];
  };
}

test('the demo: from a simulated shop to reasons, and one search that moves the answer; its text on the way', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-demo-'));
  t.after(async () => rm(folder, { recursive: true, force: true }));
  const { code, out, err } = await sesrec('demo', '--out', folder, '--threads', '1', '--json');
  assert.equal(code, 0, err);
  const { audit, results, gains, timeline, items, search } = JSON.parse(out) as Demo;
  assert.ok(audit.ok);
  for (const protocol of ['sampled', 'full']) {
    const [sesrecs, blind, popularity] = ['SESRec', 'SESRec, blind to searches', 'popularity'].map((name) =>
      results.find(({ ranker, protocol: how }) => ranker === name && how.name === protocol && how.on === 'test'),
    );
    const ndcg = (result: Demo['results'][number] | undefined): number => result?.metrics['ndcg@10'] as number;
    assert.ok(ndcg(sesrecs) > 2 * ndcg(popularity) && ndcg(blind) > 2 * ndcg(popularity), protocol);
    assert.ok(ndcg(popularity) > (popularity?.chance['ndcg@10'] as number), protocol);
    const { difference, interval } = gains[protocol] as Demo['gains'][string];
    assert.ok(Math.abs(difference - (ndcg(sesrecs) - ndcg(blind))) < 1e-12, protocol);
    assert.ok(interval[0] > 0, `${protocol}: searches that tell of the future add more than chance explains`);
  }
  for (const lane of ['feed', 'search'])
    for (const side of ['similar', 'dissimilar'])
      assert.ok(timeline.some((action) => action.type === lane && action.side === side));
  assert.equal(items.length, 5);
  assert.ok(items.every(({ because }) => because.length > 0));
  // the shop names items by what they are: the search is answered, the very next time
  const answers = search.items.filter(({ attributes }) => attributes.title.includes(search.query));
  assert.ok(answers.length >= 3, `${answers.length} of five items are ${search.query}`);
  assert.ok(items.every(({ attributes }) => !attributes.title.includes(search.query)));
  assert.ok(answers.every(({ rank, rankBefore }) => rank < rankBefore));
  for (const step of [
    '1. A shop.',
    '2. A check.',
    '3. Training',
    '4. The test.',
    '5. One person.',
    '6. What next',
    '7. Now',
  ])
    assert.ok(err.includes(step), step);
  const commands = err.match(/^ {3}npx sesrec .*$/gm) ?? [];
  assert.equal(commands.length, 4);
  const { testLooks } = JSON.parse(await readFile(join(folder, 'sesrec', 'run.json'), 'utf8')) as {
    testLooks: unknown[];
  };
  assert.equal(testLooks.length, 1, 'a look at the test is recorded, here too');
  assert.ok(existsSync(join(folder, 'sesrec', 'results', 'training.json')));
});
