import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Random } from '../../src/base/index.js';
import type { ComparisonResults } from '../../src/cli/comparison/index.js';
import { experimentsIn } from '../../src/cli/experiments/index.js';
import { loadDataset } from '../../src/data/index.js';
import { METRICS, drawCandidates, evaluate, hashCandidates, saveCandidates } from '../../src/evaluate/index.js';
import { type RunManifest, popularityRanker, readRunManifest } from '../../src/model/index.js';
import {
  type Outcome,
  type TinyWorld,
  assertRefusal,
  inProcess,
  sesrec,
  sesrecJson,
  start,
  tinyWorld,
} from '../support/command-line.js';
import { writePlantedLog } from '../support/planted.js';

const random = new Random('when to kill a comparison', Number(process.env['SESREC_TEST_SEED'] ?? 1));
const TINY = ['--batch-size', '64', '--threads', '1'] as const;
/** Two models that are trained and one that is not: 4 trials, 4 runs and 1 more of the finalist. */
const OPTIONS = [
  ...'--models popularity,gru4rec,blind=sesrec --trials 2 --tuning-epochs 1 --seeds 2 --epochs 2'.split(' '),
  ...'--finalists 1 --finalist-seeds 3 --set blind.useSearch=false --set blind.hidden=[16,1]'.split(' '),
  '--set',
  'window={"feed":5,"search":5}',
  ...TINY,
];
const TRAININGS = 9;

let folder: string;
let world: TinyWorld;
/** Where the undisturbed comparison lies, and what it printed. */
let whole: string;
let printed: Outcome;
const compareIn = (out: string, ...more: readonly string[]): string[] => ['compare', world.data, '--out', out, ...more];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-compare-'));
  world = await tinyWorld(folder, 0);
  whole = join(folder, 'whole');
  printed = await sesrec(...compareIn(whole, ...OPTIONS));
  assert.equal(printed.code, 0, printed.err);
});
after(async () => rm(folder, { recursive: true, force: true }));

const resultsOf = async (out: string): Promise<ComparisonResults> =>
  JSON.parse(await readFile(join(out, 'results.json'), 'utf8')) as ComparisonResults;

/** Results without times, and without the command, which names the folder. */
const timeless = (results: ComparisonResults): unknown =>
  JSON.parse(JSON.stringify(results, (key, value: unknown) => (/seconds|^command$/i.test(key) ? undefined : value)));

const row = (results: ComparisonResults, label: string) => {
  const found = results.rows.find((one) => one.label === label);
  assert.ok(found, label);
  return found;
};

/** Trainings that were begun or gone on with, as they were announced. */
const announced = ({ err }: Outcome): string[] => err.match(/^\[\d+ of \d+\] .*$/gm) ?? [];

test('every model is tuned, trained and tested as asked, and the best on validation has more seeds', async () => {
  const results = await resultsOf(whole);
  assert.deepEqual(
    results.rows.map(({ label, name, group }) => [label, name, group]),
    [
      ['gru4rec', 'GRU4Rec', 'sequential'],
      ['blind', 'SESRec, blind', 'search-aware'],
      ['popularity', 'popularity', 'beyond the paper'],
    ],
    'in the order of the paper',
  );
  assert.equal(announced(printed).length, TRAININGS);
  assert.match(printed.err, /^\[1 of 9\] gru4rec, trial 1 of 2: learningRate 0\.003, dropout 0\.3$/m);
  assert.match(printed.err, /^\[6 of 9\] blind, seed 1 of 2: .*; about \d.* of training left$/m);
  assert.deepEqual(row(results, 'blind').sees, ['item ids', 'user', 'order'], 'searches are off');

  const trained = [row(results, 'gru4rec'), row(results, 'blind')];
  for (const { label, trials, chosen, seeds, parameters, epochs } of trained) {
    assert.deepEqual(
      trials.map(({ trial }) => trial),
      [
        { learningRate: 0.003, dropout: 0.3 },
        { learningRate: 0.001, dropout: 0.1 },
      ],
    );
    const scores = trials.map(({ score }) => score as number);
    assert.deepEqual(chosen, trials[scores.indexOf(Math.max(...scores))]?.trial);
    assert.ok((parameters as number) > 1000 && epochs === 2);
    for (const { seed, run, look, weights } of seeds) {
      assert.equal(run, `runs/${label}/seed-${seed}`);
      const { training, config, testLooks } = JSON.parse(
        await readFile(join(whole, run, 'run.json'), 'utf8'),
      ) as RunManifest;
      assert.deepEqual(
        [training.seed, training.learningRate, training.epochs, training.patience],
        [seed, chosen?.['learningRate'], 2, 5],
      );
      assert.equal(config.dropout, chosen?.['dropout']);
      assert.equal(config.window.feed, 5);
      assert.equal(config.negativeSampling, 'popular');
      assert.deepEqual([look, testLooks.length, testLooks[0]?.version], [1, 1, weights], 'one look');
    }
  }
  const validation = trained.map(({ seeds }) => (seeds[0]!.validation.mrr + seeds[1]!.validation.mrr) / 2);
  const finalist = validation.indexOf(Math.max(...validation));
  assert.deepEqual(
    trained.map(({ seeds }) => seeds.length),
    [0, 1].map((position) => (position === finalist ? 3 : 2)),
  );

  assert.deepEqual((await readdir(join(whole, 'tuning', 'gru4rec'))).toSorted(), ['1.json', '2.json']);
  assert.deepEqual((await readdir(whole)).toSorted(), [
    'compare.json',
    'results.json',
    'runs',
    'table.md',
    'test',
    'tuning',
  ]);
});

test('means, the best and the runner-up follow from the runs', async () => {
  const { rows, tests, referenceTests } = await resultsOf(whole);
  assert.equal(tests.length, 2 * METRICS.length);
  for (const protocol of ['sampled', 'full'] as const) {
    for (const metric of METRICS) {
      const means = rows.map(({ seeds, test }) => {
        const { mean, degreesOfFreedom, halfWidth } = test![protocol][metric];
        if (seeds.length === 0) return mean;
        const own = seeds.map((seed) => seed.test[protocol][metric]);
        assert.ok(Math.abs(mean - own.reduce((sum, value) => sum + value, 0) / own.length) < 1e-12);
        assert.equal(degreesOfFreedom, seeds.length - 1);
        assert.ok(halfWidth >= 0);
        return mean;
      });
      const found = tests.find((one) => one.protocol === protocol && one.metric === metric)!;
      const [best, second] = [...means].sort((one, other) => other - one) as [number, number];
      const meanOf = (label: string): number => means[rows.findIndex((one) => one.label === label)] as number;
      assert.deepEqual([meanOf(found.best), meanOf(found.runnerUp)], [best, second]);
      assert.ok(Math.abs(found.difference.mean - (best - second)) < 1e-12);
      assert.equal(found.t.degreesOfFreedom, 23);
      assert.ok(found.t.holm >= found.t.p && found.bootstrap.holm >= found.bootstrap.p);
    }
    const chief = rows.map(({ label, test }) => ({ label, mean: test![protocol]['ndcg@10'].mean }));
    const [best, ...others] = chief.toSorted((one, other) => other.mean - one.mean);
    const found = referenceTests.filter((one) => one.protocol === protocol);
    assert.deepEqual(
      found.map(({ reference, other }) => [reference, other]),
      others.map(({ label }) => [best?.label, label]),
      'every other row against the best',
    );
    for (const [i, { difference }] of found.entries())
      assert.ok(Math.abs(difference.mean - (best!.mean - others[i]!.mean)) < 1e-12);
  }
});

test('rows of reference are named when one likes: nothing is trained or tested again, and the command says it', async () => {
  const out = join(folder, 'referred');
  await cp(whole, out, { recursive: true });
  const { code, err, out: text } = await inProcess(...compareIn(out, '--reference', 'popularity,blind'));
  assert.equal(code, 0, err);
  assert.deepEqual([announced({ code, err, out: text }), err.includes('testing')], [[], false]);
  const results = await resultsOf(out);
  assert.deepEqual(results.rows, (await resultsOf(whole)).rows);
  assert.match(results.plan.command, / --reference popularity,blind( |$)/);
  for (const protocol of ['sampled', 'full'])
    assert.deepEqual(
      results.referenceTests
        .filter((one) => one.protocol === protocol)
        .map(({ reference, other }) => [reference, other].toSorted().join(' and '))
        .toSorted(),
      ['blind and gru4rec', 'blind and popularity', 'gru4rec and popularity'],
      'each pair once',
    );
  assert.match(text, /^## Every row against those of reference$/m);
  assert.match(text, /^\| sampled +\| .* \| (better|worse|not told apart) +\| GRU4Rec /m);
  const kept = await inProcess(...compareIn(out, '--json'));
  assert.deepEqual((JSON.parse(kept.out) as ComparisonResults).referenceTests, results.referenceTests);
  assertRefusal(
    await inProcess(...compareIn(out, '--reference', 'blind,sasrec')),
    1,
    /--reference blind,sasrec: no row is called sasrec; there are gru4rec, blind, popularity/,
  );
});

test('the table is printed, has a line per model and per test, and marks the best and the second', async () => {
  const text = await readFile(join(whole, 'table.md'), 'utf8');
  assert.equal(printed.out, text);
  const { rows, tests } = await resultsOf(whole);
  assert.match(
    text,
    /^ {4}sesrec compare \S+ --out \S+ --models popularity,gru4rec,blind=sesrec .*'window=\{"feed":5/m,
  );
  assert.match(
    text,
    /^Every model: the best of at most 2 settings on validation \(1 epoch each, one seed\), then 2 seeds/m,
  );
  const [, sampled = '', full = ''] = text.split(/^## Among .*$/m);
  assert.match(sampled, /24 users \(\w{12}\), test, leave-one-out; candidates: 99 items per user, .* \(\w{12}\)\./);
  assert.match(full, /24 users .* all items of the catalogue, seen ones removed\./);
  const shown = (value: number): string => value.toFixed(4).replace(/^0/, '');
  for (const [section, protocol] of [
    [sampled, 'sampled'],
    [full, 'full'],
  ] as const) {
    const cells = (name: string): string[] =>
      (section.split('\n').find((line) => line.startsWith(`| ${name} `)) ?? '').split('|').map((cell) => cell.trim());
    assert.deepEqual(cells('').slice(2, 9), ['sees', ...METRICS.map((metric) => metric.toUpperCase())]);
    for (const { name, label, test, sees, seeds } of rows) {
      const line = cells(name);
      assert.equal(line[2], sees.join(', '));
      METRICS.forEach((metric, i) => {
        const { best, runnerUp } = tests.find((one) => one.protocol === protocol && one.metric === metric)!;
        const { mean, halfWidth } = test![protocol][metric];
        const mark = label === best ? '**' : label === runnerUp ? '_' : '';
        const interval = halfWidth === null ? '' : ` ±${shown(halfWidth)}`;
        assert.equal(line[3 + i]?.replace('†', ''), `${mark}${shown(mean)}${mark}${interval}`);
      });
      assert.equal(line[9], seeds.length === 0 ? '–' : `${seeds.length} (${seeds.length - 1})`);
    }
    assert.equal(cells('chance')[3], protocol === 'sampled' ? '.0100' : '.0091');
  }
  assert.equal(
    text.match(/^\| (sampled|full) /gm)?.length,
    12 + 4,
    'best against runner-up, and the best against two others',
  );
  assert.equal(text.match(/learningRate 0\.00[13], dropout 0\.[13] \| +(\*\*)?\.\d{4}/g)?.length, 4);
  assert.doesNotMatch(text, /^## (Failed|Among all items, for all users)$/m);
});

test('on the page of a server it is what its results say: rows, tests against the runner-up, and curves of all runs', async () => {
  const experiments = experimentsIn(folder);
  const answer = await experiments.one('whole');
  const results = await resultsOf(whole);
  assert.deepEqual([answer?.kind, answer?.state, answer?.models], ['comparison', 'finished', ['gru4rec', 'blind', 'popularity']]); // prettier-ignore
  const { comparison, curves } = answer ?? {};
  assert.deepEqual(
    [comparison?.users, comparison?.items, comparison?.candidates, comparison?.missing],
    [results.data.users, results.data.items, results.plan.candidates.count, []],
  );
  for (const told of comparison?.rows ?? []) {
    const { test: tested, seeds, parameters, sees } = row(results, told.label);
    assert.deepEqual([told.seeds, told.parameters, told.sees], [seeds.length, parameters, sees]);
    for (const protocol of ['sampled', 'full'] as const)
      for (const metric of METRICS) {
        const { mean, halfWidth } = tested?.[protocol][metric] ?? {};
        assert.equal(told.test?.[protocol][metric]?.mean, mean);
        assert.equal(told.test?.[protocol][metric]?.half_width ?? null, Number.isFinite(halfWidth) ? halfWidth : null);
      }
    const validation = seeds.map((seed) => seed.validation.mrr);
    const mean = validation.reduce((sum, value) => sum + value, 0) / validation.length;
    assert.equal(told.validation['mrr'], validation.length === 0 ? null : mean);
  }
  assert.equal(comparison?.rows.length, results.rows.length);
  assert.deepEqual(
    comparison?.tests.map(({ protocol, metric, best, runner_up, p }) => [protocol, metric, best, runner_up, p]),
    results.tests.map(({ protocol, metric, best, runnerUp, t }) => [protocol, metric, best, runnerUp, t.holm]),
  );
  const lengths = new Map((curves ?? []).map(({ label, seed, epochs }) => [`${label} ${seed}`, epochs.length]));
  const runs = results.rows.flatMap(({ label, seeds }) => seeds.map(({ seed, epochs }) => [`${label} ${seed}`, epochs] as const)); // prettier-ignore
  assert.deepEqual(lengths, new Map(runs));
  assert.deepEqual(await experiments.progress('whole'), { state: 'finished', curves });
  assert.ok(!JSON.stringify({ ...answer, command: '' }).includes(folder), 'no path but those of its own command');
});

test('a run of the comparison is an ordinary run: evaluate shows the same, reproduce and audit work on it', async () => {
  const { seeds } = row(await resultsOf(whole), 'gru4rec');
  const [first] = seeds;
  const run = join(whole, first!.run);
  const { code, out } = await inProcess(
    'evaluate',
    run,
    '--on',
    'test',
    '--protocol',
    'both',
    '--threads',
    '1',
    '--json',
  );
  assert.equal(code, 0, 'seen already, so no other look');
  const shown = JSON.parse(out) as { look: number; protocols: Record<'sampled' | 'full', { metrics: unknown }> };
  assert.deepEqual(
    [shown.look, shown.protocols.sampled.metrics, shown.protocols.full.metrics],
    [1, first!.test.sampled, first!.test.full],
  );
  assert.equal((await inProcess('audit', run)).code, 0);
  const [tested] = (await readdir(join(run, 'results'))).filter((name) => name.startsWith('evaluation-test-sampled'));
  const again = await inProcess('reproduce', join(run, 'results', tested!), '--threads', '1');
  assert.match(again.out, /reproduced$/m, again.err);
});

test('done, the same command repeats nothing and says the same, without most of its options too', async () => {
  const before = await readFile(join(whole, 'results.json'), 'utf8');
  const { code, out, err } = await inProcess(...compareIn(whole, '--json'));
  assert.equal(code, 0, err);
  assert.deepEqual(JSON.parse(out), JSON.parse(before));
  assert.equal(await readFile(join(whole, 'results.json'), 'utf8'), before);
  assert.deepEqual([announced({ code, out, err }), err.includes('testing')], [[], false]);
});

test('killed in a training and in a test, and gone on with, it comes to the same results, and repeats nothing that was done', async () => {
  const out = join(folder, 'killed');
  const disturb = async (line: RegExp, milliseconds: number): Promise<Outcome> => {
    const { child, outcome } = start(compareIn(out, ...OPTIONS, '--save-every', '0'));
    let text = '';
    await new Promise<void>((resolve) => {
      child.stderr?.on('data', (chunk: string) => line.test((text += chunk)) && resolve());
      child.on('close', () => resolve());
    });
    await delay(milliseconds);
    child.kill('SIGKILL');
    return outcome;
  };
  const first = await disturb(/^\[2 of 9\]/m, random.integer(300));
  const second = await disturb(/^\[6 of 9\] .*\n.*parameters;/m, random.integer(300));
  const third = await disturb(/^testing gru4rec, seed 2/m, random.integer(300));
  assert.deepEqual([first.code, second.code, third.code], [null, null, null], 'all three were killed');
  const last = await sesrec(...compareIn(out, '--threads', '1'));
  assert.equal(last.code, 0, last.err);
  assert.deepEqual(timeless(await resultsOf(out)), timeless(await resultsOf(whole)));

  const all = [first, second, third, last].flatMap(announced).map((line) => line.replace(/;.*|^\[\d+ /g, ''));
  const repeated = all.filter((line, position) => all.indexOf(line) !== position);
  assert.equal(new Set(all).size, TRAININGS);
  assert.ok(repeated.length <= 2, 'at most those that a kill struck');
  assert.deepEqual(announced(last), [], 'all training was done');
  for (const { look } of row(await resultsOf(out), 'gru4rec').seeds) assert.equal(look, 1);
});

test('Ctrl-C: exit code 130, one line that says how to go on, and going on comes to the same results', async () => {
  const out = join(folder, 'interrupted');
  const { child, outcome } = start(compareIn(out, ...OPTIONS));
  child.stderr?.on('data', (text: string) => text.includes('[3 of 9]') && child.kill('SIGINT'));
  const { code, err, out: answer } = await outcome;
  assert.equal(code, 130, err);
  assert.equal(answer, '');
  assert.deepEqual(
    err.split('\n').filter((line) => line.startsWith('sesrec: ')),
    ['sesrec: stopped with 2 of 9 trainings done; the same command goes on'],
  );
  assert.ok(!existsSync(join(out, 'lock')));
  const results = await sesrecJson<ComparisonResults>(...compareIn(out, ...OPTIONS));
  assert.deepEqual(timeless(results), timeless(await resultsOf(whole)));
});

test('several trainings at once come to the same results, may be stopped like one, and say what they are about', async () => {
  const out = join(folder, 'at-once');
  const { child, outcome } = start(compareIn(out, ...OPTIONS, '--jobs', '3', '--save-every', '0'));
  child.stderr?.on('data', (text: string) => text.includes('[3 of 9]') && child.kill('SIGINT'));
  const stopped = await outcome;
  assert.equal(stopped.code, 130, stopped.err);
  assert.match(stopped.err, /^sesrec: stopped with \d of 9 trainings done; the same command goes on$/m);
  assert.match(
    stopped.err,
    /^\[[1-3] of 9\] gru4rec, trial 2 of 2: /m,
    'numbered as they begin, and three begin at once',
  );
  assert.match(stopped.err, /^gru4rec, trial 2 of 2: .* parameters;/m);
  const last = await sesrec(...compareIn(out, ...OPTIONS, '--jobs', '2'));
  assert.equal(last.code, 0, last.err);
  assert.match(last.err, /^(gru4rec|blind), seed \d of [23]: epoch 2 {2}loss/m);
  assert.deepEqual(timeless(await resultsOf(out)), timeless(await resultsOf(whole)));
});

test('trainings at once share the threads; a training alone and the test have all of them', async () => {
  for (const [jobs, shared] of [
    ['1', null],
    ['2', Math.ceil(availableParallelism() / 2)],
  ] as const) {
    const out = join(folder, `threads-${jobs}`);
    const options = '--models gru4rec --trials 0 --seeds 2 --epochs 1 --batch-size 64'.split(' ');
    assert.equal((await inProcess(...compareIn(out, ...options, '--jobs', jobs))).code, 0);
    const results = join(out, 'runs', 'gru4rec', 'seed-2', 'results');
    for (const name of await readdir(results)) {
      const { kind, environment } = JSON.parse(await readFile(join(results, name), 'utf8')) as {
        kind: string;
        environment: { threads: number | null };
      };
      assert.equal(environment.threads, kind === 'training' ? shared : null, name);
    }
    assert.equal((await readdir(results)).length, 3);
  }
});

test('seeds may be added: those that there were are as they were', async () => {
  const out = join(folder, 'more seeds');
  const options = '--models gru4rec --trials 1 --epochs 1'.split(' ');
  assert.equal((await inProcess(...compareIn(out, ...options, '--seeds', '1'))).code, 0);
  const before = row(await resultsOf(out), 'gru4rec');
  const more = await inProcess(...compareIn(out, '--seeds', '2'));
  assert.equal(more.code, 0, more.err);
  assert.equal(announced(more).length, 1);
  assert.match(announced(more)[0] as string, /^\[2 of 2\] gru4rec, seed 2 of 2: learningRate 0\.003, dropout 0\.3/);
  const { seeds } = row(await resultsOf(out), 'gru4rec');
  assert.deepEqual(seeds.slice(0, 1), before.seeds);
  assert.deepEqual(
    seeds.map(({ seed, look }) => [seed, look]),
    [
      [1, 1],
      [2, 1],
    ],
  );
});

test('rows may be added: what was done is not counted as still to come', async () => {
  const out = join(folder, 'more rows');
  const options = '--models gru4rec --trials 0 --epochs 1 --seeds 3'.split(' ');
  assert.equal((await inProcess(...compareIn(out, ...options, ...TINY))).code, 0);
  const more = await inProcess(...compareIn(out, '--models', 'stamp,gru4rec'));
  assert.equal(more.code, 0, more.err);
  assert.deepEqual(
    announced(more).map((line) => line.replace(/; about .*/, '')),
    [1, 2, 3].map((seed) => `[${3 + seed} of 6] stamp, seed ${seed} of 3`),
  );
});

test('a row may have seeds of its own, more later, never fewer, and no finalists beside it', async () => {
  const out = join(folder, 'own seeds');
  const models = '--models gru4rec,other=gru4rec --trials 0 --epochs 1 --seeds 1'.split(' ');
  const made = await inProcess(...compareIn(out, ...models, '--set', 'other.seeds=2', ...TINY));
  assert.equal(made.code, 0, made.err);
  assert.deepEqual(
    announced(made).map((line) => line.replace(/;.*/, '')),
    ['[1 of 3] gru4rec, seed 1 of 1', '[2 of 3] other, seed 1 of 2', '[3 of 3] other, seed 2 of 2'],
  );
  const seedsOf = async (label: string): Promise<number> => row(await resultsOf(out), label).seeds.length;
  assert.deepEqual([await seedsOf('gru4rec'), await seedsOf('other')], [1, 2]);
  assert.match(
    await readFile(join(out, 'table.md'), 'utf8'),
    /^Every model: its usual settings, or those that it is given, untuned, then 1 seed of up to 1 epoch.* Of single rows: `other\.seeds=2`\./m,
  );
  const more = await inProcess(...compareIn(out, ...models, '--set', 'other.seeds=3'));
  assert.equal(more.code, 0, more.err);
  assert.equal(announced(more).length, 1);
  assert.deepEqual([await seedsOf('gru4rec'), await seedsOf('other')], [1, 3]);
  const again = await inProcess(...compareIn(out));
  assert.deepEqual([again.code, announced(again), await seedsOf('other')], [0, [], 3], 'what was said last is kept');
  assertRefusal(
    await inProcess(...compareIn(out, ...models, '--set', 'other.seeds=1')),
    1,
    /begun with 3 seeds of other, not 1: there may be more, not fewer/,
  );
  assertRefusal(
    await inProcess(...compareIn(join(folder, 'mixed'), ...models, '--set', 'other.seeds=2', '--finalists', '1')),
    1,
    /--finalists 1: other has seeds of its own/,
  );
  assert.ok(!existsSync(join(folder, 'mixed')));
});

/** A JSON file with something of it changed. */
async function change(path: string, by: (content: never) => unknown): Promise<void> {
  await writeFile(path, JSON.stringify(by(JSON.parse(await readFile(path, 'utf8')) as never)));
}

test('the seeds of a row are of one setting: where another trial is the best by now, it is said, and nothing is mixed', async () => {
  const out = join(folder, 'other trial');
  await cp(whole, out, { recursive: true });
  const { trials, chosen } = row(await resultsOf(out), 'gru4rec');
  const left = trials.findIndex(({ trial }) => JSON.stringify(trial) !== JSON.stringify(chosen));
  await change(join(out, 'tuning', 'gru4rec', `${left + 1}.json`), (ended: { best: object }) => ({
    ...ended,
    best: { ...ended.best, score: 0.99 },
  }));
  const before = await readFile(join(out, 'results.json'), 'utf8');
  assertRefusal(
    await inProcess(...compareIn(out)),
    1,
    /runs\/gru4rec\/seed-1\.json is of learningRate 0\.00\d, dropout 0\.\d, and the best trial is now learningRate .*: delete .+runs\/gru4rec to have the row trained anew, so that its seeds are alike/,
  );
  assert.equal(await readFile(join(out, 'results.json'), 'utf8'), before);
  await rm(join(out, 'runs', 'gru4rec'), { recursive: true });
  const anew = await inProcess(...compareIn(out));
  assert.equal(anew.code, 0, anew.err);
  const after = row(await resultsOf(out), 'gru4rec');
  assert.deepEqual(after.chosen, trials[left]?.trial);
  assert.equal(anew.err.match(/^testing gru4rec, seed \d$/gm)?.length, after.seeds.length, 'what was tested is gone');
});

test('a row that is no finalist any more keeps the seeds that were tested, and all that looks at tests agrees', async () => {
  const out = join(folder, 'other finalist');
  await cp(whole, out, { recursive: true });
  const before = await resultsOf(out);
  const [finalist, other] = row(before, 'blind').seeds.length === 3 ? ['blind', 'gru4rec'] : ['gru4rec', 'blind'];
  for (const seed of [1, 2])
    await change(join(out, 'runs', other, `seed-${seed}.json`), (ended: { best: object }) => ({
      ...ended,
      best: { ...ended.best, score: 0.99 },
    }));
  const made = await inProcess(...compareIn(out));
  assert.equal(made.code, 0, made.err);
  assert.deepEqual(announced(made).length, 1, 'the seed that the new finalist has more');
  const after = await resultsOf(out);
  assert.deepEqual(row(after, finalist).seeds, row(before, finalist).seeds);
  assert.deepEqual([row(after, finalist).seeds.length, row(after, other).seeds.length], [3, 3]);
  const told = await inProcess('report', out, '--out', join(folder, 'finalists.html'), '--no-person');
  assert.doesNotMatch(told.err, /not there any more/, 'slices are of the same tests');
  assert.match(await readFile(join(folder, 'finalists.html'), 'utf8'), /id="slices"/);
});

test('a look from outside is no dead end: it is counted, and told', async () => {
  const out = join(folder, 'seen before');
  await cp(whole, out, { recursive: true });
  const seen = join(out, 'runs', 'gru4rec', 'seed-1');
  await rm(join(out, 'test', 'gru4rec', 'seed-1.json.gz'));
  await change(join(seen, 'run.json'), (manifest: RunManifest) => ({
    ...manifest,
    testLooks: manifest.testLooks.map((look) => ({
      ...look,
      figures: [{ protocol: 'full', candidates: null, sample: { users: 5, seed: 9 }, result: null }],
    })),
  }));
  const { code, err } = await inProcess(...compareIn(out));
  assert.equal(code, 0, err);
  assert.match(err, /^gru4rec, seed 1: its test was looked at before, outside of this comparison; this is look 2$/m);
  const { seeds } = row(await resultsOf(out), 'gru4rec');
  assert.deepEqual(seeds.map(({ look }) => look).slice(0, 2), [2, 1]);
  assert.deepEqual(seeds[0]?.test, row(await resultsOf(whole), 'gru4rec').seeds[0]?.test);
  await inProcess('report', out, '--out', join(folder, 'seen.html'), '--no-person');
  assert.match(
    await readFile(join(folder, 'seen.html'), 'utf8'),
    /Looked at before, outside of it: runs\/gru4rec\/seed-1 \(look 2\)\./,
  );
});

test('a comparison of before there was --validation-protocol is gone on with as if it had been said', async () => {
  const [plan, results] = [join(whole, 'compare.json'), join(whole, 'results.json')];
  const [before, found] = [await readFile(plan, 'utf8'), await readFile(results, 'utf8')];
  const older = JSON.parse(before) as { options: { validationProtocol?: string } };
  delete older.options.validationProtocol;
  await writeFile(plan, JSON.stringify(older));
  try {
    const { code, out, err } = await inProcess(...compareIn(whole, '--validation-protocol', 'sampled'));
    assert.equal(code, 0, err);
    assert.deepEqual(announced({ code, out, err }), []);
    assertRefusal(
      await inProcess(...compareIn(whole, '--validation-protocol', 'full')),
      1,
      /begun with --validation-protocol sampled, not full/,
    );
  } finally {
    await writeFile(plan, before);
    await writeFile(results, found);
  }
});

test('what disagrees with what was begun is refused in a line, and changes nothing', async () => {
  const plan = await readFile(join(whole, 'compare.json'), 'utf8');
  const refused = async (message: RegExp, ...more: string[]): Promise<void> =>
    assertRefusal(await inProcess(...compareIn(whole, ...more)), 1, message);
  await refused(
    /whole was begun with --seeds 2, not 1: go on as it was begun, or choose another --out/,
    '--seeds',
    '1',
  );
  await refused(/begun with --shape amazon, not kuaishou/, '--shape', 'kuaishou');
  await refused(/begun with --validation-users left out, not 9/, '--validation-users', '9');
  await refused(/begun with --negative-sampling popular, not uniform/, '--negative-sampling', 'uniform');
  await refused(
    /begun with gru4rec, which --models leaves out/,
    '--models',
    'popularity,blind=sesrec',
    ...OPTIONS.slice(12, 18),
  );
  await refused(/begun with other settings of gru4rec: go on as it was begun/, '--set', 'blind.useSearch=true');
  await refused(
    /begun with other settings of blind/,
    '--models',
    'popularity,gru4rec,blind=sesrec:paper',
    '--set',
    'blind.useSearch=false',
    '--set',
    'blind.hidden=[16,1]',
    '--set',
    'window={"feed":5,"search":5}',
  );
  assert.equal(await readFile(join(whole, 'compare.json'), 'utf8'), plan);

  const other = join(folder, 'other');
  await writePlantedLog({ users: 24, items: 120, categories: 6, eventsPerUser: 8, seed: 4 }, `${other}.jsonl`);
  assert.equal((await inProcess('import', 'events', `${other}.jsonl`, '--out', other)).code, 0);
  assertRefusal(await inProcess('compare', other, '--out', whole), 1, /whole compares on other data than .*other/);
  assertRefusal(await inProcess(...compareIn(world.data)), 1, /data already exists and is not a comparison/);
  await writeFile(join(whole, 'lock'), JSON.stringify({ pid: 1, host: 'elsewhere' }));
  await refused(/process 1 on elsewhere is working on this comparison/);
  await rm(join(whole, 'lock'));
});

test('what makes no comparison is refused before anything is written', async () => {
  const refused = async (message: RegExp, ...more: string[]): Promise<void> => {
    const out = join(folder, 'never');
    assertRefusal(await inProcess(...compareIn(out, ...more)), 1, message);
    assert.ok(!existsSync(out));
  };
  await refused(/there is no model "bert"; there are .*gru4rec.*popularity/, '--models', 'gru4rec,bert');
  await refused(/sesrec has official, paper/, '--models', 'sesrec:best');
  await refused(/gru4rec is another model; call the row by another name/, '--models', 'gru4rec=sesrec');
  await refused(/called by letters, digits and hyphens, not "a b"/, '--models', 'a b=sesrec');
  await refused(/two rows are called x/, '--models', 'x=sesrec,x=gru4rec');
  await refused(/popularity is counted and has no presets/, '--models', 'popularity:paper');
  await refused(/--models names no model/, '--models', ',');
  await refused(/no row is called x/, '--models', 'gru4rec', '--set', 'x.window=1');
  await refused(/popularity has no settings/, '--models', 'popularity', '--set', 'popularity.window=1');
  await refused(/^sesrec: gru4rec: .*there is no such setting; there are/, '--models', 'gru4rec', '--set', 'alpha=1');
  await refused(/^sesrec: gru4rec: .*dropout must be/, '--models', 'gru4rec', '--set', 'dropout=2');
});

test('a row may see and be trained in its own way, which is said of it and of no other', async () => {
  const out = join(folder, 'own');
  const own = [
    'itemAttributes=category',
    'batchSize=32',
    'learningRate=0.002',
    'epochs=1',
    'optimizer=lazyAdam',
    'weightDecay=0',
    'validationProtocol=full',
  ];
  const set = own.flatMap((setting) => ['--set', `other.${setting}`]);
  const models = '--models gru4rec,other=gru4rec --trials 0 --seeds 1 --epochs 2 --patience 2'.split(' ');
  const made = await inProcess(...compareIn(out, ...models, ...set, ...TINY));
  assert.equal(made.code, 0, made.err);
  const trainingOf = async (label: string): Promise<unknown> => {
    const { training } = await readRunManifest(join(out, 'runs', label, 'seed-1'));
    const { batchSize, learningRate, optimizer, weightDecay, epochs, validationProtocol = 'sampled' } = training;
    return { batchSize, learningRate, optimizer, weightDecay, epochs, validationProtocol };
  };
  const usual = {
    batchSize: 64,
    learningRate: 0.001,
    optimizer: 'adam',
    weightDecay: 1e-5,
    epochs: 2,
    validationProtocol: 'sampled',
  };
  assert.deepEqual(await trainingOf('gru4rec'), usual);
  assert.deepEqual(await trainingOf('other'), {
    batchSize: 32,
    learningRate: 0.002,
    optimizer: 'lazyAdam',
    weightDecay: 0,
    epochs: 1,
    validationProtocol: 'full',
  });
  const { rows } = await resultsOf(out);
  assert.deepEqual(
    rows.map(({ label, sees }) => [label, sees]),
    [
      ['gru4rec', ['item ids', 'order']],
      ['other', ['item ids', 'category', 'order']],
    ],
  );
  assert.match(
    made.out,
    / Of single rows: `other\.itemAttributes=category`, `other\.batchSize=32`, `other\.learningRate=0\.002`, /,
  );

  const refused = async (message: RegExp, ...more: string[]): Promise<void> =>
    assertRefusal(await inProcess(...compareIn(join(folder, 'never'), '--models', 'gru4rec', ...more)), 1, message);
  await refused(
    /--set batchSize=9: write --batch-size for all rows, or --set LABEL\.batchSize=9/,
    '--set',
    'batchSize=9',
  );
  await refused(/gru4rec: --set batchSize=0: batchSize must be a whole number from 1/, '--set', 'gru4rec.batchSize=0');
  await refused(/gru4rec: --set optimizer=x: optimizer must be/, '--set', 'gru4rec.optimizer=x');
  await refused(
    /--finalists 1: rows with another validationProtocol than others cannot be compared on validation/,
    ...'--models gru4rec,stamp --finalists 1 --set gru4rec.validationProtocol=full'.split(' '),
  );
  await refused(/gru4rec: --item-attributes x: the data set has no such/, '--set', 'gru4rec.itemAttributes=x');
});

test('a model may join later: what was done stays', async () => {
  const out = join(folder, 'joined');
  await cp(whole, out, { recursive: true });
  const models = ['--models', 'popularity,gru4rec,blind=sesrec,item-to-item,last=gru4rec'];
  const same = OPTIONS.filter((_, i) => OPTIONS[i] === '--set' || OPTIONS[i - 1] === '--set');
  const joined = await inProcess(...compareIn(out, ...models, ...same, '--set', 'last.layers=2', '--threads', '1'));
  assert.equal(joined.code, 0, joined.err);
  assert.match(joined.err, /^new in the comparison: last, item-to-item$/m);
  assert.ok(announced(joined).every((line) => / (last|blind|gru4rec), /.test(line)));
  assert.equal(announced(joined).filter((line) => line.includes(' last, trial ')).length, 2);
  const [before, now] = [await resultsOf(whole), await resultsOf(out)];
  assert.deepEqual(
    now.rows.map(({ label }) => label),
    ['gru4rec', 'last', 'blind', 'popularity', 'item-to-item'],
  );
  assert.deepEqual(row(now, 'popularity'), row(before, 'popularity'));
  assert.deepEqual(row(now, 'gru4rec').seeds.slice(0, 2), row(before, 'gru4rec').seeds.slice(0, 2));
  const words = now.plan.command.split(' ');
  for (const [i, option] of OPTIONS.entries())
    if (option.startsWith('--') && !['--models', '--set', '--threads'].includes(option))
      assert.equal(
        words[words.indexOf(option) + 1],
        OPTIONS[i + 1],
        `${option} was said before, and the command has it`,
      );
  assert.match(
    now.plan.command,
    / --models popularity,gru4rec,blind=sesrec,item-to-item,last=gru4rec .*--set last\.layers=2/,
  );
});

test('a training that fails is recorded with its line, and the others go on', async () => {
  const out = join(folder, 'failing');
  const models = '--models popularity,bad=sesrec,gru4rec --set bad.alpha=1e39 --trials 2 --tuning-epochs 1 --seeds 1';
  const { code, err, out: text } = await inProcess(...compareIn(out, ...models.split(' '), '--epochs', '1', ...TINY));
  assert.equal(code, 0, err);
  assert.match(err, /^failed: bad, trial 1 of 2: .* became .* in epoch 1, step 1/m);
  const { rows } = await resultsOf(out);
  const bad = rows.find(({ label }) => label === 'bad');
  assert.deepEqual([bad?.chosen, bad?.test, bad?.seeds], [null, null, []]);
  assert.ok(bad?.trials.every(({ score, failed }) => score === null && /became/.test(failed ?? '')));
  assert.equal(rows.find(({ label }) => label === 'gru4rec')?.seeds.length, 1);
  assert.match(text, /^## Failed\n\n- SESRec, bad, all 2 trials failed$/m);
  assert.match(text, /^\| SESRec, bad +\| .* +– \| +– \|/m);
  assert.match(text, /dropout 0\.1 \| +failed \|$/m);

  const again = await inProcess(...compareIn(out));
  assert.deepEqual([again.code, again.out, announced(again)], [0, text, []], 'it is not tried again');
});

test('where a model takes too long to rank for all users, the table is of a sample, and the quick ones have another', async () => {
  const out = join(folder, 'sample');
  const options = '--models popularity --full-users 10 --full-minutes 1 --trials 0 --seeds 1 --epochs 1'.split(' ');
  const alone = await inProcess(...compareIn(out, ...options, ...TINY));
  assert.equal(alone.code, 0, alone.err);
  assert.match(alone.err, /^popularity: ranking all items for all 24 users may take 0 s$/m);
  const before = await resultsOf(out);
  assert.deepEqual([before.protocols?.full.users, row(before, 'popularity').fullForAll], [24, null]);

  await mkdir(join(out, 'test', 'gru4rec'));
  await writeFile(join(out, 'test', 'gru4rec', 'full-ranking.json'), '{"secondsPerUser":99,"users":10}');
  const {
    code,
    out: text,
    err,
  } = await inProcess(...compareIn(out, '--models', 'popularity,gru4rec', '--threads', '1'));
  assert.equal(code, 0, err);
  const now = await resultsOf(out);
  assert.deepEqual([now.protocols?.full.users, now.protocols?.sampled.users], [10, 24]);
  const dataset = await loadDataset(world.data);
  const some = await evaluate(popularityRanker(dataset), dataset, { on: 'test', protocol: 'full', users: 10, seed: 1 });
  for (const metric of METRICS) {
    const { test, fullForAll } = row(now, 'popularity');
    assert.ok(Math.abs(test!.full[metric].mean - some.metrics[metric]) < 1e-12, metric);
    assert.equal(fullForAll![metric].mean, row(before, 'popularity').test!.full[metric].mean);
  }
  assert.equal(row(now, 'gru4rec').fullForAll, null);
  assert.equal(now.tests.find(({ protocol }) => protocol === 'full')?.t.degreesOfFreedom, 9);
  assert.match(text, /^10 users \(a seeded sample\) \(\w{12}\), test/m);
  assert.match(text, /^## Among all items, for all users$/m);
});

test('lists from a file serve validation and test, and are kept', async () => {
  const { candidates: drawn } = JSON.parse(await readFile(join(whole, 'compare.json'), 'utf8')) as {
    candidates: { hash: string };
  };
  const out = join(folder, 'given lists');
  const dataset = await loadDataset(world.data);
  const lists = drawCandidates(dataset, { count: 9, seed: 5 });
  const file = join(folder, 'lists.jsonl.gz');
  await saveCandidates(file, lists, dataset);
  const options = '--models popularity,gru4rec --trials 0 --seeds 1 --epochs 1'.split(' ');
  const first = await inProcess(...compareIn(out, ...options, '--candidates', file, ...TINY));
  assert.equal(first.code, 0, first.err);
  await rm(file);
  const { protocols } = await resultsOf(out);
  assert.deepEqual(
    [protocols?.sampled.protocol.hash, protocols?.sampled.protocol.count],
    [hashCandidates(lists, dataset), 9],
  );
  assert.notEqual(protocols?.sampled.protocol.hash, drawn.hash);
  const run = join(out, 'runs', 'gru4rec', 'seed-1');
  const { validationCandidates } = JSON.parse(await readFile(join(run, 'results', 'training.json'), 'utf8')) as {
    validationCandidates: { hash: string };
  };
  assert.equal(validationCandidates.hash, hashCandidates(lists, dataset));
  assert.equal((await inProcess(...compareIn(out))).code, 0, 'the file is not needed any more');
  const command = async (): Promise<string> => (await resultsOf(out)).plan.command;
  assert.ok((await command()).includes(` --candidates ${file} `), 'as it was begun');
  assert.equal((await inProcess(...compareIn(out, '--seeds', '2'))).code, 0);
  assert.ok((await command()).includes(` --candidates '${join(out, 'candidates.jsonl.gz')}'`), 'the kept ones');
});
