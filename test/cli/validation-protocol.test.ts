/** A training may stop by the rank among all items: what it is judged by is what it says, keeps and repeats. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Reproduction } from '../../src/cli/reproduction.js';
import { readResult } from '../../src/cli/results.js';
import {
  QUICK,
  type TinyWorld,
  assertRefusal,
  inProcess,
  sesrecJson,
  tinyWorld,
  trainTiny,
} from '../support/command-line.js';

let folder: string;
let world: TinyWorld;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-validation-protocol-'));
  world = await tinyWorld(folder, 0);
});
after(async () => rm(folder, { recursive: true, force: true }));

test('the best epoch is the one with the best MRR among all items, as evaluate tells it, and is reproduced', async () => {
  const { run } = world;
  await trainTiny(world, run, 2, '--validation-protocol', 'full');
  const kept = join(run, 'results', 'training.json');
  const { figures, candidates, training } = await readResult(kept);
  assert.deepEqual([figures.protocol.name, figures.protocol.on, candidates], ['full', 'validation', null]);
  const { metrics } = await sesrecJson<{ metrics: Record<string, number> }>('evaluate', run, '--protocol', 'full');
  assert.deepEqual(metrics, figures.metrics);
  assert.equal(training?.best.score, metrics['mrr']);
  const again = await sesrecJson<Reproduction>('reproduce', kept, '--threads', '1');
  assert.ok(again.identical, JSON.stringify(again.compared.filter(({ same }) => !same)));

  const { code, out, err } = await inProcess('train', world.data, '--out', run, '--resume');
  assert.equal(code, 0, err);
  assert.match(out, /: best epoch \d of 2, validation MRR among all items 0\.\d+/);
  const otherwise = ['train', world.data, '--out', run, '--resume', '--validation-protocol', 'sampled'];
  assertRefusal(await inProcess(...otherwise), 1, /was begun with --validation-protocol full, not sampled/);
});

test('a row of a comparison that is validated otherwise than the others is marked where its validation is told', async () => {
  const out = join(folder, 'mixed');
  const options =
    '--models gru4rec,full=gru4rec --set full.validationProtocol=full --trials 2 --tuning-epochs 1 --seeds 1 --epochs 1'.split(
      ' ',
    );
  const { code, err, out: text } = await inProcess('compare', world.data, '--out', out, ...options, '--batch-size', '64', '--threads', '1'); // prettier-ignore
  assert.equal(code, 0, err);
  assert.match(text, /^\| GRU4Rec +\| learningRate/m);
  assert.match(text, /^\| GRU4Rec, full \(among all items\) +\| learningRate/m);
  const page = join(folder, 'mixed.html');
  assert.equal((await inProcess('report', out, '--out', page)).code, 0);
  const told = await readFile(page, 'utf8');
  assert.match(told, /GRU4Rec, full \(among all items\)/);
  assert.match(told, /runs\/full\/seed-1<\/code>.*?\.\d{4} \(among all items\)/s);
  assert.doesNotMatch(told, /runs\/gru4rec\/seed-1<\/code><\/th>[^(]*among all items/);
});

test('without it, among candidates: said or not, the same run', async () => {
  const [said, usual] = [join(folder, 'said'), join(folder, 'usual')];
  await trainTiny(world, said, 1, '--validation-protocol', 'sampled');
  await trainTiny(world, usual, 1);
  const plans = await Promise.all([said, usual].map(async (run) => readResult(join(run, 'results', 'training.json'))));
  const [one, other] = plans.map(({ run, figures }) => ({ run, figures }));
  assert.deepEqual(one, other);
  const { err } = await inProcess('train', world.data, '--out', join(folder, 'shown'), '--epochs', '1', ...QUICK);
  assert.match(err, /^epoch 1 .* validation MRR 0\.\d+ /m);
});
