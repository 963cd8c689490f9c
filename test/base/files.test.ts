import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  CorruptFileError,
  InterruptedError,
  UsageError,
  UserError,
  hashFile,
  hashOf,
  readJson,
  replacedIn,
  stageDirectory,
  writeAtomically,
} from '../../src/base/index.js';
import { scratchFolder } from '../data/folders.js';

describe('files', () => {
  test('have the SHA-256 of their content', async (t) => {
    const folder = await scratchFolder(t);
    await writeFile(join(folder, 'x'), 'abc');
    const wanted = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'; // FIPS 180-2
    assert.equal(await hashFile(join(folder, 'x')), wanted);
    assert.equal(hashOf('abc'), wanted);
    assert.equal(hashOf('a', Uint8Array.of(0x62), 'c'), wanted);
  });

  test('written atomically replace what was there and leave nothing beside it', async (t) => {
    const folder = await scratchFolder(t);
    for (const content of ['one', 'another']) await writeAtomically(join(folder, 'x'), content);
    assert.equal(await readFile(join(folder, 'x'), 'utf8'), 'another');
    assert.deepEqual(await readdir(folder), ['x']);
  });

  test('cut off while they are written leave nothing, and what was there stays', async (t) => {
    const folder = await scratchFolder(t);
    await writeAtomically(join(folder, 'x'), 'one');
    const cutOff = function* (): Generator<Uint8Array> {
      yield new Uint8Array(10);
      throw new Error('no space left');
    };
    await assert.rejects(writeAtomically(join(folder, 'x'), cutOff()), /no space left/);
    assert.deepEqual([await readdir(folder), await readFile(join(folder, 'x'), 'utf8')], [['x'], 'one']);
  });

  test('of JSON that are missing or damaged are one clear error that names them', async (t) => {
    const folder = await scratchFolder(t);
    const path = join(folder, 'x.json');
    await assert.rejects(
      readJson(path),
      (error) => error instanceof CorruptFileError && error.message.startsWith(`cannot read ${path}`),
    );
    await writeFile(path, '{"a":');
    await assert.rejects(
      readJson(path),
      (error) => error instanceof CorruptFileError && error.message.startsWith(`${path} is not valid JSON`),
    );
    await writeFile(path, '{"a":1}');
    assert.deepEqual(await readJson(path), { a: 1 });
  });
});

describe('a staged directory', () => {
  const fill =
    (content: string) =>
    async (directory: string): Promise<string> => {
      await writeFile(join(directory, 'x'), content);
      return content;
    };

  test('appears whole, or not at all when filling it fails', async (t) => {
    const folder = await scratchFolder(t);
    const out = join(folder, 'out');
    await assert.rejects(
      stageDirectory(out, {}, async (directory) => {
        await fill('half')(directory);
        throw new Error('no more');
      }),
      /no more/,
    );
    assert.deepEqual(await readdir(folder), []);
    assert.equal(await stageDirectory(`${out}/`, {}, fill('whole')), 'whole');
    assert.deepEqual([await readdir(folder), await readFile(join(out, 'x'), 'utf8')], [['out'], 'whole']);
  });

  test('refuses to replace another, before any work, unless told to; and keeps the old one when filling fails', async (t) => {
    const folder = await scratchFolder(t);
    const out = join(folder, 'out');
    await mkdir(out);
    await writeFile(join(out, 'old'), '');
    let worked = false;
    await assert.rejects(
      stageDirectory(out, {}, async () => {
        worked = true;
      }),
      (error) => error instanceof UserError && /already exists/.test(error.message),
    );
    assert.equal(worked, false);
    await assert.rejects(
      stageDirectory(out, { overwrite: true }, async () => {
        throw new Error('no');
      }),
      /no/,
    );
    assert.deepEqual(await readdir(out), ['old']);
    await stageDirectory(out, { overwrite: true }, fill('new'));
    assert.deepEqual([await readdir(out), await readdir(folder)], [['x'], ['out']]);
    await stageDirectory(out, { overwrite: true, keep: true }, fill('newer'));
    assert.deepEqual(await readdir(out), ['replaced', 'x']);
    assert.equal(await readFile(join(replacedIn(out), 'x'), 'utf8'), 'new');
  });
});

test('a directory that somebody else made meanwhile is theirs', async (t) => {
  const folder = await scratchFolder(t);
  const out = join(folder, 'out');
  await assert.rejects(
    stageDirectory(out, {}, async () => {
      await mkdir(out);
      await writeFile(join(out, 'theirs'), '');
    }),
    (error) => error instanceof UserError && /another process has made .*out meanwhile/.test(error.message),
  );
  assert.deepEqual([await readdir(out), await readdir(folder)], [['theirs'], ['out']]);
});

test('what a killed process left beside a directory is removed an hour later, and nothing else', async (t) => {
  const folder = await scratchFolder(t);
  const { pid: gone } = spawnSync('true');
  const old = new Date(Date.now() - 2 * 3_600_000);
  const leave = async (name: string, at: Date): Promise<void> => {
    await mkdir(join(folder, name));
    await utimes(join(folder, name), at, at);
  };
  await leave(`out.${gone}.tmp`, old);
  await leave(`out.${gone}.tmp.replaced`, old); // nothing has taken its place
  const kept = ['out.1.tmp', 'out.x.tmp', `other.${gone}.tmp`, `out.tmp`];
  for (const name of kept) await leave(name, old);
  const nothing = async (): Promise<void> => undefined;
  await stageDirectory(join(folder, 'out'), {}, nothing);
  assert.deepEqual(new Set(await readdir(folder)), new Set([...kept, 'out', `out.${gone}.tmp.replaced`]));
  await leave(`out.${gone}.tmp`, new Date());
  await stageDirectory(join(folder, 'out'), { overwrite: true }, nothing);
  assert.ok((await readdir(folder)).includes(`out.${gone}.tmp`), 'it may be at work on another machine');
});

test('errors have the exit codes that the command line promises', () => {
  assert.deepEqual(
    [new UserError('x'), new UsageError('x'), new CorruptFileError('x'), new InterruptedError('x')].map(
      ({ name, exitCode }) => [name, exitCode],
    ),
    [
      ['UserError', 1],
      ['UsageError', 2],
      ['CorruptFileError', 1],
      ['InterruptedError', 130],
    ],
  );
});
