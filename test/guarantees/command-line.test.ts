/**
 * Every command with any of its options and any words, numbers and files: done, or a line that says what is wrong, with its exit
 * code; never a stack trace. The commands and their options are taken from the program itself, so that a new one is met, too.
 * Knows commander's description of the program; does not know what any command does.
 */
import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Command, Option } from 'commander';
import * as fc from 'fast-check';
import { createProgram } from '../../src/cli/main.js';
import { type TinyWorld, inProcess, tinyWorld } from '../support/command-line.js';
import { SEED, inSoak } from '../support/soak.js';

let folder: string;
let world: TinyWorld;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-words-'));
  world = await tinyWorld(folder, 1);
  // what a command made by chance is there for the next; not for those that would train on it
  for (const place of [folder, damagedOnly()]) await layOutDamage(place);
});
after(async () => rm(folder, { recursive: true, force: true }));

const damagedOnly = (): string => join(folder, 'damaged only');

async function layOutDamage(place: string): Promise<void> {
  await mkdir(join(place, 'folder'), { recursive: true });
  await writeFile(join(place, 'text'), 'neither a log\nnor a table\n');
  await writeFile(
    join(place, 'binary'),
    Uint8Array.from({ length: 3000 }, (_, i) => (i * 7919) % 256),
  );
  await writeFile(join(place, 'empty'), '');
  await cp(world.data, join(place, 'broken data'), { recursive: true });
  await writeFile(join(place, 'broken data', 'feed.parquet'), 'PAR1');
  await cp(world.run, join(place, 'broken run'), { recursive: true });
  await writeFile(join(place, 'broken run', 'run.json'), '{"format":"sesrec-run"}');
}

/** Commands that do something, with the words that call them. */
function leaves(command: Command, words: readonly string[] = []): { words: readonly string[]; command: Command }[] {
  const below = command.commands.flatMap((sub) => leaves(sub, [...words, sub.name()]));
  return command.commands.length === 0 ? [{ words, command }] : [{ words, command }, ...below];
}

/** Analyses that train. */
const SWEEPS = ['ablation', 'thresholds', 'sensitivity', 'alignment'];
/** What would take long, or never end, if everything else were right: these meet damaged data only. A demo needs none, and is left out. */
const LONG = new Set(['train', 'compare', 'serve', 'parity', 'reproduce', ...SWEEPS.map((name) => `analyse ${name}`)]);

const isLong = (words: readonly string[]): boolean => LONG.has(words.join(' '));

const numbers = ['-1', '0', '1', '3', '1.5', '1e2', 'NaN', 'Infinity', '0x10', '1_000', ' 1', '-0', '٣'];
const texts = ['', ' ', '\n', '=', 'a=b', '[', '{"a":1}', '__proto__', '--', 'u1', '💥', '..', 'x'.repeat(5000)];
const names = ['sesrec', 'popularity', 'sasrec', 'validation', 'test', 'full', 'events', 'auto', 'query', 'category'];
const brokenPlaces = [
  'text',
  'binary',
  'empty',
  'folder',
  'missing',
  'broken data',
  'broken run',
  'no/such/folder',
  '/dev/null',
];

const wordFor = (long: boolean): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...numbers) },
    { weight: 3, arbitrary: fc.constantFrom(...texts) },
    { weight: 3, arbitrary: fc.constantFrom(...names) },
    { weight: 4, arbitrary: fc.constantFrom(...brokenPlaces) },
    ...(long ? [] : [{ weight: 5, arbitrary: fc.constantFrom('RUN', 'DATA', 'LOG', 'out', 'out 2') }]),
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 6 }).filter((text) => text !== '-') },
  );

function given(option: Option, long: boolean): fc.Arbitrary<readonly string[]> {
  const flag = option.long ?? option.short ?? '';
  if (!option.required && !option.optional) return fc.constant([flag]);
  const value = option.argChoices
    ? fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...option.argChoices) }, wordFor(long))
    : wordFor(long);
  return fc.oneof(
    { weight: 8, arbitrary: value.map((word) => [flag, word]) },
    { weight: 1, arbitrary: value.map((word) => [`${flag}=${word}`]) },
    { weight: 1, arbitrary: fc.constant([flag]) },
  );
}

function call({ words, command }: { words: readonly string[]; command: Command }): fc.Arbitrary<string[]> {
  const long = isLong(words);
  const options = command.options.map((option) => given(option, long));
  const some = options.length === 0 ? fc.constant([]) : fc.array(fc.oneof(...options), { maxLength: 5 });
  const expected = command.registeredArguments.length;
  return fc
    .tuple(fc.array(wordFor(long), { maxLength: expected + 1 }), some, fc.boolean())
    .map(([places, flags, placesFirst]) => [
      ...words,
      ...(placesFirst ? [...places, ...flags.flat()] : [...flags.flat(), ...places]),
    ]);
}

const commands = leaves(await createProgram()).filter(({ words }) => words[0] !== 'demo');

for (const { words, command } of commands) {
  test(`sesrec ${words.join(' ')}`, async (t) => {
    const home = process.cwd();
    process.chdir(isLong(words) ? damagedOnly() : folder); // whatever is written by chance is written there
    const codes: Record<string, number> = {};
    try {
      await fc.assert(
        fc.asyncProperty(call({ words, command }), async (called) => {
          const places = new Map([
            ['RUN', world.run],
            ['DATA', world.data],
            ['LOG', world.log],
          ]);
          const { code, out, err } = await inProcess(...called.map((word) => places.get(word) ?? word));
          codes[String(code)] = (codes[String(code)] ?? 0) + 1;
          const shown = `${JSON.stringify(called)}: ${code}\n${err}`;
          assert.ok([0, 1, 2].includes(code as number), shown);
          assert.doesNotMatch(err, /^ {4}at /m, shown);
          if (code !== 0) assert.match(err, /^(sesrec: |Usage: )/m, shown);
          const refusals = err.split('\n').filter((line) => line.startsWith('sesrec: '));
          assert.ok(refusals.length <= 1, shown);
          if (
            code === 0 &&
            called.includes('--json') &&
            !/(^|\s)(-h|--help|--version|-V)/.test(called.join(' ')) &&
            out !== ''
          )
            JSON.parse(out);
        }),
        { numRuns: inSoak(20, 2000), seed: SEED, endOnFailure: true },
      );
    } finally {
      process.chdir(home);
    }
    t.diagnostic(JSON.stringify(codes));
  });
}
