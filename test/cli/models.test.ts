import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MODEL_IDS, RANKER_IDS, loadRun } from '../../src/model/index.js';
import { QUICK, type TinyWorld, assertRefusal, inProcess, sesrec, tinyWorld } from '../support/command-line.js';

let folder: string;
let world: TinyWorld;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-models-'));
  world = await tinyWorld(folder, 0);
});
after(async () => rm(folder, { recursive: true, force: true }));

interface Told {
  readonly id: string;
  readonly trained: { readonly parameters: number | null; readonly settings: Record<string, unknown> } | null;
}

test('the table has a line for every ranker, in order, and as JSON every card', async () => {
  const { code, out } = await inProcess('models');
  assert.equal(code, 0);
  const [titles, ...lines] = out.trimEnd().split('\n');
  assert.match(titles as string, /^ +name +kind +year +sees +extra losses$/);
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    RANKER_IDS,
  );
  assert.match(out, /^sesrec +SESRec +search-aware +2023 +item ids, .*search clicks +alignment, contrast$/m);
  assert.match(out, /^popularity +popularity +counts +2010 +item ids +–$/m);
  const { models } = JSON.parse((await inProcess('models', '--json')).out) as { models: Told[] };
  assert.deepEqual(
    models.map(({ id }) => id),
    RANKER_IDS,
  );
  assert.deepEqual(
    models
      .filter(({ trained }) => trained !== null)
      .map(({ id }) => id)
      .toSorted(),
    [...MODEL_IDS].toSorted(),
  );
});

test('a card has source, losses, presets, trials, and the settings at each published shape', async () => {
  const { code, out } = await inProcess('models', 'sesrec');
  assert.equal(code, 0);
  assert.match(out, /^sesrec: SESRec, search-aware$/m);
  assert.match(out, /^source +Si et al\., “When Search Meets Recommendation: .*”, SIGIR 2023$/m);
  assert.match(out, /^losses +prediction\n +alignment \(alpha\): /m);
  assert.match(out, /^presets +official, paper, sesrec$/m);
  assert.match(out, /^tuning +learningRate 0\.003, dropout 0\.3$/m);
  assert.match(out, /^settings of official +amazon +kuaishou$/m);
  assert.match(out, /^width +32 +48$/m);
  assert.match(out, /^other in paper +amazon +kuaishou$/m);
  assert.match(out, /^maskCoAttention +true +true$/m);
  assert.doesNotMatch(out, /^parameters/m, 'nobody gave a vocabulary');
  for (const id of RANKER_IDS) {
    const card = await inProcess('models', id);
    assert.equal(card.code, 0);
    assert.ok(card.out.startsWith(`${id}: `));
  }
  assert.match((await inProcess('models', 'popularity')).out, /^losses +none: nothing is trained$/m);
});

test('parameters are counted for the vocabulary of a data set: as many as training has', async () => {
  const run = join(folder, 'run');
  const train = ['train', world.data, '--model', 'sesrec', '--out', run, '--epochs', '1', ...QUICK.slice(0, 4)];
  assert.equal((await sesrec(...train)).code, 0);
  const { size } = (await loadRun(run)).parameters;
  const { trained } = JSON.parse((await inProcess('models', 'sesrec', '--data', world.data, '--json')).out) as Told;
  assert.equal(trained?.parameters, size);
  const text = size.toLocaleString('en-US');
  assert.match(
    (await inProcess('models', 'sesrec', '--data', run)).out,
    new RegExp(`^parameters +${text} at the amazon shape, for .*run$`, 'm'),
  );
  assert.match((await inProcess('models', '--data', world.data)).out, new RegExp(`^sesrec .* ${text} +item ids`, 'm'));
});

test('a model that is not there is wrong usage', async () => {
  assertRefusal(await inProcess('models', 'bert'), 2, /'bert' is invalid.*Allowed choices are .*popularity/);
});
