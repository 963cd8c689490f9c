/** Splits and the audit, as they are typed. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadDataset } from '../../src/data/index.js';
import { candidatesFileName, drawCandidates, saveCandidates } from '../../src/evaluate/index.js';
import { QUICK, type TinyWorld, assertRefusal, inProcess, tinyWorld } from '../support/command-line.js';

interface AuditDocument {
  readonly data: string;
  readonly hash: string;
  readonly ok: boolean;
  readonly split: { readonly strategy: string };
  readonly checks: readonly { readonly name: string; readonly ok: boolean }[];
  readonly crossings: readonly { readonly count: number }[];
}

let folder: string;
let world: TinyWorld;
let data: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-split-'));
  world = await tinyWorld(folder, 0);
  data = join(folder, 'by time');
});
after(async () => rm(folder, { recursive: true, force: true }));

test('a log is divided by time, trained on, evaluated, asked and audited', async () => {
  const newcomer = join(folder, 'newcomer.jsonl');
  const views = ['i1', 'i2'].map((item) => ({ type: 'view', time: '2027-01-01', user: 'new', item }));
  await writeFile(newcomer, views.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const imported = await inProcess('import', 'events', world.log, newcomer, '--split', 'global-time', '--out', data);
  assert.equal(imported.code, 0, imported.err);
  assert.match(imported.out, /^training +24 /m);
  assert.match(imported.out, /^validation +\d+ .*\ntest +\d+ /m);
  assert.match(imported.out, /^split global-time: validation from 2026-\S+Z, test from 2026-\S+Z$/m);

  const run = join(folder, 'run by time');
  const trained = await inProcess('train', data, '--out', run, '--epochs', '1', '--candidate-count', '20', ...QUICK);
  assert.equal(trained.code, 0, trained.err);
  const evaluated = await inProcess('evaluate', run, '--on', 'test', '--candidate-count', '20');
  assert.equal(evaluated.code, 0, evaluated.err);
  assert.match(evaluated.out, /^test, global-time, \d+ users/m);
  assert.match(evaluated.out, /^left out: \d+ more test targets? on items that training does not know$/m);
  assert.match(evaluated.out, /^left out: 1 more test target without the history that is needed$/m, 'the newcomer');
  const forNew = JSON.parse((await inProcess('recommend', run, '--user', 'new', '--json')).out) as { items: unknown[] };
  assert.equal(forNew.items.length, 10, 'a user whom training never met is asked as the unknown user');
  const { items } = JSON.parse(
    (await inProcess('recommend', run, '--user', 'u1', '--k', '200', '--include-seen', '--json')).out,
  ) as { items: { item: string }[] };
  const known = (await loadDataset(data)).items.ids.slice(2);
  assert.deepEqual(items.map(({ item }) => item).sort(), known.toSorted(), 'every known item and no other');

  for (const directory of [data, run]) {
    const audited = await inProcess('audit', directory, '--candidate-count', '20', '--json');
    assert.equal(audited.code, 0, audited.err);
    const report = JSON.parse(audited.out) as AuditDocument;
    assert.ok(report.ok && report.split.strategy === 'global-time');
    assert.ok(report.crossings.every(({ count }) => count === 0));
    const lists = directory === run ? 'candidates-20-uniform-seed1.jsonl.gz' : '20 candidates drawn with seed 1';
    assert.ok(
      report.checks.some(({ name }) => name.startsWith(lists)),
      lists,
    );
  }
  assert.ok(!(await readdir(data)).some((name) => name.startsWith('candidates')), 'drawn lists are not written');
});

test('new items of the item table are ranked by their attributes, and their targets are counted', async () => {
  const out = join(folder, 'with new items');
  const table = await inProcess('import', 'events', world.log, '--split', 'global-time', '--new-items', '--out', out);
  assert.equal(table.code, 0, table.err);
  assert.match(table.out, /^split global-time: .*, with 19 new items$/m);
  const dataset = await loadDataset(out);
  const fresh = dataset.items.ids.length - dataset.trainedItems;
  assert.ok(fresh > 0);

  const run = join(folder, 'run with new items');
  const drawn = ['--candidate-count', '20'];
  const told = ['--item-attributes', 'category', ...drawn, ...QUICK];
  const trained = await inProcess('train', out, '--out', run, '--epochs', '1', ...told);
  assert.equal(trained.code, 0, trained.err);
  const evaluated = await inProcess('evaluate', run, '--on', 'test', '--details', ...drawn);
  assert.equal(evaluated.code, 0, evaluated.err);
  const [, items, targets] =
    /^new to training, known by their attributes alone: (\d+) of the items, (\d+) of the targets$/m.exec(
      evaluated.out,
    ) ?? [];
  assert.deepEqual([Number(items), Number(targets) > 0], [fresh, true]);
  assert.match(evaluated.out, new RegExp(`^new items\n +0 +${targets} `, 'm'));
  const report = join(folder, 'new.html');
  assert.equal((await inProcess('report', run, '--out', report)).code, 0);
  assert.match(await readFile(report, 'utf8'), /When an item was first offered, the log does not say/);
  const audited = await inProcess('audit', run);
  assert.deepEqual([audited.code, audited.err], [0, '']);
  assert.match(audited.out, /no candidate is from after the validation cut, but for new items of the item table/);

  const again = ['--new-items', '--overwrite', '--out', out];
  assertRefusal(
    await inProcess('import', 'events', world.log, ...again),
    2,
    /--new-items belongs to --split global-time/,
  );
  const views = await readFile(world.log, 'utf8');
  const untold = join(folder, 'no table.jsonl');
  await writeFile(
    untold,
    views
      .split('\n')
      .filter((line) => !line.includes('"type":"item"'))
      .join('\n'),
  );
  assertRefusal(
    await inProcess('import', 'events', untold, '--split', 'global-time', ...again),
    1,
    /--new-items: the log comes with no item table/,
  );
});

test('the audit of leave-one-out says what holds and what crosses', async () => {
  const { code, out } = await inProcess('audit', world.data, '--candidate-count', '20');
  assert.equal(code, 0);
  assert.match(out, /^no training event at or after its user's held-out events +144 +0 +ok$/m);
  assert.match(out, /^test targets with training events of other users at or after them +\d+ +24 +\d+\.\d %$/m);
  assert.match(out, /all 10 checks hold\n$/);
});

test('a check that fails is told with an example, and the exit code is 1', async () => {
  const dataset = await loadDataset(world.data);
  const lists = drawCandidates(dataset, { count: 5 });
  lists.items[0] = dataset.feedItem[0] as number; // the first event of the first user
  const path = join(world.data, candidatesFileName({ count: 5 }));
  await saveCandidates(path, lists, dataset);
  try {
    const { code, out, err } = await inProcess('audit', world.data);
    assert.equal(code, 1);
    assert.match(out, /^candidates-5-uniform-seed1\.jsonl\.gz: no candidate was met .* 1 +FAILS$/m);
    assert.match(out, /^fails: .*; for example user "u0", item "i\d+"$/m);
    assert.match(out, /1 of 10 checks fail\n$/);
    assert.match(err, /^sesrec: 1 of 10 checks fail for .*\n$/);
    const json = await inProcess('audit', world.data, '--json');
    assert.equal(json.code, 1);
    assert.equal((JSON.parse(json.out) as AuditDocument).ok, false);
  } finally {
    await rm(path);
  }
});

test('what cannot be split or audited is refused in one line', async () => {
  const importing = async (...flags: readonly string[]) =>
    inProcess('import', 'events', world.log, '--out', join(folder, 'new'), ...flags);
  assertRefusal(
    await importing('--validation-from', '2026-01-01'),
    2,
    /--validation-from and --test-from belong to --split global-time/,
  );
  assertRefusal(await importing('--split', 'by-moon'), 2, /Allowed choices are leave-one-out, global-time/);
  assertRefusal(
    await importing('--split', 'global-time', '--test-from', 'yesterday'),
    2,
    /'yesterday' is invalid.*2026-11-23T10:00:00Z/,
  );
  assertRefusal(
    await importing('--split', 'global-time', '--validation-from', '2030-01-01', '--test-from', '1767225600000'),
    1,
    /validation from 2030-01-01T00:00:00.000Z does not begin before the test from 2026-01-01T00:00:00.000Z/,
  );
  assertRefusal(await inProcess('audit', join(folder, 'nowhere')), 1, /nowhere is not a data directory/);
  assertRefusal(await inProcess('audit', world.data, '--candidate-count', '500'), 1, /ask for at most \d+/);
});
