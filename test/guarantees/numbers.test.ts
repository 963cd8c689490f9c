/**
 * Extreme numbers: what comes out is a number, or a line that says what is none; never a NaN in silence. Histories that are empty,
 * or of one lane, are in ../model/contract.test.ts, learning rates without measure in ../cli/interruption.test.ts. Knows every
 * registered model by name; does not know any one.
 */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { NotFiniteError, Random, hashOf } from '../../src/base/index.js';
import { chance, drawCandidates, evaluate, metricsOf } from '../../src/evaluate/index.js';
import { GraphRanker, loadCheckpoint, loadRun, recommend, saveCheckpoint } from '../../src/model/index.js';
import { Stepper, createOptimizer } from '../../src/train/index.js';
import { QUICK, inProcess, tinyWorld } from '../support/command-line.js';
import { runtimeForTests } from '../support/runtime.js';
import {
  allItems,
  everyPreset,
  livelyDataset,
  livelyStories,
  momentOf,
  moments,
  tinyModel,
  trainingBatch,
} from '../support/tiny-model.js';
import { encodeSafetensors } from '../support/safetensors.js';

const runtime = runtimeForTests();

test('windows of a single place: losses, gradients and scores of every model are finite', async () => {
  for (const { name, ...entry } of everyPreset) {
    const tiny = tinyModel(entry, { changes: { window: { feed: 1, search: 1, clicks: 1, words: 1 } } });
    const { model, parameters, dataset } = tiny;
    const items = allItems(dataset);
    for (const moment of moments(dataset)) {
      const scores = await new GraphRanker(model, parameters, dataset, runtime).score([moment], items, items.length);
      assert.ok(scores.every(Number.isFinite), `${name}: scores`);
      break; // every moment is as long as another; a program takes a while to compile
    }
    const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
    const { losses, dense } = await stepper.gradients(trainingBatch(tiny), new Random('dropout'));
    assert.ok(Object.values(losses).every(Number.isFinite), `${name}: ${JSON.stringify(losses)}`);
    for (const [key, values] of dense) assert.ok(values.every(Number.isFinite), `${name}: ${key}`);
  }
});

test('parameters at the ends of float32: scores are numbers, or the evaluation and the list say that they are none', async () => {
  const counts = { numbers: 0, told: 0 };
  for (const scale of [0, 1e-30, 1e10, 1e30]) {
    const { model, parameters, dataset } = tinyModel({ id: 'sesrec', preset: 'official' });
    for (const { name } of parameters.descriptions) {
      const values = parameters.get(name);
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * scale;
    }
    const ranker = new GraphRanker(model, parameters, dataset, runtime);
    const candidates = drawCandidates(dataset, { count: 3 });
    for (const work of [
      async () => {
        const { metrics } = await evaluate(ranker, dataset, { on: 'test', protocol: 'sampled', candidates });
        assert.ok(Object.values(metrics).every(Number.isFinite));
      },
      async () => {
        const list = await recommend(ranker, momentOf(dataset, 'u0'), 5);
        assert.equal(list.length, 5);
        assert.ok(list.every(({ score }) => !Number.isNaN(score)));
      },
    ])
      try {
        await work();
        counts.numbers++;
      } catch (error) {
        assert.ok(error instanceof NotFiniteError, String((error as Error).stack));
        counts.told++;
      }
  }
  assert.ok(counts.numbers > 0 && counts.told > 0, JSON.stringify(counts));
});

test('a temperature far outside its clamp is the clamp', async () => {
  const losses = [];
  for (const temperature of [-1e30, 0, 1e-30, 0.0125]) {
    const tiny = tinyModel({ id: 'sesrec', preset: 'official' });
    const found = tiny.parameters.descriptions.filter(({ name }) => /temperature/i.test(name));
    assert.ok(found.length > 0, 'there is a temperature');
    for (const { name } of found) tiny.parameters.get(name).fill(temperature);
    const stepper = new Stepper(
      tiny.model,
      tiny.parameters,
      runtime,
      createOptimizer({ kind: 'adam', weightDecay: 0 }),
    );
    losses.push((await stepper.gradients(trainingBatch(tiny), new Random('dropout'))).losses);
  }
  for (const loss of losses) assert.deepEqual(loss, losses[0]);
  assert.ok(Object.values(losses[0] ?? {}).every(Number.isFinite));
});

test('identical scores of 10^7 items rank as chance does', () => {
  const tied = 1e7 - 1;
  const metrics = metricsOf(0, tied);
  assert.ok(Object.values(metrics).every((value) => Number.isFinite(value) && value > 0 && value < 1e-5));
  assert.ok(Math.abs(metrics['hit@10'] - 10 / 1e7) < 1e-15);
  assert.deepEqual(chance(1e7), metrics);
});

test('a user with 10^5 actions is ranked like one with the newest of them', async () => {
  const random = new Random('a long life');
  const item = (): string => `i${random.integer(24)}`;
  const life = Array.from({ length: 1e5 }, (_, i) => (i % 10 === 9 ? { query: 'red hat', clicked: [item()] } : item()));
  const dataset = livelyDataset({ ...livelyStories(1), long: life });
  const { model, parameters } = tinyModel({ id: 'sesrec', preset: 'official' }, { dataset });
  const list = await recommend(new GraphRanker(model, parameters, dataset, runtime), momentOf(dataset, 'long'), 5);
  assert.equal(list.length, 5);
  assert.ok(list.every(({ score }) => Number.isFinite(score)));
});

test('a learning rate of 10 ends with finite weights, or in one line; a model whose weights are no numbers is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-numbers-'));
  t.after(async () => rm(folder, { recursive: true, force: true }));
  const { data, run } = await tinyWorld(folder, 1);
  const out = join(folder, 'fast');
  const fast = await inProcess('train', data, '--out', out, '--epochs', '2', '--learning-rate', '10', ...QUICK);
  if (fast.code === 0) {
    const { parameters } = await loadRun(out);
    for (const { name } of parameters.descriptions) assert.ok(parameters.get(name).every(Number.isFinite), name);
  } else {
    assert.equal(fast.code, 1, fast.err);
    assert.match(fast.err, /^sesrec: .*became (NaN|-?Infinity) in epoch.*--learning-rate/m);
  }
  const broken = join(folder, 'broken');
  await cp(run, broken, { recursive: true });
  const checkpoints = join(broken, 'checkpoints');
  const best = await loadCheckpoint(checkpoints, 'best');
  const [first] = best.tensors.values();
  first?.data.fill(Number.NaN);
  await assert.rejects(saveCheckpoint(checkpoints, 'best', best.tensors, best.state), /not finite/);
  // somebody else's program may write one all the same, with hashes that fit
  const bytes = encodeSafetensors(best.tensors);
  const manifest = JSON.parse(await readFile(join(checkpoints, 'best.json'), 'utf8')) as object;
  await writeFile(join(checkpoints, 'best-nan.safetensors'), bytes);
  const forged = { ...manifest, file: 'best-nan.safetensors', sha256: hashOf(bytes) };
  await writeFile(join(checkpoints, 'best.json'), JSON.stringify(forged));
  for (const args of [
    ['recommend', broken, '--user', 'u1'],
    ['evaluate', broken, '--users', '2'],
  ]) {
    const refused = await inProcess(...args);
    assert.equal(refused.code, 1, refused.err);
    assert.match(refused.err, /^sesrec: .*(not finite|NaN|not numbers)/m);
  }
});
