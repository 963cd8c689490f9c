/** Runs and comparisons as a server tells of them: from what their files say, whatever state they are in, and from nothing outside. */
import assert from 'node:assert/strict';
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { takeLock } from '../../src/base/index.js';
import { experimentsIn } from '../../src/cli/experiments/index.js';

const FIXTURES = new URL('../../../test/fixtures/formats/', import.meta.url);
let folder: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-experiments-'));
  await cp(new URL('run-2', FIXTURES), join(folder, 'a-run'), { recursive: true });
});
after(async () => rm(folder, { recursive: true, force: true }));

test('a run: its model, its epochs, its figures and how they were got', async () => {
  const experiments = experimentsIn(folder);
  const { experiments: listed } = await experiments.list();
  assert.deepEqual(
    listed.map(({ name, kind, state, servable, flaw }) => [name, kind, state, servable, flaw]),
    [['a-run', 'run', 'finished', true, null]],
  );
  const answer = await experiments.one('a-run');
  const manifest = JSON.parse(await readFile(join(folder, 'a-run', 'run.json'), 'utf8'));
  assert.deepEqual(
    [answer?.model, answer?.preset, answer?.seed, answer?.epochs_planned],
    [manifest.model, manifest.preset, manifest.training.seed, manifest.training.epochs],
  );
  const lines = (await readFile(join(folder, 'a-run', 'log.jsonl'), 'utf8')).trim().split('\n');
  const epoch = JSON.parse(lines.at(-1) as string);
  assert.deepEqual(answer?.curves[0]?.epochs.at(-1)?.losses, epoch.losses);
  assert.deepEqual(answer?.best?.metrics, epoch.validation.metrics);
  assert.deepEqual(
    answer?.results.map(({ on, protocol, candidates, current }) => [on, protocol, candidates, current]),
    [['validation', 'sampled', 7, true]],
  );
  assert.ok(
    answer?.settings.some(({ name, value }) => name === 'training.seed' && value === String(manifest.training.seed)),
  );
  assert.ok(!JSON.stringify(answer).includes(folder), 'no path leaves the house');
});

test('one that trains is said so, and grows; what a kill cut off is no epoch', async () => {
  const run = join(folder, 'b-run');
  await cp(join(folder, 'a-run'), run, { recursive: true });
  await rm(join(run, 'results'), { recursive: true });
  const experiments = experimentsIn(folder);
  assert.equal((await experiments.progress('b-run'))?.state, 'stopped');
  await takeLock(join(run, 'lock'), 'trains');
  const [last] = (await experiments.progress('b-run'))?.curves[0]?.epochs.slice(-1) ?? [];
  assert.equal((await experiments.progress('b-run'))?.state, 'running');
  const log = join(run, 'log.jsonl');
  const line = JSON.parse((await readFile(log, 'utf8')).trim().split('\n').at(-1) as string);
  await appendFile(log, `${JSON.stringify({ ...line, epoch: (last?.epoch ?? 0) + 1 })}\n{"kind":"epoch","ep`);
  const grown = (await experiments.progress('b-run'))?.curves[0]?.epochs ?? [];
  assert.equal(grown.at(-1)?.epoch, (last?.epoch ?? 0) + 1);
});

test('damage is told of one and costs no other; what is neither run nor comparison is left out', async () => {
  await mkdir(join(folder, 'broken'));
  await writeFile(join(folder, 'broken', 'run.json'), '{"format":"sesrec-run","version":99}');
  await mkdir(join(folder, 'compared'));
  await writeFile(join(folder, 'compared', 'compare.json'), '{"format":"something else"}');
  await mkdir(join(folder, 'data'));
  await writeFile(join(folder, 'file'), '');
  const { experiments } = await experimentsIn(folder).list();
  const byName = new Map(experiments.map((entry) => [entry.name, entry]));
  assert.deepEqual([...byName.keys()].sort(), ['a-run', 'b-run', 'broken', 'compared']);
  assert.match(byName.get('broken')?.flaw ?? '', /format version 99/);
  assert.match(byName.get('compared')?.flaw ?? '', /not the plan of a comparison/);
  assert.equal(byName.get('a-run')?.flaw, null);
  assert.ok(experiments.every(({ flaw }) => !(flaw ?? '').includes(folder)));
});

test('a comparison under way: the curves of its runs so far', async () => {
  const compared = join(folder, 'under-way');
  const plan = {
    format: 'sesrec-comparison',
    version: 1,
    startedAt: '2026-11-28T10:00:00.000Z',
    command: 'sesrec compare …',
    madeWith: { sesrec: '0.1.0', node: 'v20' },
    dataHash: 'x',
    options: { epochs: 3, seeds: 2 },
    entries: [{ label: 'one' }, { label: 'two' }],
  };
  await cp(join(folder, 'a-run'), join(compared, 'runs', 'one', 'seed-2'), { recursive: true });
  await writeFile(join(compared, 'compare.json'), JSON.stringify(plan));
  const answer = await experimentsIn(folder).one('under-way');
  assert.deepEqual(
    [answer?.kind, answer?.state, answer?.models, answer?.comparison],
    ['comparison', 'stopped', ['one', 'two'], null],
  );
  assert.deepEqual(
    answer?.curves.map(({ label, seed }) => [label, seed]),
    [['one', 2]],
  );
});

test('names lead nowhere else', async () => {
  const experiments = experimentsIn(join(folder, 'compared'));
  for (const name of ['../a-run', '..', '.', '', 'a/../../a-run', join(folder, 'a-run')]) {
    assert.equal(await experiments.one(name), null, name);
    assert.equal(await experiments.progress(name), null, name);
    assert.equal(await experiments.report(name), null, name);
  }
  assert.deepEqual(await experimentsIn(join(folder, 'nowhere')).list(), { experiments: [], left_out: 0 });
});
