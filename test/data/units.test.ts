/** Files in units: every line is in one of them, with its number. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { linesWithin, unitsOf } from '../../src/data/cluster/units.js';
import { readPieces, type BadLine, type Input } from '../../src/data/sources/input.js';
import { put, scratchFolder } from './folders.js';

/** Lines that are not blank, by their numbers, and those that are no text. */
async function linesOf(input: Input, before: number): Promise<Map<number, string>> {
  const found = new Map<number, string>();
  const bad = ({ line, reason, raw }: BadLine): void => void found.set(before + line, `${reason} ${raw}`);
  for await (const { first, text } of readPieces(input, bad))
    for (const [i, line] of text.split('\n').entries()) if (line.trim() !== '') found.set(before + first + i, line);
  return found;
}

test('units of any size have the lines of the whole file, with their numbers', async (t) => {
  const folder = await scratchFolder(t);
  const line = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 9 }).map((text) => Buffer.from(text.replaceAll(/[\n\r]/g, ''))),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10 && byte !== 13))),
    fc.constantFrom('', ' ', '\uFEFF', '\uFEFF{}', 'x'.repeat(50)).map((text) => Buffer.from(text)),
  );
  const magic = ['1f8b', '50415231', '28b52ffd', 'fffe', 'feff']; // other containers than lines
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 15 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      fc.integer({ min: 1, max: 60 }),
      async (lines, end, ended, unitBytes) => {
        const bytes = Buffer.concat(
          lines.flatMap((one, i) => [...(i ? [Buffer.from(end)] : []), one]).concat(ended ? [Buffer.from(end)] : []),
        );
        if (magic.some((begin) => bytes.toString('hex').startsWith(begin))) return;
        const input = { name: 'log', path: await put(folder, 'log', bytes) };
        const found = new Map<number, string>();
        let before = 0;
        for (const { within } of await unitsOf([input], [true], unitBytes)) {
          const range = within === null ? null : await linesWithin(input.path, within);
          for (const [number, text] of await linesOf(range ? { ...input, range } : input, before)) {
            assert.ok(!found.has(number), `line ${number} is in two units`);
            found.set(number, text);
          }
          before += range?.lines ?? 0;
        }
        assert.deepEqual(found, await linesOf(input, 0));
      },
    ),
    { numRuns: 100 },
  );
});
