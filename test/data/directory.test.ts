import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { CorruptFileError, Random } from '../../src/base/index.js';
import { importEvents, linkDataset, loadDataset, readManifest } from '../../src/data/index.js';
import { writePlantedLog } from '../support/planted.js';
import { KILLS, SEED } from '../support/soak.js';
import { put, scratchFolder } from './folders.js';

const SIZE = { users: 40, items: 30, categories: 5, eventsPerUser: 6, seed: 7 };

test('the same input gives the same bytes, whatever the directories are called', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog(SIZE, log);
  const once = join(folder, 'once');
  const again = join(folder, "it's [a=b] *?", 'again');
  const first = await importEvents({ files: [log], out: once });
  const second = await importEvents({ files: [log], out: again });
  assert.deepEqual(first.manifest, second.manifest);
  assert.deepEqual((await readdir(once)).sort(), (await readdir(again)).sort());
  for (const name of await readdir(once))
    assert.deepEqual(await readFile(join(once, name)), await readFile(join(again, name)), name);
  assert.deepEqual((await loadDataset(once)).feedItem, (await loadDataset(again)).feedItem);
});

test('another input gives another hash', async (t) => {
  const folder = await scratchFolder(t);
  await writePlantedLog(SIZE, join(folder, 'a.jsonl'));
  await writePlantedLog({ ...SIZE, seed: 8 }, join(folder, 'b.jsonl'));
  const a = await importEvents({ files: [join(folder, 'a.jsonl')], out: join(folder, 'a') });
  const b = await importEvents({ files: [join(folder, 'b.jsonl')], out: join(folder, 'b') });
  assert.notEqual(a.manifest.hash, b.manifest.hash);
});

test('damage is found and named: any file changed, cut or gone, a manifest of another version', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog(SIZE, log);
  const whole = join(folder, 'whole');
  await importEvents({ files: [log], out: whole });
  const damaged = join(folder, 'damaged');
  const detected = async (name: string, message: RegExp, damage: (path: string) => Promise<unknown>): Promise<void> => {
    await rm(damaged, { recursive: true, force: true });
    await cp(whole, damaged, { recursive: true });
    await damage(join(damaged, name));
    await assert.rejects(loadDataset(damaged), (error) => {
      assert.ok(error instanceof CorruptFileError, String((error as Error).stack));
      assert.match(error.message, message);
      assert.ok(error.message.includes(name), error.message);
      return true;
    });
  };
  for (const name of Object.keys((await readManifest(whole)).files)) {
    const bytes = await readFile(join(whole, name));
    await detected(name, /damaged.*import the data again/, async (path) =>
      writeFile(
        path,
        bytes.map((byte, i) => (i === bytes.length >> 1 ? byte ^ 1 : byte)),
      ),
    );
    await detected(name, /damaged/, async (path) => writeFile(path, bytes.subarray(0, -1)));
    await detected(name, /cannot read/, rm);
  }
  const manifest = await readFile(join(whole, 'manifest.json'), 'utf8');
  const rewritten =
    (from: string | RegExp, to: string) =>
    async (path: string): Promise<void> =>
      writeFile(path, manifest.replace(from, to));
  await detected(
    'manifest.json',
    /format version 99, this program reads 1 and 2/,
    rewritten('"version": 2', '"version": 99'),
  );
  await detected('manifest.json', /not the manifest of a data directory/, rewritten('sesrec-data', 'other'));
  await detected('manifest.json', /damaged/, rewritten('"feed.parquet"', '"../feed.parquet"'));
  await detected('manifest.json', /damaged/, rewritten(/"hash": "./, '"hash": "z'));
  await detected('manifest.json', /damaged/, rewritten('"generator": null', '"generator": {"name": "a"}'));
  await detected(
    'manifest.json',
    /damaged.* number of users/,
    rewritten(/"users": \d+,(?=\s+"items": \d+,\s+"queries")/, '"users": 41,'),
  );
  await detected(
    'manifest.json',
    /damaged/,
    rewritten('"strategy": "leave-one-out"', '"strategy": "global-time", "validationFrom": 1, "testFrom": 2'),
  );
  await detected('manifest.json', /not valid JSON/, async (path) => writeFile(path, manifest.slice(0, -9)));
  await detected('manifest.json', /not the manifest/, async (path) => writeFile(path, 'null'));
  await detected('manifest.json', /is not a data directory, for it has no manifest\.json/, rm);
  await assert.rejects(loadDataset(join(folder, 'nowhere')), CorruptFileError);
});

test('a linked data set is the same files, loads, and survives the removal of the first', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog(SIZE, log);
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  await importEvents({ files: [log], out: from });
  await linkDataset(from, to);
  assert.equal((await stat(join(from, 'feed.parquet'))).ino, (await stat(join(to, 'feed.parquet'))).ino);
  await assert.rejects(linkDataset(from, to), /already exists/);
  await rm(from, { recursive: true });
  assert.equal((await loadDataset(to)).feedItem.length, SIZE.users * SIZE.eventsPerUser);
});

test('the planted log announces the category of every next item, for those who search', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog(SIZE, log);
  await importEvents({ files: [log], out: join(folder, 'out') });
  const data = await loadDataset(join(folder, 'out'));
  const category = data.itemAttributes.get('category');
  const named = new Map<number, Set<number>>();
  let silent = 0;
  let clicks = 0;
  for (let user = 2; user < data.users.ids.length; user++) {
    const [start, end] = [data.feedOffsets[user] as number, data.feedOffsets[user + 1] as number];
    const search = data.searchOffsets[user] as number;
    if (search === data.searchOffsets[user + 1]) {
      silent++;
      continue;
    }
    for (let event = start; event < end; event++) {
      assert.equal(data.feedSearch[event], -1, 'the search stays in the history');
      assert.ok((data.searchOrdinal[search + event - start] as number) < (data.feedOrdinal[event] as number));
      const query = data.searchQuery[search + event - start] as number;
      named.set(query, (named.get(query) ?? new Set()).add(category?.index[data.feedItem[event] as number] as number));
      clicks +=
        (data.clickOffsets[search + event - start + 1] as number) -
        (data.clickOffsets[search + event - start] as number);
    }
  }
  assert.equal(silent, SIZE.users / 4);
  assert.equal(named.size, SIZE.categories);
  for (const categories of named.values()) assert.equal(categories.size, 1);
  const rate = clicks / data.searchQuery.length;
  assert.ok(rate > 0.5 && rate < 0.7, `${rate} of searches have a click`);
});

test('an import killed at a random moment leaves nothing, or a whole data directory, the same as undisturbed', async (t) => {
  const folder = await scratchFolder(t);
  const log = join(folder, 'log.jsonl');
  await writePlantedLog({ ...SIZE, users: 300 }, log);
  const door = new URL('../../src/data/index.js', import.meta.url).href;
  const script = await put(
    folder,
    'import.mjs',
    `import { importEvents } from ${JSON.stringify(door)};
    process.stdout.write('ready');
    await importEvents({ files: [${JSON.stringify(log)}], out: process.argv[2] });`,
  );
  const random = new Random('kill', SEED);
  const outcomes = { nothing: 0, whole: 0 };
  let [duration, undisturbed] = [0, ''];
  for (let attempt = 0; attempt <= KILLS; attempt++) {
    const out = join(folder, `out${attempt}`);
    const child = spawn(process.execPath, [script, out], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const start = performance.now();
    // The first one ends, and says how long that takes; the others die in the later part, where files are written, or just behind it.
    if (attempt > 0) await Promise.race([wait(duration * (0.3 + 0.9 * random.float())), ended]);
    if (attempt > 0) child.kill('SIGKILL');
    await ended;
    if (attempt === 0) duration = performance.now() - start;
    if (
      await stat(out).then(
        () => true,
        () => false,
      )
    ) {
      const { feedItem, manifest } = await loadDataset(out);
      assert.equal(feedItem.length, 300 * SIZE.eventsPerUser);
      if (attempt === 0) undisturbed = manifest.hash;
      assert.equal(manifest.hash, undisturbed);
      outcomes.whole++;
    } else outcomes.nothing++;
  }
  t.diagnostic(JSON.stringify(outcomes));
  assert.notEqual(undisturbed, '', 'the first one was whole');
});
