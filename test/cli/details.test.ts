import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CorrectionFindings } from '../../src/analyse/index.js';
import type { ListResults } from '../../src/cli/details.js';
import type { Metrics, ListMetrics } from '../../src/evaluate/index.js';
import type { RunManifest } from '../../src/model/index.js';
import { type TinyWorld, assertRefusal, inProcess, tinyWorld } from '../support/command-line.js';

interface SlicesDocument {
  readonly slices: readonly {
    readonly name: string;
    readonly rule: string;
    readonly slices: readonly {
      readonly name: string;
      readonly users: number;
      readonly metrics: Metrics;
      readonly popularity: { readonly metrics: Metrics };
    }[];
  }[];
  readonly metrics: Metrics;
  readonly popularity: { readonly metrics: Metrics };
}
type BothDocument = {
  readonly protocols: Readonly<Record<'sampled' | 'full', SlicesDocument>>;
  readonly lists: ListResults;
};

let folder: string;
let world: TinyWorld;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-details-'));
  world = await tinyWorld(folder, 1);
});
after(async () => rm(folder, { recursive: true, force: true }));

const evaluate = async (run: string, ...more: string[]) => inProcess('evaluate', run, '--threads', '1', ...more);
const documentOf = async <Document>(run: string, ...more: string[]): Promise<Document> => {
  const { code, out, err } = await evaluate(run, '--json', ...more);
  assert.equal(code, 0, err);
  return JSON.parse(out) as Document;
};

test('--details adds slices under each protocol and lists, beside popularity; without, there are none', async () => {
  const { protocols, lists } = await documentOf<BothDocument>(world.run, '--details', '--protocol', 'both');
  for (const { slices, metrics, popularity } of Object.values(protocols)) {
    assert.deepEqual(
      slices.map(({ name }) => name),
      ['searches', 'history', 'popularity', 'newItems'],
    );
    for (const { slices: parts, rule } of slices) {
      assert.notEqual(rule, '');
      assert.equal(
        parts.reduce((sum, { users }) => sum + users, 0),
        24,
      );
      for (const [whole, of] of [
        [metrics.mrr, (part: (typeof parts)[number]) => part.metrics.mrr],
        [popularity.metrics.mrr, (part: (typeof parts)[number]) => part.popularity.metrics.mrr],
      ] as const) {
        const sum = parts.reduce((sum, part) => sum + (part.users > 0 ? part.users * of(part) : 0), 0);
        assert.ok(Math.abs(sum / 24 - whole) < 1e-12, 'slices are not the whole');
      }
    }
  }
  assert.deepEqual(lists.protocol, {
    on: 'validation',
    split: 'leave-one-out',
    users: 24,
    sample: null,
    length: 10,
    seenItemsRemoved: true,
    category: lists.protocol.category,
    tieRule: lists.protocol.tieRule,
  });
  const isSound = ({ coverage, gini, novelty }: ListMetrics): boolean =>
    coverage > 0 && coverage <= 1 && gini >= 0 && gini < 1 && novelty.mean > 0;
  assert.ok(isSound(lists.metrics) && isSound(lists.popularity));
  assert.ok(lists.popularity.popularityLift > 0);

  const plain = await documentOf<Partial<BothDocument & SlicesDocument>>(world.run);
  assert.deepEqual([plain.slices, plain.lists], [undefined, undefined]);
  const one = await documentOf<SlicesDocument & BothDocument>(world.run, '--details', '--users', '5');
  assert.deepEqual([one.slices.length, one.lists.protocol.sample], [4, { users: 5, of: 24, seed: 1 }]);
});

test('as text, figures have their protocol and rules beside them', async () => {
  const { code, out, err } = await evaluate(world.run, '--details');
  assert.equal(code, 0, err);
  assert.match(out, /^slice +users +HIT@10 +± +NDCG@10 +± +MRR +± +popularity$/m);
  assert.match(out, /^searches: searches before the target; much: more than \d+, the median of those who searched$/m);
  assert.match(out, /^ +coverage +Gini +novelty/m);
  assert.match(out, /^lists of 10 before the validation target, leave-one-out, 24 users; .*seen ones removed; ties: /m);
});

test('a category must be there, and needs --details', async () => {
  assertRefusal(await evaluate(world.run, '--category', 'category'), 2, /--category belongs to --details/);
  const before = await readFile(join(world.run, 'run.json'), 'utf8');
  const wrong = await evaluate(world.run, '--on', 'test', '--details', '--category', 'colour');
  assertRefusal(wrong, 1, /the items have no attribute "colour"/);
  assert.equal(await readFile(join(world.run, 'run.json'), 'utf8'), before, 'refused before the look');
});

test('on test, details are of what was looked at: one look, and none more for them', async () => {
  const run = join(folder, 'sealed');
  await cp(world.run, run, { recursive: true });
  const looks = async (): Promise<RunManifest['testLooks']> =>
    (JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as RunManifest).testLooks;
  assert.equal((await documentOf<{ look: number }>(run, '--on', 'test')).look, 1);
  const { look, lists } = await documentOf<{ look: number; lists: ListResults }>(run, '--on', 'test', '--details');
  assert.deepEqual([look, lists.protocol.on, (await looks()).length], [1, 'test', 1]);
  assertRefusal(
    await evaluate(run, '--on', 'test', '--details', '--users', '3'),
    1,
    /was looked at .*--again for look 2/,
  );
  assert.equal((await looks()).length, 1);
});

test('analyse correction tells how far corrected metrics are from full ranking, of every row of a comparison', async () => {
  const [compared, found] = [join(folder, 'compared'), join(folder, 'found')];
  const command = ['compare', world.data, '--models', 'popularity,item-to-item', '--out', compared];
  const made = await inProcess(...command);
  assert.equal(made.code, 0, made.err);
  const { code, out, err } = await inProcess('analyse', 'correction', compared, '--out', found);
  assert.equal(code, 0, err);
  assert.match(out, /^\| item-to-item +\| +\.\d{4} \| .*\(\+?-?\.\d{4} ± \.\d{4}\)/m);
  assert.match(out, /^test, leave-one-out, the same 24 users under both protocols; sampled: among 99 candidates/m);
  assert.deepEqual((await readdir(found)).sort(), [
    'correction.csv',
    'correction.json',
    'correction.md',
    'correction.svg',
  ]);
  const document = JSON.parse(await readFile(join(found, 'correction.json'), 'utf8')) as CorrectionFindings;
  const results = JSON.parse(await readFile(join(compared, 'results.json'), 'utf8')) as {
    rows: { label: string; test: Record<'sampled' | 'full', Record<string, { mean: number }>> }[];
  };
  for (const { label, test } of results.rows) {
    const row = document.rows.find((row) => row.label === label);
    assert.ok(row && Math.abs(row.full.mrr - (test.full['mrr']?.mean as number)) < 1e-12, label);
    assert.ok(Math.abs(row.estimates.sampled.mrr.value - (test.sampled['mrr']?.mean as number)) < 1e-12, label);
  }
  assert.equal(
    (await readFile(join(found, 'correction.csv'), 'utf8')).trim().split('\n').length,
    1 + 2 * 6 * 4,
    'rows, metrics, estimates',
  );
  assert.match(await readFile(join(found, 'correction.svg'), 'utf8'), /^<svg .*aria-label="Sampled and corrected/);
});

test('analyse correction refuses what is no comparison, is not tested yet, or nonsense', async () => {
  assertRefusal(await inProcess('analyse', 'correction', world.data), 1, /is not a comparison: give a directory/);
  const empty = join(folder, 'begun');
  await cp(join(folder, 'compared'), empty, { recursive: true });
  await rm(join(empty, 'test'), { recursive: true });
  assertRefusal(await inProcess('analyse', 'correction', empty), 1, /nothing in .* was tested yet/);
  const gamma = await inProcess('analyse', 'correction', join(folder, 'compared'), '--gamma', '2');
  assertRefusal(gamma, 2, /--gamma .*from 0 to 1/);
});
