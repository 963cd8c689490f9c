import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { loadDataset } from '../../src/data/index.js';
import { drawCandidates, saveCandidates } from '../../src/evaluate/index.js';
import { type Outcome, type TinyWorld, inProcess, tinyWorld } from '../support/command-line.js';
import { inSoak } from '../support/soak.js';

/** Every case is a whole command: few of every day, fifty times as many in the full form. */
const TIMES = inSoak(1, 50);

let folder: string;
let world: TinyWorld;
let run: string;
const at = (name: string): string => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-fuzz-'));
  world = await tinyWorld(folder, 1);
  run = at('fuzzed');
  await cp(world.run, run, { recursive: true });
  const dataset = await loadDataset(world.data);
  await saveCandidates(at('lists.gz'), drawCandidates(dataset, { count: 5 }), dataset);
  await writeFile(at('lists'), gunzipSync(await readFile(at('lists.gz'))));
});
after(async () => rm(folder, { recursive: true, force: true }));

/** Whatever a command was given: it is done, or says in a line what is wrong; never a bug's exit code, never a stack. */
function assertNoBug({ code, err }: Outcome): void {
  assert.ok([0, 1, 2].includes(code as number), `exit code ${code}: ${err}`);
  assert.doesNotMatch(err, /^ {4}at /m);
  if (code !== 0) assert.match(err, /^(sesrec: |Usage: )/m);
}

const strange = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e9,
    1e300,
    '',
    'text',
    [],
    {},
    [null],
    { constructor: 1 },
    '../../run.json',
    '\0',
  ),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.string(),
  fc.jsonValue({ maxDepth: 2 }),
);

/** The JSON text of a file with one value somewhere in it replaced, removed, or with some of its text cut or changed. */
function mutations(text: string): fc.Arbitrary<string> {
  const paths: (readonly (string | number)[])[] = [];
  const walk = (value: unknown, path: readonly (string | number)[]): void => {
    paths.push(path);
    if (typeof value === 'object' && value !== null)
      for (const [key, inner] of Object.entries(value)) walk(inner, [...path, key]);
  };
  walk(JSON.parse(text), []);
  const replaced = fc
    .tuple(fc.constantFrom(...paths), fc.option(strange, { nil: undefined, freq: 5 }))
    .map(([path, value]) => {
      if (path.length === 0) return JSON.stringify(value) ?? '';
      const root = JSON.parse(text) as Record<string, unknown>;
      let parent = root;
      for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>;
      parent[path.at(-1) as string] = value; // undefined: JSON.stringify leaves it out
      return JSON.stringify(root);
    });
  return fc.oneof({ weight: 5, arbitrary: replaced }, { weight: 1, arbitrary: scribbles(text) });
}

/** The text, cut, doubled or with a few characters replaced. */
function scribbles(text: string): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.nat(text.length),
      fc.nat(8),
      fc.oneof(
        fc.string({ maxLength: 8 }),
        fc.string({ unit: 'binary', maxLength: 4 }),
        fc.constantFrom('\n', '"', '[', ']', '\0', '\uFFFD', text.slice(0, 200)),
      ),
    )
    .map(
      ([start, length, inserted]) => text.slice(0, start) + inserted + (length === 8 ? '' : text.slice(start + length)),
    );
}

async function fuzzFile(
  path: string,
  mutate: (text: string) => fc.Arbitrary<string>,
  numRuns: number,
  args: (variant: number) => readonly string[],
): Promise<void> {
  const original = await readFile(path, 'utf8');
  let variant = 0;
  try {
    await fc.assert(
      fc.asyncProperty(mutate(original), async (text) => {
        await writeFile(path, text);
        assertNoBug(await inProcess(...args(variant++)));
      }),
      { numRuns: numRuns * TIMES, endOnFailure: true },
    );
  } finally {
    await writeFile(path, original);
  }
}

const evaluateOrRecommend = (variant: number): readonly string[] =>
  variant % 2 === 0
    ? ['recommend', run, '--user', 'u1', '--threads', '1', '--json', '--explain']
    : ['evaluate', run, '--on', 'test', '--again', '--threads', '1', '--users', '3'];

test('a run.json that was tampered with', async () =>
  fuzzFile(join(run, 'run.json'), mutations, 40, evaluateOrRecommend));
test('a run.json that was tampered with, resumed', async () =>
  fuzzFile(join(run, 'run.json'), mutations, 25, () => [
    'train',
    world.data,
    '--out',
    run,
    '--resume',
    '--threads',
    '1',
    '--epochs',
    '1',
  ]));
test('a best.json that was tampered with', async () =>
  fuzzFile(join(run, 'checkpoints', 'best.json'), mutations, 25, evaluateOrRecommend));
test('a last.json that was tampered with', async () => {
  // every resumption starts from the same state, whatever the one before it made of the run
  const original = await readFile(join(run, 'checkpoints', 'last.json'), 'utf8');
  await fc.assert(
    fc.asyncProperty(mutations(original), async (text) => {
      const copy = at('resumed');
      await cp(world.run, copy, { recursive: true });
      await writeFile(join(copy, 'checkpoints', 'last.json'), text);
      assertNoBug(await inProcess('train', world.data, '--out', copy, '--resume', '--threads', '1'));
      await rm(copy, { recursive: true });
    }),
    { numRuns: 10 * TIMES, endOnFailure: true },
  );
});
test('a manifest.json that was tampered with', async () =>
  fuzzFile(join(run, 'data', 'manifest.json'), mutations, 25, evaluateOrRecommend));
test('candidates that were tampered with', async () =>
  fuzzFile(at('lists'), scribbles, 40, () => [
    'evaluate',
    run,
    '--candidates',
    at('lists'),
    '--users',
    '2',
    '--threads',
    '1',
  ]));

test('the manifest of a result that was tampered with', async () => {
  const manifest = join(run, 'results', 'training.json');
  await fuzzFile(manifest, mutations, 30, () => ['reproduce', manifest, '--weights', '--threads', '1']);
});

test('words in any order and of any kind', async () => {
  const word = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'import',
        'interactions',
        's3rec',
        'events',
        'train',
        'evaluate',
        'recommend',
        'parity',
        'reproduce',
        'help',
        'demo',
      ),
    },
    {
      weight: 8,
      arbitrary: fc.constantFrom(
        '--out',
        '--user',
        '--k',
        '--json',
        '--explain',
        '--set',
        '--seed',
        '--users',
        '--candidates',
        '--protocol',
        '--on',
        '--help',
        '--version',
        '--resume',
        '--again',
        '--weights',
        '--overwrite',
        '--',
        '-h',
        '--no-shuffle',
        '--items',
        '--construct-searches',
      ),
    },
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'u1',
        '1',
        '0',
        '-1',
        'full',
        'sampled',
        'alpha=',
        '=',
        '',
        ' ',
        '\0',
        '\n',
        '../..',
        '[',
        '💥',
      ),
    },
    { weight: 4, arbitrary: fc.constant('RUN') },
    { weight: 2, arbitrary: fc.constant('DATA') },
    { weight: 1, arbitrary: fc.string() },
  );
  const command = fc.oneof(
    fc.array(word, { maxLength: 8 }),
    fc.array(word, { maxLength: 5 }).map((words) => ['recommend', 'RUN', '--user', 'u1', ...words]),
    fc.array(word, { maxLength: 5 }).map((words) => ['evaluate', 'RUN', '--users', '2', ...words]),
  );
  const home = process.cwd();
  process.chdir(folder); // whatever is written by chance is written there
  try {
    await fc.assert(
      fc.asyncProperty(command, async (words) => {
        fc.pre(!words.includes('demo') || words.includes('--help')); // a demo trains for a minute
        const places: Record<string, string> = { RUN: run, DATA: world.data };
        assertNoBug(await inProcess(...words.map((one) => places[one] ?? one)));
      }),
      { numRuns: 60 * TIMES, endOnFailure: true },
    );
  } finally {
    process.chdir(home);
  }
});
