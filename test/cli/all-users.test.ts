/** `sesrec recommend --all-users` on this machine: the lists that everybody would get alone, in parts, whatever interrupts. */
import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FIRST_INDEX } from '../../src/data/index.js';
import { loadRun } from '../../src/index.js';
import { assertRefusal, contentOf, inProcess, sesrecJson, start } from '../support/command-line.js';
import { type ListRow, readLists } from '../support/lists.js';
import { STRANGE_IDS, type StrangeWorld, strangeWorld } from '../support/strange-ids.js';

let folder: string;
let world: StrangeWorld;
/** Lists that were made without an interruption. */
let whole: string;
const all = (out: string, ...more: string[]): string[] => [
  'recommend',
  world.run,
  '--all-users',
  '--out',
  out,
  '--part-users',
  '16',
  ...more,
];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-all-users-'));
  world = await strangeWorld(folder);
  whole = join(folder, 'whole');
  const { code, err } = await inProcess(...all(whole));
  assert.equal(code, 0, err);
});
after(async () => rm(folder, { recursive: true, force: true }));

test('every user has the list that sesrec recommend gives, to the last bit', async () => {
  const { dataset } = await loadRun(world.run);
  const users = dataset.users.ids.slice(FIRST_INDEX);
  assert.ok(STRANGE_IDS.every((id) => users.includes(id)));
  const rows = await readLists(whole);
  const expected: ListRow[] = [];
  for (const user of users) {
    const { out, code, err } = await inProcess('recommend', world.run, '--user', user, '--json');
    assert.equal(code, 0, err);
    const told = JSON.parse(out) as { source: string; items: Omit<ListRow, 'user' | 'source'>[] };
    for (const { rank, item, score } of told.items) expected.push({ user, rank, item, score, source: told.source });
  }
  const inOrder = (list: readonly ListRow[]): ListRow[] =>
    list.toSorted((a, b) => (a.user < b.user ? -1 : a.user > b.user ? 1 : a.rank - b.rank));
  assert.equal(rows.length, 10 * users.length);
  assert.deepEqual(inOrder(rows), inOrder(expected));
});

test('threads, and users of one part, matter to no row', async () => {
  const other = join(folder, 'other');
  const { rows, users } = await sesrecJson<{ rows: number; users: number }>(
    ...all(other, '--threads', '1').map((word) => (word === '16' ? '1000' : word)),
  );
  assert.equal(rows, 10 * users);
  assert.deepEqual(await readLists(other), await readLists(whole));
});

test('interrupted, it keeps whole parts; resumed, it makes the others', async () => {
  const parts = async (out: string) => Object.entries(await contentOf(out)).filter(([path]) => !path.endsWith('_lock'));
  const out = join(folder, 'resumed');
  assert.equal((await inProcess(...all(out))).code, 0);
  const kept = (await stat(join(out, 'part-00000.parquet'))).mtimeMs;
  await rm(join(out, 'part-00001.parquet'));
  await writeFile(join(out, '.part.1.tmp'), 'half');
  const manifest = join(out, '_sesrec.json');
  await writeFile(manifest, (await readFile(manifest, 'utf8')).replace(/"rows": \d+/, '"rows": null'));

  const again = join(folder, 'lost');
  await cp(whole, again, { recursive: true });
  await rm(join(again, 'part-00001.parquet'));
  await writeFile(join(again, 'part-00000.parquet'), 'damaged since it was finished');
  assert.equal((await inProcess(...all(again, '--resume'))).code, 0);
  assert.deepEqual(await readLists(again), await readLists(whole));

  assertRefusal(await inProcess(...all(out, '--k', '5', '--resume')), 1, /begun with --k 10: /);
  assertRefusal(await inProcess(...all(out)), 1, /already exists: .*--resume/);
  const { code, err } = await inProcess(...all(out, '--resume'));
  assert.equal(code, 0, err);
  const relative = (list: [string, string][], base: string) =>
    list.map(([path, hash]) => [path.slice(base.length), hash]);
  assert.deepEqual(relative(await parts(out), out), relative(await parts(whole), whole));
  assert.equal((await stat(join(out, 'part-00000.parquet'))).mtimeMs, kept);
});

test('Ctrl-C ends it in a line, and the same command goes on', async () => {
  const out = join(folder, 'stopped');
  const { child, outcome } = start(all(out, '--part-users', '1'));
  let seen = 0;
  while (seen === 0 && child.exitCode === null)
    seen = (await readdir(out).catch(() => [])).filter((name) => name.startsWith('part-')).length;
  child.kill('SIGINT');
  const { code, err } = await outcome;
  if (code !== 0) {
    assert.equal(code, 130, err);
    assert.match(err, /^sesrec: stopped; the lists of \d+ of \d+ users are there; .*--resume$/m);
  }
  const resumed = await inProcess(...all(out, '--part-users', '1', '--resume'));
  assert.equal(resumed.code, 0, resumed.err);
  assert.deepEqual(await readLists(out), await readLists(whole));
});

test('what makes no sense together is refused, and nothing is written or deleted', async () => {
  const out = join(folder, 'refused');
  const refusals: [string[], number, RegExp][] = [
    [['recommend', world.run, '--all-users'], 2, /--all-users needs --out/],
    [all(out, '--user', 'u1'), 2, /--user is about one user/],
    [all(out, '--explain'), 2, /--explain is about one user/],
    [all(out, '--node', '/usr/bin/node'), 2, /--node is for --engine spark/],
    [all(out, '--engine', 'spark'), 2, /--engine spark needs --master/],
    [all(out, '--engine', 'spark', '--master', 'local[1]', '--resume'), 2, /--resume is for --engine local/],
    [['recommend', world.run, '--out', out], 2, /--out is for --all-users/],
    [all(world.data, '--overwrite'), 1, /holds no lists/],
    [all(world.data, '--resume'), 1, /holds no lists/],
    [['score-task', 'x'], 2, /called by Spark/],
  ];
  for (const [args, code, message] of refusals) assertRefusal(await inProcess(...args), code, message);
  assert.ok(!(await readdir(folder)).includes('refused'));
  assert.ok((await readdir(world.data)).includes('manifest.json'));
});
