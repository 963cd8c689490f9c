/** The live store on LMDB: the contract of stores, one writer, and `kill -9` while it writes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { UserError } from '../../src/base/index.js';
import { openLmdbStore } from '../../src/online/index.js';
import { storeContract } from '../support/store-contract.js';

let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-store-'));
});
after(async () => rm(folder, { recursive: true, force: true }));

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

test('nothing there is one line, not a new store', async () => {
  await assert.rejects(openLmdbStore(join(folder, 'nothing'), { readOnly: true }), UserError);
});

/** Writes until it is killed, several batches at once, and tells of each when it is acknowledged. */
const WRITER = fileURLToPath(new URL('../support/store-writer.js', import.meta.url));

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
