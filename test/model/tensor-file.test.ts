/** Rows read out of a file are those of the whole file, wherever they lie; what is refused as a whole is refused when it is opened. */
import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { CorruptFileError, Random } from '../../src/base/index.js';
import { TensorFile, decodeSafetensors } from '../../src/model/index.js';
import { encodeSafetensors } from '../support/safetensors.js';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-tensors-'));
});
after(async () => rm(folder, { recursive: true }));

/** Rows of one byte in a page, of a page, and more than are read at once. */
const SHAPES = {
  narrow: [3000, 1],
  page: [40, 1024],
  wide: [3, 400_000],
  long: [60_000, 8],
  vector: [7],
  none: [0, 4],
};

test('rows are those of the whole, side by side or far apart', async () => {
  const random = new Random('tensor file');
  const tensors = new Map(
    Object.entries(SHAPES).map(([name, shape]) => [
      name,
      { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.float()) },
    ]),
  );
  const path = join(folder, 'sound.safetensors');
  await writeFile(path, encodeSafetensors(tensors, { made: 'here' }));
  await using file = await TensorFile.open(path);
  assert.deepEqual(file.metadata, { made: 'here' });
  for (const [name, { data }] of tensors) assert.deepEqual(await file.whole(name), data, name);
  for (const [name, [count = 0, width]] of Object.entries(SHAPES)) {
    if (width === undefined) continue;
    const { data } = tensors.get(name) ?? { data: new Float32Array(0) };
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(fc.nat(Math.max(0, count - 1)), { maxLength: count && 40 }), async (some) => {
        const rows = Int32Array.from(some).sort();
        const expected = Array.from(rows, (row) => [...data.subarray(row * width, (row + 1) * width)]).flat();
        assert.deepEqual(await file.rows(name, rows), Float32Array.from(expected));
      }),
      { numRuns: name === 'wide' ? 5 : 50 },
    );
    const every = Int32Array.from({ length: count }, (_, row) => row);
    assert.deepEqual(await file.rows(name, every), data, `${name}: all of them`);
  }
  for (const ask of [
    async () => file.rows('narrow', Int32Array.of(3000)),
    async () => file.rows('vector', Int32Array.of(0)),
    async () => file.rows('nothing', Int32Array.of(0)),
    async () => file.whole('nothing'),
  ])
    await assert.rejects(ask, CorruptFileError);
});

test('a damaged file is refused when it is opened, where the whole is; one that became shorter when it is read', async () => {
  const sound = encodeSafetensors(
    new Map([
      ['x', { shape: [4, 2], data: new Float32Array(8).fill(1) }],
      ['y', { shape: [3], data: new Float32Array(3).fill(2) }],
    ]),
  );
  const header = sound.length - 4 * 11;
  const path = join(folder, 'damaged.safetensors');
  const verdicts = { refused: 0, read: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(header + 4), fc.nat(255), fc.boolean(), async (place, value, isCut) => {
      const bytes = isCut ? sound.slice(0, place) : sound.slice();
      if (!isCut) bytes[place] = value;
      let isSound = true;
      try {
        decodeSafetensors(bytes, path);
      } catch {
        isSound = false;
      }
      await writeFile(path, bytes);
      if (isSound) {
        await using file = await TensorFile.open(path);
        assert.deepEqual(file.metadata, {});
        verdicts.read++;
      } else {
        await assert.rejects(
          async () => TensorFile.open(path),
          (error) => error instanceof CorruptFileError && /is not a sound safetensors file/.test(error.message),
        );
        verdicts.refused++;
      }
    }),
    { numRuns: 500 },
  );
  assert.ok(verdicts.refused > 100 && verdicts.read > 10, JSON.stringify(verdicts));

  await writeFile(path, sound);
  await using file = await TensorFile.open(path);
  await truncate(path, header + 8);
  await assert.rejects(async () => file.whole('x'), /became shorter/);
  await appendFile(path, sound.subarray(header + 8));
  assert.deepEqual(await file.whole('x'), new Float32Array(8).fill(1));
});
