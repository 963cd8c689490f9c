import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { QUICK, assertRefusal, inProcess } from '../support/command-line.js';

let folder: string;
const place = (name: string): string => join(folder, name);

async function done(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await inProcess(...args);
  assert.equal(code, 0, err);
  return out;
}
const train = async (name: string, ...more: readonly string[]): Promise<string> =>
  done('train', place('data'), '--out', place(name), '--epochs', '1', ...QUICK, ...more);

interface Found<Document> {
  readonly document: Document;
  readonly out: string;
}

/** The findings of an analysis, read back from where they are kept. */
async function found(name: string, ...args: readonly string[]): Promise<Found<unknown>> {
  const kept = place(`found ${name}`);
  const out = await done('analyse', name, ...args, '--threads', '1', '--out', kept);
  assert.deepEqual(
    (await readdir(kept)).sort(),
    ['csv', 'json', 'md', 'svg'].map((kind) => `${name}.${kind}`),
  );
  assert.equal(await readFile(join(kept, `${name}.md`), 'utf8'), out);
  assert.match(await readFile(join(kept, `${name}.svg`), 'utf8'), /^<svg [^>]*aria-label="/);
  return { document: JSON.parse(await readFile(join(kept, `${name}.json`), 'utf8')), out };
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-analyses-'));
  const simulate = ['simulate', '--items', '160', '--users'];
  await done(...simulate, '80', '--seed', '1', '--out', place('data'));
  await done(...simulate, '30', '--seed', '2', '--out', place('other'));
  await train('run', '--preset', 'paper', '--item-attributes', 'category', '--set', 'dropout=0.2');
});
after(async () => rm(folder, { recursive: true, force: true }));

test('analyse divergence tells both sides, the random splits and who is left out', async () => {
  const { document, out } = (await found('divergence', place('run'))) as Found<{
    users: { all: number; compared: number; leftOut: Record<string, number> };
    split: { histogram: Record<string, number[]> };
  }>;
  const { users, split } = document;
  const left = Object.values(users.leftOut).reduce((sum, count) => sum + count, 0);
  assert.equal(users.compared + left, users.all);
  assert.ok(users.compared > 5);
  for (const shares of Object.values(split.histogram))
    assert.ok(shares.length === 20 && Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  assert.match(out, /^\| beyond random +\|/m);
  assert.match(out, /no look at the test/);
  const again = await done('analyse', 'divergence', place('run'), '--threads', '2', '--json');
  assert.deepEqual(JSON.parse(again), document, 'the same digit for digit, with other threads too');
});

test('analyse alignment says how to train the run to compare with, which it then accepts', async () => {
  const { document, out } = (await found('alignment', place('run'), '--pairs', '40')) as Found<{
    pairs: { clicked: number; distinct: number };
    runs: { measures: Record<string, unknown> }[];
  }>;
  assert.equal(document.pairs.clicked, 40);
  assert.ok(document.pairs.distinct > 40);
  const command = /^sesrec (train .*)$/m.exec(out)?.[1];
  assert.ok(command);
  const args = command.replaceAll(/'([^']*)'/g, (_, quoted: string) => quoted.replaceAll(' ', '')).split(' ');
  await done(...args, '--threads', '1');
  const other = place('run-without-alignment');
  const both = (await found('alignment', place('run'), '--without', other, '--pairs', '40')) as Found<typeof document>;
  const [withIt, without] = both.document.runs;
  assert.deepEqual(withIt, document.runs[0]);
  assert.equal(without?.measures['mapped'], null);
  assert.doesNotMatch(both.out, /sesrec train/);
});

test('analyse planted compares the trained and the untrained split with rules', async () => {
  const { document, out } = (await found(
    'planted',
    place('run'),
    '--truth',
    place('data'),
    '--resamples',
    '50',
  )) as Found<{
    readings: Record<string, Record<string, { scorers: { name: string; auc: { perUser: { value: number } } }[] }>>;
  }>;
  assert.deepEqual(Object.keys(document.readings), ['interest', 'category', 'kind']);
  const scorers = document.readings['category']?.['feed']?.scorers ?? [];
  assert.deepEqual(
    scorers.map(({ name }) => name),
    [
      'trained',
      'untrained',
      'category rule',
      'category share',
      'similarity, trained',
      'similarity, untrained',
      'planted category',
      'planted category share',
    ],
  );
  assert.equal(scorers.find(({ name }) => name === 'planted category')?.auc.perUser.value, 1);
  const [trained, untrained] = scorers;
  assert.notEqual(trained?.auc.perUser.value, untrained?.auc.perUser.value);
  assert.match(out, /What this cannot show/);
});

test('analyse reasons compares the methods of the model with controls, and names the winner', async () => {
  const { document, out } = (await found(
    'reasons',
    place('run'),
    '--users',
    '6',
    '--counts',
    '1,2',
    '--draws',
    '1',
  )) as Found<{
    winner: string;
    faithfulness: Record<string, number>;
    outcomes: { choice: string; count: number; against: unknown }[];
    protocol: { on: string; users: number };
  }>;
  const { winner, faithfulness, outcomes, protocol } = document;
  const methods = ['stepwise', 'deletion', 'gradient', 'attention'];
  assert.deepEqual(Object.keys(faithfulness), methods);
  assert.equal(faithfulness[winner], Math.max(...Object.values(faithfulness)));
  assert.deepEqual(
    outcomes.filter(({ count }) => count === 2).map(({ choice }) => choice),
    [...methods.flatMap((method) => [method, `${method} lanes`]), 'random', 'newest'],
  );
  for (const { choice, against } of outcomes) assert.equal(against !== null, methods.includes(choice));
  assert.deepEqual([protocol.on, protocol.users], ['validation', 6]);
  assert.match(out, new RegExp(`^reasons of sesrec: ${winner} is the most faithful`, 'm'));
  assert.match(out, /validation moments of 6 users, a sample of \d+ \(seed 1\)/);
  const again = ['--users', '6', '--counts', '2,1', '--draws', '1', '--threads', '2', '--json'];
  assert.deepEqual(JSON.parse(await done('analyse', 'reasons', place('run'), ...again)), document);
  const wrong = await inProcess('analyse', 'reasons', place('run'), '--counts', '1,x');
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--counts 1,x: give whole numbers from 1 to 100/);
});

test('what cannot be analysed is refused in one line', async () => {
  const refused = async (message: RegExp, ...args: readonly string[]): Promise<void> =>
    assertRefusal(await inProcess('analyse', ...args), 1, message);
  await refused(/trained on other data than .*--truth/, 'planted', place('run'), '--truth', place('other'));
  await refused(/no attribute "colour"/, 'divergence', place('run'), '--category', 'colour');
  await refused(/no attribute "colour"/, 'planted', place('run'), '--truth', place('data'), '--category', 'colour');
  assert.equal((await inProcess('analyse', 'planted', place('run'))).code, 2, 'the truth must be named');

  await done('train', place('data'), '--out', place('sasrec'), '--epochs', '1', '--model', 'sasrec', '--threads', '1');
  await refused(/is a run of sasrec: only sesrec divides/, 'divergence', place('sasrec'));
  await train('blind', '--set', 'useSearch=false');
  await refused(/trained with its search off/, 'planted', place('blind'), '--truth', place('data'));

  await refused(/trained with the alignment loss, alpha 0\.1/, 'alignment', place('run'), '--without', place('run'));
  await train('different', '--preset', 'paper', '--set', 'useAlignment=false', '--learning-rate', '0.01');
  await refused(
    /in more than the alignment \(dropout, itemAttributes, learningRate\); .* says how/,
    'alignment',
    place('run'),
    '--without',
    place('different'),
  );
  await refused(/trained without the alignment loss: give it as --without/, 'alignment', place('different'));
});

test('a truth that is damaged, or not there, is refused in one line', async () => {
  const refused = async (message: RegExp): Promise<void> =>
    assertRefusal(await inProcess('analyse', 'planted', place('run'), '--truth', place('data')), 1, message);
  const path = join(place('data'), 'log', 'truth.jsonl.gz');
  const sound = await readFile(path);
  await writeFile(path, sound.subarray(0, 1000));
  await refused(/truth\.jsonl\.gz is damaged/);
  await writeFile(path, gzipSync('{"ordinal":0,"user":"u1","lane":"feed","category":"tea","interest":"shared"}\n'));
  await refused(/the truth tells another story than the data/);
  await rm(path);
  await refused(/has no truth.*only sesrec simulate writes one/);
});
