/** Every format meets damaged files: never a crash, and every line is accepted, rejected, left out, or refused in one line. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import { withDatabase } from '../../src/data/database.js';
import { FORMATS } from '../../src/data/sources/formats/index.js';
import type { Format } from '../../src/data/sources/formats/format.js';
import { recogniseFormat } from '../../src/data/sources/log.js';
import type { Input } from '../../src/data/sources/input.js';
import { settle } from '../../src/data/sources/settle.js';
import { stage, type Assigned } from '../../src/data/sources/stage.js';
import { inSoak } from '../support/soak.js';

const FIXTURES = join(import.meta.dirname, '../../../test/fixtures/imports');
const OTHERS = ['events', 's3rec'];

/** Reads the files as this format; what is refused is refused in one line. Returns the counts, null when it is refused. */
async function read(
  format: Format,
  files: ReadonlyMap<string, Buffer>,
): Promise<Awaited<ReturnType<typeof settle>>['counts'] | null> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-fuzz-'));
  try {
    const inputs: Assigned[] = [];
    for (const [name, bytes] of files) {
      const path = join(folder, name);
      await writeFile(path, bytes);
      inputs.push({ input: { name, path } });
    }
    return await withDatabase(async (database) => {
      const records = await stage(database, format, inputs);
      return (await settle(database, format, records, false)).counts; // which asserts that they add up
    });
  } catch (error) {
    assert.ok(error instanceof UserError, `${format.name}: ${(error as Error).stack}`);
    assert.ok(!error.message.includes('\n'), error.message);
    return null;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A way to damage a file; draws are numbers in [0, 1). */
type Damage = (bytes: Buffer, draw: () => number) => Buffer;

const at = (bytes: Buffer, draw: () => number): number => Math.floor(draw() * bytes.length);
const insert = (bytes: Buffer, place: number, added: string | Buffer): Buffer =>
  Buffer.concat([bytes.subarray(0, place), Buffer.from(added), bytes.subarray(place)]);
/** Puts something in place of a text in quotes, or of a cell. */
const replaceValue = (bytes: Buffer, draw: () => number, value: string): Buffer => {
  const text = bytes.toString('utf8');
  const values = [...text.matchAll(/(?<=")[^"\n]+(?=")|(?<=[\t,:])[^"\t,\n{}[\]]+/g)];
  const chosen = values[Math.floor(draw() * values.length)];
  return chosen
    ? Buffer.from(text.slice(0, chosen.index) + value + text.slice(chosen.index + chosen[0].length))
    : bytes;
};

const DAMAGES: Readonly<Record<string, Damage>> = {
  'cut off': (bytes, draw) => bytes.subarray(0, at(bytes, draw)),
  'random bytes': (bytes, draw) =>
    insert(bytes, at(bytes, draw), Buffer.from(Array.from({ length: 20 }, () => Math.floor(draw() * 256)))),
  'a bit flipped': (bytes, draw) => {
    const flipped = Buffer.from(bytes);
    const place = at(bytes, draw);
    flipped[place] = (flipped[place] ?? 0) ^ (1 << Math.floor(draw() * 8));
    return flipped;
  },
  NUL: (bytes, draw) => insert(bytes, at(bytes, draw), '\0'),
  'Windows line ends and a BOM': (bytes) => Buffer.from(`\uFEFF${bytes.toString('utf8').replaceAll('\n', '\r\n')}`),
  'Latin-1': (bytes, draw) => insert(bytes, at(bytes, draw), Buffer.from('caf\u00e9', 'latin1')),
  'UTF-16': (bytes) => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(bytes.toString('utf8'), 'utf16le')]),
  __proto__: (bytes, draw) => replaceValue(bytes, draw, '__proto__'),
  'a number beyond 2^53': (bytes, draw) => replaceValue(bytes, draw, '123456789012345678901234567890'),
  'a huge field': (bytes, draw) => replaceValue(bytes, draw, 'x'.repeat(300_000)),
  'nothing in a field': (bytes, draw) => replaceValue(bytes, draw, ''),
  'a lone quote': (bytes, draw) => insert(bytes, at(bytes, draw), '"'),
  'half a surrogate': (bytes, draw) => replaceValue(bytes, draw, '\\ud800'),
  brackets: (bytes, draw) => insert(bytes, at(bytes, draw), '['.repeat(200)),
  'a line twice': (bytes, draw) => {
    const lines = bytes.toString('utf8').split('\n');
    const line = Math.floor(draw() * lines.length);
    return Buffer.from([...lines.slice(0, line + 1), ...lines.slice(line)].join('\n'));
  },
};

/** Draws from a seed, so that fast-check can shrink and repeat a run. */
const drawing = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
};

const RUNS = inSoak(6, 1000);

for (const format of FORMATS.filter(({ name }) => !OTHERS.includes(name))) {
  test(`${format.name}: damaged files`, async (t) => {
    const folder = join(FIXTURES, format.name);
    const { files } = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as { files: string[] };
    const whole = new Map<string, Buffer>();
    for (const name of files) whole.set(name, await readFile(join(folder, name)));
    const outcomes = { read: 0, refused: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(DAMAGES)),
        fc.constantFrom(...files),
        fc.nat(),
        async (name, file, seed) => {
          const damage = DAMAGES[name] as Damage;
          const damaged = new Map(whole).set(file, damage(whole.get(file) as Buffer, drawing(seed)));
          outcomes[(await read(format, damaged)) ? 'read' : 'refused']++;
        },
      ),
      { numRuns: RUNS },
    );
    t.diagnostic(`${outcomes.read} damaged files read, ${outcomes.refused} refused`);
  });
}

test('auto: damaged files are recognised or refused in one line, and never as another format without a word', async (t) => {
  const outcomes = { right: 0, refused: 0 };
  const formats = FORMATS.filter(({ name }) => !OTHERS.includes(name));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...formats),
      fc.constantFrom(...Object.keys(DAMAGES)),
      fc.nat(),
      async ({ name }, damage, seed) => {
        const folder = join(FIXTURES, name);
        const { files } = JSON.parse(await readFile(join(folder, 'expected.json'), 'utf8')) as { files: string[] };
        const scratch = await mkdtemp(join(tmpdir(), 'sesrec-fuzz-'));
        try {
          const inputs: Input[] = [];
          for (const file of files) {
            const path = join(scratch, file);
            await writeFile(path, (DAMAGES[damage] as Damage)(await readFile(join(folder, file)), drawing(seed)));
            inputs.push({ name: file, path });
          }
          const { format } = await withDatabase(async (database) => recogniseFormat(database, inputs));
          assert.equal(format.name, name);
          outcomes.right++;
        } catch (error) {
          if (!(error instanceof UserError)) throw error;
          assert.ok(!error.message.includes('\n'), error.message);
          outcomes.refused++;
        } finally {
          await rm(scratch, { recursive: true });
        }
      },
    ),
    { numRuns: 10 * RUNS },
  );
  t.diagnostic(`${outcomes.right} recognised, ${outcomes.refused} refused`);
});
