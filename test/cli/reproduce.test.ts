import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { hashOf } from '../../src/base/index.js';
import type { Reproduction } from '../../src/cli/reproduction.js';
import type { ResultManifest } from '../../src/cli/results.js';
import { loadDataset } from '../../src/data/index.js';
import { drawCandidates, saveCandidates } from '../../src/evaluate/index.js';
import {
  type TinyWorld,
  QUICK,
  assertRefusal,
  contentOf,
  inProcess,
  sesrec,
  start,
  tinyWorld,
} from '../support/command-line.js';

let folder: string;
let world: TinyWorld;
/** A run, evaluated in several ways. */
let run: string;
const at = (name: string): string => join(folder, name);
const results = (name: string): string => join(run, 'results', name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-reproduce-test-'));
  world = await tinyWorld(folder, 2);
  run = world.run;
  const dataset = await loadDataset(world.data);
  await saveCandidates(at('own.gz'), drawCandidates(dataset, { count: 10, seed: 5 }), dataset);
  await writeFile(at('own lists'), gunzipSync(await readFile(at('own.gz'))));
  for (const more of [
    ['--on', 'test', '--protocol', 'both'],
    ['--users', '5', '--seed', '3'],
    ['--candidates', at('own lists')],
  ])
    assert.equal((await sesrec('evaluate', run, '--threads', '1', ...more)).code, 0);
});
after(async () => rm(folder, { recursive: true, force: true }));

const manifestOf = async (path: string): Promise<ResultManifest> =>
  JSON.parse(await readFile(path, 'utf8')) as ResultManifest;
/** What the tests change in a manifest. */
interface Editable {
  version: unknown;
  weights: string;
  run: { plan: { training: { seed: number } }; sha256: string };
  figures: { metrics?: { mrr: number } };
  environment: { versions: { node: string } };
}
async function changed(name: string, change: (manifest: Editable) => void): Promise<string> {
  const manifest = JSON.parse(await readFile(results('training.json'), 'utf8')) as Editable;
  change(manifest);
  await writeFile(results(name), JSON.stringify(manifest));
  return results(name);
}
const reproduce = async (path: string, ...more: string[]) => inProcess('reproduce', path, '--threads', '1', ...more);

test('every training and every evaluation leaves a manifest with all that made it', async () => {
  const names = (await readdir(join(run, 'results'))).map((name) => name.replace(/[0-9a-f]{12}/, 'HASH'));
  assert.deepEqual(names.sort(), [
    'candidates-HASH.jsonl.gz',
    'evaluation-test-full-all.json',
    'evaluation-test-sampled-HASH.json',
    'evaluation-validation-sampled-HASH-sample.json',
    'evaluation-validation-sampled-HASH.json',
    'training.json',
  ]);
  const training = await manifestOf(results('training.json'));
  const best = JSON.parse(await readFile(join(run, 'checkpoints', 'best.json'), 'utf8')) as { sha256: string };
  const data = JSON.parse(await readFile(join(world.data, 'manifest.json'), 'utf8')) as ResultManifest['data'];
  assert.deepEqual([training.format, training.version, training.kind], ['sesrec-result', 1, 'training']);
  assert.equal(training.weights, best.sha256);
  assert.equal(training.run.sha256, hashOf(JSON.stringify(training.run.plan)));
  assert.equal(training.run.plan.training.seed, 1);
  assert.deepEqual(
    [training.data.hash, training.data.files, training.data.source],
    [data.hash, data.files, data.source],
  );
  assert.equal(training.figures.metrics.mrr, training.training?.best.score);
  assert.equal(training.environment.versions.node, process.version);
  assert.match(training.environment.versions['onnxruntime-node'] ?? '', /^\d+\.\d+/);
  assert.match(training.environment.versions['@duckdb/node-api'] ?? '', /^\d+\.\d+/);
  assert.ok(training.seconds > 0 && training.peakMemoryBytes > 50e6 && training.environment.machine.cores > 0);
  const full = await manifestOf(results('evaluation-test-full-all.json'));
  assert.deepEqual([full.kind, full.candidates, full.training, full.weights], ['evaluation', null, null, best.sha256]);
});

test('the same evaluation again writes the same file, another one of that name gets a number', async () => {
  const before = await readdir(join(run, 'results'));
  assert.equal((await sesrec('evaluate', run, '--users', '5', '--seed', '3')).code, 0);
  assert.deepEqual(await readdir(join(run, 'results')), before);
  const copy = at('numbered');
  await cp(run, copy, { recursive: true });
  const { err } = await sesrec('evaluate', copy, '--users', '6', '--seed', '3');
  assert.match(err, /^result: .*evaluation-validation-sampled-\w{12}-sample-2\.json$/m);
});

test('a training and every kind of evaluation are reproduced from the data, bit for bit, and the run stays as it was', async () => {
  const content = await contentOf(run);
  const names = (await readdir(join(run, 'results'))).filter((name) => name.endsWith('.json'));
  assert.equal(names.length, 5);
  for (const name of names) {
    for (const more of [[], ['--weights']]) {
      const { code, out, err } = await reproduce(results(name), '--json', ...more);
      assert.equal(code, 0, `${name} ${err}`);
      const { identical, compared } = JSON.parse(out) as Reproduction;
      assert.ok(identical && compared.every(({ same }) => same), name);
      assert.deepEqual(
        ['weights', 'mrr', 'ranks'].filter((what) => !compared.some((one) => one.what === what)),
        [],
      );
      assert.match(err, /^the original (training|evaluation) took /m);
    }
  }
  assert.deepEqual(await contentOf(run), content);
});

test('the new run is kept where --out says, with a look of its own at its test', async () => {
  const out = at('kept');
  const { code, out: text, err } = await reproduce(results('evaluation-test-full-all.json'), '--out', out);
  assert.equal(code, 0, err);
  assert.match(text, /^weights +\w{12} +\w{12} +same$/m);
  assert.match(text, /^reproduced$/m);
  assert.ok(existsSync(join(out, 'results', 'training.json')));
  const { testLooks } = JSON.parse(await readFile(join(out, 'run.json'), 'utf8')) as { testLooks: unknown[] };
  assert.equal(testLooks.length, 1);
  assertRefusal(await reproduce(results('training.json'), '--out', out).then(withoutFirstLine), 1, /already exists/);
});
/** What a person is told before the work begins. */
const withoutFirstLine = (outcome: Awaited<ReturnType<typeof inProcess>>) => ({
  ...outcome,
  err: outcome.err.replace(/^the original .*\n/, ''),
});

test('what differs is told, with the versions that differ, and the exit code is 1', async () => {
  const path = await changed('other.json', (manifest) => {
    manifest.weights = 'f'.repeat(64);
    (manifest.figures.metrics as { mrr: number }).mrr += 1e-16;
    manifest.environment.versions.node = 'v18.0.0';
  });
  const { code, out, err } = await reproduce(path);
  assert.equal(code, 1);
  assert.match(out, /^weights +ffffffffffff +\w{12} +different$/m);
  assert.match(out, /^mrr .* different$/m);
  assert.match(out, /^hit@1 .* same$/m);
  assert.match(out, /^what else is different:$/m);
  assert.match(out, /^node +v18\.0\.0 +v/m);
  assert.match(err, /^sesrec: not reproduced: weights, mrr are different$/m);
  const figures = await changed('other figures.json', (manifest) => {
    (manifest.figures.metrics as { mrr: number }).mrr += 1e-16;
  });
  const again = await reproduce(figures, '--weights', '--json');
  assert.equal(again.code, 1);
  assert.equal((JSON.parse(again.out) as Reproduction).identical, false);
});

test('another training is another result', async () => {
  const path = await changed('other seed.json', (manifest) => {
    manifest.run.plan.training.seed = 2;
    manifest.run.sha256 = hashOf(JSON.stringify(manifest.run.plan));
  });
  const { code, out } = await reproduce(path);
  assert.equal(code, 1);
  assert.match(out, /^weights .* different$/m);
});

test('what cannot be reproduced is one line', async () => {
  const refusal = async (path: string, message: RegExp, ...more: string[]): Promise<void> =>
    assertRefusal(withoutFirstLine(await reproduce(path, ...more)), 1, message);
  await refusal(at('nowhere.json'), /nowhere\.json does not exist: give a manifest from the results folder of a run/);
  await refusal(join(run, 'run.json'), /run\.json is not the manifest of a result/);
  await refusal(join(run, 'log.jsonl'), /log\.jsonl is not valid JSON/);
  for (const version of [0, 2, '1', null])
    await refusal(
      await changed('version.json', (manifest) => (manifest.version = version)),
      /version\.json has format version .*, this program reads 1/,
    );
  await refusal(
    await changed('edited.json', (manifest) => (manifest.run.plan.training.seed = 3)),
    /edited\.json is damaged: its run does not match the hash/,
  );
  await refusal(
    await changed('cut.json', (manifest) => delete manifest.figures.metrics),
    /cut\.json is damaged: figures\.metrics must be an object/,
  );

  await writeFile(at('other.jsonl'), '{"type":"view","time":1,"user":"u","item":"a"}\n');
  await sesrec('import', 'events', at('other.jsonl'), '--out', at('other data'));
  await refusal(
    results('training.json'),
    /other data is the data set \w{12}, the result was got on \w{12}/,
    '--data',
    at('other data'),
  );
  await refusal(results('training.json'), /nowhere does not exist: pass --data/, '--data', at('nowhere'));

  const bare = at('bare');
  await cp(join(run, 'results'), join(bare, 'results'), { recursive: true });
  await refusal(
    join(bare, 'results', 'training.json'),
    /bare.data does not exist: pass --data with the data set \w{12}/,
  );
  await refusal(
    join(bare, 'results', 'training.json'),
    /bare is not a run, so there are no weights beside the manifest/,
    '--data',
    world.data,
    '--weights',
  );
  assert.equal((await reproduce(join(bare, 'results', 'training.json'), '--data', world.data)).code, 0);
  const [lists] = (await readdir(join(bare, 'results'))).filter((name) => name.endsWith('.gz'));
  const hash = /candidates-(\w+)/.exec(lists as string)?.[1] as string;
  await rename(join(bare, 'results', lists as string), at('moved.gz'));
  await refusal(
    join(bare, 'results', `evaluation-validation-sampled-${hash}.json`),
    /cannot read the candidates file .*candidates-\w+\.jsonl\.gz/,
    '--data',
    world.data,
  );
});

test('with --weights, a test that was looked at with other weights stays sealed', async () => {
  const copy = at('trained anew');
  await cp(run, copy, { recursive: true });
  const anew = await sesrec(
    'train',
    world.data,
    '--out',
    copy,
    '--overwrite',
    '--epochs',
    '1',
    '--seed',
    '2',
    ...QUICK,
  );
  assert.equal(anew.code, 0, anew.err);
  await cp(join(run, 'results'), join(copy, 'results'), { recursive: true });
  const refused = await reproduce(join(copy, 'results', 'evaluation-test-full-all.json'), '--weights');
  assertRefusal(withoutFirstLine(refused), 1, /trained anew has other weights by now/);
  assert.deepEqual(
    (JSON.parse(await readFile(join(copy, 'run.json'), 'utf8')) as { testLooks: unknown }).testLooks,
    (JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as { testLooks: unknown }).testLooks,
  );
});

test('from inside the results folder, too; an --out that exists and weights that changed are told', async () => {
  const inside = await start(['reproduce', 'training.json', '--weights'], join(run, 'results')).outcome;
  assert.equal(inside.code, 0, inside.err);
  const there = await reproduce(results('training.json'), '--out', folder);
  assert.equal(there.code, 1);
  assert.match(there.err, /already exists: a reproduction makes a new run, choose another --out/);
  const other = await reproduce(
    await changed('other-weights.json', (manifest) => (manifest.weights = 'f'.repeat(64))),
    '--weights',
  );
  assert.equal(other.code, 1);
  assert.match(
    other.err,
    /has other weights by now \(\w{12}\) than the result was got with \(f{12}\): leave --weights out/,
  );
});
