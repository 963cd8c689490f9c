import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type RunManifest, type TestFigures, type TestLook, planLook } from '../../src/model/index.js';
import { UserError } from '../../src/index.js';
import { QUICK, type TinyWorld, assertRefusal, inProcess, sesrec, tinyWorld } from '../support/command-line.js';

let folder: string;
let world: TinyWorld;
let copies = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-seal-'));
  world = await tinyWorld(folder, 1);
});
after(async () => rm(folder, { recursive: true, force: true }));

/** A run whose test nobody has looked at. */
async function sealed(): Promise<string> {
  const run = join(folder, `sealed ${copies++}`);
  await cp(world.run, run, { recursive: true });
  return run;
}
const looksOf = async (run: string): Promise<readonly TestLook[]> =>
  (JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as RunManifest).testLooks;
const evaluate = async (run: string, ...more: string[]) => inProcess('evaluate', run, '--threads', '1', ...more);
async function lookAt(run: string, ...more: string[]): Promise<number | undefined> {
  const { code, out, err } = await evaluate(run, '--on', 'test', '--json', ...more);
  assert.equal(code, 0, err);
  return (JSON.parse(out) as { look?: number }).look;
}

test('validation is free and leaves no trace in run.json', async () => {
  const run = await sealed();
  for (const more of [[], ['--protocol', 'full'], ['--users', '3'], ['--seed', '2'], ['--on', 'validation']]) {
    const { code, out, err } = await evaluate(run, ...more);
    assert.equal(code, 0, err);
    assert.match(out, /^validation, /m);
    assert.doesNotMatch(out, /look/);
  }
  assert.deepEqual(await looksOf(run), []);
});

test('the first look is recorded, the same may be seen again, anything else is refused until --again, and is counted', async () => {
  const run = await sealed();
  const first = await evaluate(run, '--on', 'test');
  assert.equal(first.code, 0, first.err);
  assert.match(first.out, /^look 1 at the test of this run$/m);
  const [look, ...others] = await looksOf(run);
  assert.deepEqual(others, []);
  const [figures] = look?.figures ?? [];
  assert.deepEqual([figures?.protocol, figures?.candidates?.count, figures?.sample], ['sampled', 99, null]);
  assert.match(look?.time ?? '', /^\d{4}-\d\d-\d\dT/);
  const result = JSON.parse(await readFile(join(run, 'results', figures?.result as string), 'utf8')) as {
    weights: string;
    candidates: { hash: string };
  };
  assert.deepEqual([result.weights, result.candidates.hash], [look?.version, figures?.candidates?.hash]);

  const again = await evaluate(run, '--on', 'test');
  assert.deepEqual([again.code, again.out], [0, first.out], 'the same figures, the same look');
  const before = await readFile(join(run, 'run.json'), 'utf8');
  for (const other of [
    ['--protocol', 'full'],
    ['--protocol', 'both'],
    ['--users', '3'],
    ['--seed', '2'],
    ['--candidate-count', '50'],
  ])
    assertRefusal(
      await evaluate(run, '--on', 'test', ...other),
      1,
      /the test of .* was looked at on \d{4}-\d\d-\d\d \d\d:\d\d \(sampled, 99 candidates \w{12}, model \w{12}\): .*--again for look 2, which is counted/,
    );
  assert.equal(await readFile(join(run, 'run.json'), 'utf8'), before);

  assert.equal(await lookAt(run, '--protocol', 'full', '--again'), 2);
  assert.equal(await lookAt(run, '--protocol', 'full'), 2, 'seen already');
  assert.equal(await lookAt(run), 1);
  assert.equal(await lookAt(run, '--again'), 1, '--again does not count what is known');
  assert.equal(await lookAt(run, '--protocol', 'both'), 2, 'all of it is known');
  assert.equal(await lookAt(run, '--users', '3', '--again'), 3);
  assert.equal((await looksOf(run)).length, 3);
});

test('one look may hold both protocols, and a sample as large as all users is all users', async () => {
  const run = await sealed();
  assert.equal(await lookAt(run, '--protocol', 'both'), 1);
  for (const known of [
    ['--protocol', 'sampled'],
    ['--protocol', 'full'],
    ['--users', '1000'],
  ])
    assert.equal(await lookAt(run, ...known), 1);
  const [look, ...others] = await looksOf(run);
  assert.deepEqual(others, []);
  assert.deepEqual(
    look?.figures.map(({ protocol, candidates }) => [protocol, candidates?.count ?? null]),
    [
      ['sampled', 99],
      ['full', null],
    ],
  );
  const { out } = await evaluate(run, '--on', 'test', '--protocol', 'both');
  assert.equal(out.match(/^sesrec official /gm)?.length, 2, 'two tables');
});

test('a look is recorded before its figures are shown: where it cannot be, nothing is shown', async () => {
  const run = await sealed();
  await writeFile(join(run, 'run.json.lock'), JSON.stringify({ pid: 1, host: 'elsewhere' }));
  const refused = await evaluate(run, '--on', 'test');
  assertRefusal(refused, 1, /process 1 on elsewhere is looking at its test/);
  assert.deepEqual(await looksOf(run), []);
});

test('of looks taken at the same moment, every one that shows figures is counted', async () => {
  const run = await sealed();
  const outcomes = await Promise.all(
    ['5', '6', '7'].map(async (seed) => sesrec('evaluate', run, '--on', 'test', '--seed', seed, '--again', '--json')),
  );
  const numbers = outcomes
    .filter(({ out }) => out !== '')
    .map(({ out }) => (JSON.parse(out) as { look: number }).look)
    .toSorted((a, b) => a - b);
  assert.deepEqual(
    numbers,
    Array.from(await looksOf(run), (_, position) => position + 1),
  );
  for (const { code, err } of outcomes.filter(({ out }) => out === ''))
    assert.match(`${code} ${err}`, /^1 .*is looking at its test/s);
});

test('planning a look', () => {
  const figures = (changes: Partial<TestFigures> = {}): TestFigures => ({
    protocol: 'sampled',
    candidates: { hash: 'abc', count: 99 },
    sample: null,
    ...changes,
  });
  const looks: TestLook[] = [
    { time: '2026-01-02T03:04:05Z', version: 'one', figures: [{ ...figures(), result: null }] },
  ];
  const plan = (version: string, wanted: TestFigures[], again = false, known = looks) =>
    planLook(known, { version, figures: wanted }, { again, where: 'here' });
  assert.deepEqual(plan('one', [figures()], false, []), { number: 1, isNew: true });
  assert.deepEqual(plan('one', [figures()]), { number: 1, isNew: false });
  for (const wanted of [
    figures({ protocol: 'full', candidates: null }),
    figures({ candidates: { hash: 'abd', count: 99 } }),
    figures({ sample: { users: 5, seed: 1 } }),
  ]) {
    for (const all of [[wanted], [figures(), wanted]]) {
      assert.throws(() => plan('one', all), UserError);
      assert.deepEqual(plan('one', all, true), { number: 2, isNew: true });
    }
  }
  assert.throws(() => plan('two', [figures()]), /here was looked at on 2026-01-02 03:04 .*look 2/, 'another model');
});

test('a run that is trained anew on the same data inherits the looks', async () => {
  const run = await sealed();
  await lookAt(run);
  const before = await looksOf(run);
  const train = ['train', world.data, '--out', run, '--epochs', '1', '--overwrite', ...QUICK];
  assert.equal((await inProcess(...train)).code, 0);
  assert.deepEqual(await looksOf(run), before);
  assert.equal(await lookAt(run), 1, 'the same weights, so the same look');
  assertRefusal(await evaluate(run, '--on', 'test', '--protocol', 'full'), 1, /--again for look 2/);
  assert.equal((await inProcess(...train, '--seed', '2')).code, 0);
  assertRefusal(await evaluate(run, '--on', 'test'), 1, /--again for look 2/);
});
