/** The live store on LMDB: the contract of stores, one writer, and `kill -9` while it writes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../src/base/index.js';
import { open as openRoot } from 'lmdb';
import { openLmdbStore } from '../../src/online/index.js';
import { type Noted, readJournal } from '../../src/online/store/journal.js';
import { eventsOf } from '../../src/online/store/lmdb-store.js';
import { recoverStore } from '../../src/online/store/recover.js';
import { storeContract } from '../support/store-contract.js';

let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-store-'));
});
after(async () => rm(folder, { recursive: true, force: true }));

/** Writes until it is killed, several batches at once, and tells of each when it is acknowledged. */
const WRITER = fileURLToPath(new URL('../support/store-writer.js', import.meta.url));

const place = (): string => join(folder, `store ${made++}`);

storeContract('LMDB', async () => {
  const directory = place();
  return { open: async () => openLmdbStore(directory) };
});

test('one process writes; others may read beside it', async () => {
  const directory = place();
  const store = await openLmdbStore(directory);
  await assert.rejects(openLmdbStore(directory), UserError);
  await store.append([{ type: 'view', user: 'u', time: 1, item: 'i' }]);
  const reader = await openLmdbStore(directory, { readOnly: true });
  assert.equal((await reader.historyOf('u', 1)).length, 1);
  await assert.rejects(reader.append([{ type: 'view', user: 'u', time: 1, item: 'i' }]));
  await reader.close();
  await store.close();
});

const view = (user: string, time: number, more: object = {}) =>
  ({ type: 'view', user, time, item: 'i', ...more }) as const;

test('what is in the journal only is read by whoever opens the store, and more than it holds is taken', async () => {
  const directory = place();
  const child = spawn(process.execPath, [WRITER, directory, '0', '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const noted = (await readJournal(directory)).flatMap(eventsOf).length;
  assert.ok(noted > 0);
  const reader = await openLmdbStore(directory, { readOnly: true });
  assert.equal(reader.sequence(), noted);
  const found: number[] = [];
  for await (const { sequence } of reader.events()) found.push(sequence);
  assert.deepEqual(
    found,
    Array.from({ length: noted }, (_, i) => i + 1),
  );
  let counted = 0;
  for await (const [, count] of reader.actionCounts()) counted += count;
  assert.equal(counted, noted);
  assert.ok((await reader.historyOf('u1', 1000)).length > 0);
  await reader.close();

  const small = await openLmdbStore(place(), { ringBytes: 16_384 });
  const many = Array.from({ length: 100 }, (_, i) => view(`u${i % 7}`, i, { id: `e${i}`, query: 'x'.repeat(999) }));
  await Promise.all(many.map(async (event) => small.append([event])));
  assert.equal((await small.historyOf('u3', 1000)).length, 14);
  await small.close();
});

test('an erased user is in no byte of the journal', async () => {
  const directory = place();
  const store = await openLmdbStore(directory);
  await store.append([view('somebody-7', 1), view('other', 2)]);
  const journal = join(directory, 'journal');
  assert.ok((await readFile(journal)).includes('somebody-7'));
  await store.erase('somebody-7', 3);
  assert.ok(!(await readFile(journal)).includes('somebody-7'));
  await store.append([view('other', 4)]);
  await store.close();
  const again = await openLmdbStore(directory);
  assert.equal((await again.historyOf('other', 9)).length, 2);
  assert.equal((await again.historyOf('somebody-7', 9)).length, 0);
  await again.close();
});

test('a journal that lacks a record is damage, and what is left of it is recovered', async () => {
  const directory = place();
  const child = spawn(process.execPath, [WRITER, directory, '0', '1'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = 0;
  createInterface({ input: child.stdout }).on('line', () => {
    if (++told === 12) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const noted = await readJournal(directory);
  assert.ok(noted.length > 3);
  const journal = await open(join(directory, 'journal'), 'r+');
  await journal.write(Buffer.alloc(16), 0, 16, 4096); // the head of the second
  await journal.close();
  for (const readOnly of [false, true])
    await assert.rejects(openLmdbStore(directory, { readOnly }), /its journal lacks a record .*sesrec recover/);
  const out = place();
  const { events } = await recoverStore(directory, out);
  assert.equal(events, noted.flatMap(eventsOf).length - eventsOf(noted[1] as Noted).length);
  const store = await openLmdbStore(out);
  assert.equal(store.sequence(), noted.at(-1)?.through);
  await store.close();
});

test('a store of before there was a journal is gone on with', async () => {
  const directory = place();
  const store = await openLmdbStore(directory);
  await store.append([view('u', 1), view('u', 2)]);
  await store.close();
  await rm(join(directory, 'journal'));
  const root = openRoot({ path: join(directory, 'live.mdb'), maxDbs: 16, encoding: 'msgpack' });
  const meta = root.openDB({ name: 'meta', encoding: 'msgpack' });
  await meta.put('format', 1);
  await meta.remove('placed');
  await root.close();
  for (const readOnly of [true, false, false]) {
    const again = await openLmdbStore(directory, { readOnly });
    assert.equal(again.sequence(), 2);
    assert.equal((await again.historyOf('u', 9)).length, 2);
    await again.close();
  }
});

test('nothing there is one line, not a new store', async () => {
  await assert.rejects(openLmdbStore(join(folder, 'nothing'), { readOnly: true }), UserError);
});

test('kill -9 of a writing process: all that was acknowledged is there, once, and the store goes on', async () => {
  const directory = place();
  const acknowledged = new Set<string>();
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, [WRITER, directory, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
    let [told, enough] = [0, 30 + 25 * round];
    for await (const line of createInterface({ input: child.stdout })) {
      for (const id of line.split(' ')) acknowledged.add(id);
      if (++told === enough) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    assert.equal(child.signalCode, 'SIGKILL');
    const store = await openLmdbStore(directory);
    const found: string[] = [];
    for await (const { event } of store.events()) found.push(event.id as string);
    assert.equal(new Set(found).size, found.length, 'nothing twice');
    const lost = [...acknowledged].filter((id) => !found.includes(id));
    assert.deepEqual(lost, []);
    assert.deepEqual(
      await store.append([{ type: 'view', user: 'u', time: 1, item: 'i', id: [...acknowledged][0] as string }]),
      [false],
    );
    let counted = 0;
    for await (const [, count] of store.actionCounts()) counted += count;
    assert.equal(counted, found.length, 'counts are those of the events');
    await store.close();
  }
});
