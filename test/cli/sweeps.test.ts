import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ndcg } from '../../src/evaluate/index.js';
import { type TinyWorld, inProcess, sesrecJson, tinyWorld } from '../support/command-line.js';

const QUICK = [
  ...'--preset paper --seeds 2 --epochs 1 --batch-size 64 --threads 1 --set hidden=[16,1]'.split(' '),
  '--set',
  'window={"feed":5,"search":5}',
];

let folder: string;
let world: TinyWorld;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-sweeps-'));
  world = await tinyWorld(folder, 0);
});
after(async () => rm(folder, { recursive: true, force: true }));

interface Document {
  readonly variants: readonly {
    readonly label: string;
    readonly parameters: number;
    readonly against: string | null;
    readonly measures: Record<string, Record<string, { value: { mean: number }; difference: { mean: number } | null }>>;
  }[];
  readonly plan: { readonly command: string; readonly entries?: readonly { readonly set: readonly string[] }[] };
}

/** NDCG@10 of every user, averaged over seeds, from the ranks that were kept. */
async function userValues(directory: string, label: string): Promise<number[]> {
  const seeds = await Promise.all(
    [1, 2].map(async (seed) => {
      const kept = gunzipSync(await readFile(join(directory, 'test', label, `seed-${seed}.json.gz`))).toString();
      const { better, tied } = (JSON.parse(kept) as { ranks: { sampled: { better: number[]; tied: number[] } } }).ranks
        .sampled;
      return better.map((count, user) => ndcg(10, count, tied[user] as number));
    }),
  );
  return (seeds[0] as number[]).map((value, user) => (value + (seeds[1]?.[user] as number)) / 2);
}

test('analyse ablation takes the parts out one by one, compares each step with the one before, and trains nothing twice', async () => {
  const out = join(folder, 'found');
  const asked = ['analyse', 'ablation', world.data, '--out', out, ...QUICK];
  const document = await sesrecJson<Document>(...asked);
  const { variants } = document;
  assert.deepEqual(
    variants.map(({ label, against }) => [label, against]),
    [
      ['base', null],
      ['alignment', 'base'],
      ['contrast', 'alignment'],
      ['multi-interest', 'contrast'],
      ['search-off', 'multi-interest'],
    ],
  );
  const [base, alignment, contrast, all, blind] = variants.map(({ parameters }) => parameters) as [
    number,
    number,
    number,
    number,
    number,
  ];
  assert.ok(base < alignment, 'the alignment has a matrix of its own');
  assert.equal(alignment, contrast, 'co-attention is there all the time: it tells sides, even untrained');
  assert.ok(contrast < all, 'the prediction has further interests to read');
  assert.ok(blind < base, 'without searches there is less to learn');
  assert.match(document.plan.command, /^sesrec analyse ablation .* --seeds 2 /);

  const [own, other] = [
    await userValues(join(out, 'ablation'), 'contrast'),
    await userValues(join(out, 'ablation'), 'alignment'),
  ];
  const byHand = own.reduce((sum, value, user) => sum + value - (other[user] as number), 0) / own.length;
  const told = variants[2]?.measures['sampled']?.['ndcg@10']?.difference?.mean as number;
  assert.ok(Math.abs(told - byHand) < 1e-12, `${told}, not ${byHand}`);

  const again = await inProcess(...asked);
  assert.equal(again.code, 0, again.err);
  assert.doesNotMatch(again.err, /epoch 1/);
  const [csv, text] = await Promise.all(
    ['csv', 'md'].map(async (kind) => readFile(join(out, `ablation.${kind}`), 'utf8')),
  );
  assert.match(csv as string, /^\+ contrast,sampled,ndcg@10,0\.\d+,[^,]*,2,alignment,-?[\d.e-]+,[\d.e-]+$/m);
  assert.equal(again.out, text);
});

test('analyse thresholds and sensitivity train each setting once', async () => {
  const out = join(folder, 'more');
  const quick = QUICK.map((word) => (word === '2' ? '1' : word));
  const thresholds = await sesrecJson<Document>('analyse', 'thresholds', world.data, '--out', out, ...quick);
  assert.deepEqual(
    thresholds.variants.map(({ label }) => label),
    ['sixteenth', 'eighth', 'median', 'mean'],
  );
  const plan = JSON.parse(await readFile(join(out, 'thresholds', 'compare.json'), 'utf8')) as Document['plan'];
  assert.deepEqual(
    plan.entries?.map(({ set }) => set.at(-1)),
    ['threshold=0.0625', 'threshold=0.125', 'threshold="median"', 'threshold="mean"'],
  );
  const tried = ['--alphas', '0,0.1', '--betas', '0.001,1e-2'];
  const weights = await sesrecJson<Document>('analyse', 'sensitivity', world.data, '--out', out, ...tried, ...quick);
  assert.deepEqual(
    weights.variants.map(({ label }) => label),
    ['usual', 'alpha-0', 'beta-0-01'],
    'the usual weights once',
  );
});

test('a sweep says what it needs', async () => {
  const { code, err } = await inProcess('analyse', 'ablation', world.data);
  assert.equal(code, 2);
  assert.match(err, /^sesrec: analyse ablation trains models: say with --out where they are kept\n$/);
  const wrong = await inProcess('analyse', 'sensitivity', world.data, '--alphas', '0,-1', '--out', join(folder, 'no'));
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--alphas.*numbers from 0/);
});
