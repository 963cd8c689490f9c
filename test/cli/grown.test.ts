/** A trained model goes on with a data directory that has grown: for old users, and for those who came since. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertRefusal, sesrec, sesrecJson, tinyWorld } from '../support/command-line.js';

interface Recommended {
  readonly source: string;
  readonly items: readonly { readonly item: string; readonly score: number }[];
}

test('recommend --data: what happened since counts, what is new is unknown, and the run stays as it is', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-grown-'));
  t.after(async () => rm(folder, { recursive: true }));
  const world = await tinyWorld(folder, 1);
  const old = (await readFile(world.log, 'utf8'))
    .split('\n')
    .map((line) => (line === '' ? null : (JSON.parse(line) as { type: string; user: string; item: string })));
  const view = old.find((event) => event?.type === 'view') as { user: string; item: string };
  const time = Date.UTC(2030, 0, 1);
  const news = [
    { type: 'search', id: 'later', user: view.user, query: 'never seen before', time },
    { type: 'view', user: view.user, item: 'an item that came later', time: time + 1 },
    { type: 'view', user: 'somebody new', item: view.item, time: time + 2 },
  ];
  const later = join(folder, 'later.jsonl');
  await writeFile(later, news.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const grown = join(folder, 'grown');
  const imported = await sesrec('import', 'events', later, '--append', world.data, '--out', grown);
  assert.equal(imported.code, 0, imported.err);

  const recommended = async (user: string, ...data: readonly string[]): Promise<Recommended> =>
    sesrecJson<Recommended>('recommend', world.run, '--user', user, '--include-seen', ...data);
  const before = await recommended(view.user);
  const after = await recommended(view.user, '--data', grown);
  assert.notDeepEqual(after.items, before.items, 'a later event changes what is recommended');
  assert.ok(after.items.every(({ item, score }) => item !== 'an item that came later' && Number.isFinite(score)));
  const newcomer = await recommended('somebody new', '--data', grown);
  assert.notEqual(newcomer.source, 'popularity', 'their history is one that the model can see');
  assert.deepEqual(await recommended(view.user), before);
  const other = join(folder, 'other');
  assert.equal((await sesrec('import', 'events', later, '--out', other)).code, 0);
  assertRefusal(
    await sesrec('recommend', world.run, '--user', 'somebody new', '--data', other),
    1,
    /other items than the model was trained with: make it with sesrec import --append/,
  );
});
