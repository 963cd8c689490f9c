import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { UserError, releaseLock, takeLock, withLock } from '../../src/base/index.js';
import { scratchFolder } from '../data/folders.js';

const refuses = async (path: string, pattern: RegExp): Promise<void> =>
  assert.rejects(
    takeLock(path, 'is at work'),
    (error) => error instanceof UserError && pattern.test(error.message) && !error.message.includes('\n'),
  );
/** A process that takes a lock and waits. */
const HOLDER = `
  import { takeLock } from ${JSON.stringify(new URL('../../src/base/lock.js', import.meta.url).href)};
  await takeLock(process.argv[1], 'is at work');
  process.stdout.write('taken');
  setInterval(() => {}, 1000);
`;

describe('a lock', () => {
  test('is held by one, named in the refusal of others, and free again afterwards', async (t) => {
    const path = join(await scratchFolder(t), 'lock');
    const result = await withLock(path, 'is at work', async () => {
      await refuses(path, new RegExp(`process ${process.pid} is at work; wait for it`));
      return 5;
    });
    assert.equal(result, 5);
    await assert.rejects(
      withLock(path, 'is at work', async () => Promise.reject(new Error('failed'))),
      /failed/,
    );
    assert.deepEqual(await readdir(join(path, '..')), [], 'released after a failure too, and nothing left beside');
  });

  test('of a living process is refused, of a killed one taken over', async (t) => {
    const path = join(await scratchFolder(t), 'lock');
    const child = spawn(process.execPath, ['--input-type=module', '--eval', HOLDER, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    await once(child.stdout, 'data');
    await refuses(path, new RegExp(`process ${child.pid} is at work`));
    await releaseLock(path);
    assert.ok(existsSync(path), 'it is not ours');
    child.kill('SIGKILL');
    await once(child, 'exit');
    await takeLock(path, 'is at work');
    assert.equal((JSON.parse(await readFile(path, 'utf8')) as { pid: number }).pid, process.pid);
    await releaseLock(path);
    assert.ok(!existsSync(path));
  });

  test('of another host is refused; one that says nothing is in nobody’s way', async (t) => {
    const path = join(await scratchFolder(t), 'lock');
    await writeFile(path, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    await refuses(path, /process 1 on elsewhere is at work; .*delete .*lock if it is gone/);
    for (const content of ['', 'null', '{"pid":', '{"pid":"1"}', `{"pid":-1,"host":${JSON.stringify(hostname())}}`]) {
      await writeFile(path, content);
      await takeLock(path, 'is at work');
      await releaseLock(path);
    }
  });

  test('of a process whose number another one has now is taken over', async (t) => {
    if (process.platform !== 'linux') return t.skip('needs /proc');
    const path = join(await scratchFolder(t), 'lock');
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname(), start: '1' }));
    await takeLock(path, 'is at work');
    await refuses(path, /is at work/);
  });

  test('left by a dead process is taken by one of many who try at once', async (t) => {
    const path = join(await scratchFolder(t), 'lock');
    await writeFile(path, JSON.stringify({ pid: 2 ** 22 + 5, host: hostname(), start: null }));
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--input-type=module', '--eval', HOLDER, path], { stdio: ['ignore', 'pipe', 'ignore'] }),
    );
    t.after(() => children.forEach((child) => child.kill('SIGKILL')));
    const outcomes = await Promise.all(
      children.map(async (child) =>
        Promise.race([once(child.stdout, 'data').then(() => 'taken'), once(child, 'exit').then(() => 'refused')]),
      ),
    );
    assert.deepEqual(outcomes.sort(), ['refused', 'refused', 'refused', 'taken']);
  });
});
