import assert from 'node:assert/strict';
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { CorruptFileError } from '../../src/base/index.js';
import { type NamedTensor, loadCheckpoint, loadOrRecover, saveCheckpoint } from '../../src/model/index.js';
import { scratchFolder } from '../data/folders.js';

const tensors = (value: number): Map<string, NamedTensor> =>
  new Map([['a', { shape: [30], data: new Float32Array(30).fill(value) }]]);
const save = async (folder: string, value: number, state: unknown = value): Promise<string> =>
  saveCheckpoint(folder, 'last', tensors(value), state, { reserve: true });
const recover = async (folder: string) => loadOrRecover<number>(folder, 'last', () => {});
/** A folder with checkpoint 2, and 1 in reserve; the paths of both manifests and of both files of tensors. */
async function two(folder: string): Promise<{ last: string[]; reserve: string[] }> {
  const shas = [await save(folder, 1), await save(folder, 2)];
  const [first, second] = shas.map((sha) => join(folder, `last-${sha.slice(0, 16)}.safetensors`)) as [string, string];
  return { last: [join(folder, 'last.json'), second], reserve: [join(folder, 'last.previous.json'), first] };
}

/** Ways to damage a file. */
const damages: Readonly<Record<string, (path: string) => Promise<void>>> = {
  'a byte of its beginning flipped': async (path) => flip(path, 9),
  'a byte of its end flipped': async (path) => flip(path, -1),
  'cut in half': async (path) => cut(path, (length) => length >> 1),
  'cut by two bytes': async (path) => cut(path, (length) => length - 2), // the last byte of a manifest is its newline
  empty: async (path) => writeFile(path, ''),
  missing: async (path) => rm(path),
};
async function flip(path: string, position: number): Promise<void> {
  const bytes = await readFile(path);
  const place = (position + bytes.length) % bytes.length;
  bytes[place] = (bytes[place] as number) ^ 0x10;
  await writeFile(path, bytes);
}
async function cut(path: string, to: (length: number) => number): Promise<void> {
  const bytes = await readFile(path);
  await writeFile(path, bytes.subarray(0, to(bytes.length)));
}

describe('a checkpoint in reserve', () => {
  test('is the one before the last, and no others are kept', async (t) => {
    const folder = await scratchFolder(t);
    assert.equal(await recover(folder), null, 'nothing was saved yet');
    await save(folder, 1);
    assert.deepEqual(await readdir(folder).then(({ length }) => length), 2, 'the first has none before it');
    for (const value of [2, 3, 4]) {
      await save(folder, value);
      assert.equal((await loadCheckpoint(folder, 'last')).state, value);
      assert.equal((await loadCheckpoint(folder, 'last.previous')).state, value - 1);
      assert.equal((await readdir(folder)).length, 4);
    }
    assert.deepEqual(await recover(folder), { checkpoint: await loadCheckpoint(folder, 'last'), damage: null });
  });

  test('takes over where the manifest or the tensors of the last one are damaged, and says what was', async (t) => {
    for (const [name, damage] of Object.entries(damages)) {
      for (const which of [0, 1]) {
        const folder = await scratchFolder(t);
        const { last } = await two(folder);
        await damage(last[which] as string);
        const found = await recover(folder);
        assert.equal(found?.checkpoint.state, 1, name);
        assert.deepEqual(found?.checkpoint.tensors, tensors(1), name);
        assert.match(found?.damage ?? '', /last/, name);
      }
    }
  });

  test('and the last one both damaged is one error that tells of both', async (t) => {
    for (const [name, damage] of Object.entries(damages)) {
      for (const which of [0, 1]) {
        const folder = await scratchFolder(t);
        const { last, reserve } = await two(folder);
        await damage(last[1] as string);
        await damage(reserve[which] as string);
        if (name === 'missing' && which === 0) continue; // then there is no reserve
        await assert.rejects(
          recover(folder),
          (error) =>
            error instanceof CorruptFileError &&
            !error.message.includes('\n') &&
            /last-.*; the one in reserve is no use either: .*last/.test(error.message),
          name,
        );
      }
    }
  });

  test('is not replaced by a damaged one, nor by one of the same tensors', async (t) => {
    const folder = await scratchFolder(t);
    const { last } = await two(folder);
    await flip(last[1] as string, -1);
    await save(folder, 3);
    assert.equal((await loadCheckpoint(folder, 'last.previous')).state, 1, 'checkpoint 2 was damaged');
    await save(folder, 3, 4); // another state of the same weights
    assert.equal((await loadCheckpoint(folder, 'last')).state, 4);
    assert.equal((await loadCheckpoint(folder, 'last.previous')).state, 1, 'damage to the tensors must not hit both');
  });

  test('takes over from one that cannot be used for another reason', async (t) => {
    const folder = await scratchFolder(t);
    await two(folder);
    const check = ({ state }: { state: number }, where: string): void => {
      if (state === 2) throw new CorruptFileError(`${where} is strange`);
    };
    const found = await loadOrRecover<number>(folder, 'last', check);
    assert.deepEqual([found?.checkpoint.state, found?.damage], [1, `${join(folder, 'last')} is strange`]);
  });

  test('is found wherever a file of the last one was cut', async (t) => {
    const folder = await scratchFolder(t);
    const { last } = await two(folder);
    const whole = await Promise.all(last.map(async (path) => readFile(path)));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(0, 1), fc.nat(2000), async (which, length) => {
        const bytes = whole[which] as Buffer;
        fc.pre(length < bytes.length - 1);
        await writeFile(last[which] as string, bytes.subarray(0, length));
        const found = await recover(folder);
        assert.equal(found?.checkpoint.state, 1);
        await writeFile(last[which] as string, bytes);
        assert.equal((await recover(folder))?.checkpoint.state, 2);
      }),
      { numRuns: 60 },
    );
  });

  test('is there after any interruption between two writes', async (t) => {
    // Every prefix of the sequence of files that a save writes and deletes is a state that a crash may leave.
    const before = await scratchFolder(t);
    await two(before);
    const after = await scratchFolder(t);
    for (const name of await readdir(before)) await copyFile(join(before, name), join(after, name));
    const sha = await save(after, 3);
    const written = [`last-${sha.slice(0, 16)}.safetensors`, 'last.previous.json', 'last.json'];
    for (let steps = 0; steps <= written.length; steps++) {
      const folder = join(await scratchFolder(t), 'crashed');
      await mkdir(folder);
      for (const name of await readdir(before)) await copyFile(join(before, name), join(folder, name));
      for (const name of written.slice(0, steps)) await copyFile(join(after, name), join(folder, name));
      const found = await recover(folder);
      assert.deepEqual([found?.checkpoint.state, found?.damage], [steps === written.length ? 3 : 2, null]);
      assert.equal((await loadCheckpoint(folder, 'last.previous')).state, steps >= 2 ? 2 : 1);
    }
  });
});
