/** `sesrec train --workers`: a run like any other, whatever interrupts it, and the same bits again. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadRun } from '../../src/index.js';
import {
  QUICK,
  type TinyWorld,
  assertRefusal,
  inProcess,
  sesrec,
  sesrecJson,
  start,
  trainTiny,
  tinyWorld,
} from '../support/command-line.js';

let folder: string;
let world: TinyWorld;
let undisturbed: string;
const ROUNDS = ['--workers', '2', '--local-steps', '2', '--outer-learning-rate', '0.7', '--outer-momentum', '0.9'];
const trainTo = (out: string, ...more: string[]): string[] => [
  'train',
  world.data,
  '--out',
  join(folder, out),
  '--epochs',
  '2',
  ...QUICK,
  ...ROUNDS,
  '--batch-size',
  '32',
  ...more,
];
const versionOf = async (out: string): Promise<string> => (await loadRun(join(folder, out))).version;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-rounds-'));
  world = await tinyWorld(folder, 0);
  undisturbed = (await sesrecJson<{ version: string }>(...trainTo('whole'))).version;
});
after(async () => rm(folder, { recursive: true, force: true }));

test('the run says how it was trained, is evaluated and recommended from, and is reproduced to the last bit', async () => {
  const out = join(folder, 'whole');
  const { manifest } = await loadRun(out);
  assert.deepEqual(manifest.training.rounds, { workers: 2, localSteps: 2, outerLearningRate: 0.7, outerMomentum: 0.9 });
  const [line] = (await readFile(join(out, 'log.jsonl'), 'utf8')).split('\n');
  const { rounds } = JSON.parse(line as string) as { rounds: { count: number; moved: number } };
  assert.ok(rounds.count >= 2 && rounds.moved > 0);
  for (const args of [
    ['evaluate', out, '--json'],
    ['recommend', out, '--user', 'u1', '--json'],
  ])
    JSON.parse((await inProcess(...args)).out);
  const { code, err } = await sesrec('reproduce', join(out, 'results', 'training.json'));
  assert.equal(code, 0, err);
});

for (const signal of ['SIGINT', 'SIGKILL'] as const)
  test(`ended by ${signal} between rounds, it goes on to the same bits`, async () => {
    const { child, outcome } = start(trainTo(signal, '--save-every', '0'));
    const last = join(folder, signal, 'checkpoints', 'last.json');
    while (!existsSync(last) && child.exitCode === null) await delay(5);
    child.kill(signal);
    const { code, err } = await outcome;
    if (signal === 'SIGINT' && code !== 0)
      assert.match(err, /^sesrec: stopped in epoch \d+ after step \d+ of \d+; resume/m);
    const { version } = await sesrecJson<{ version: string }>(...trainTo(signal, '--resume'));
    assert.equal(version, undisturbed);
    assert.equal(await versionOf(signal), undisturbed);
  });

test('what makes no sense together is refused', async () => {
  await trainTiny(world, join(folder, 'plain'), 1);
  const refusals: [string[], number, RegExp][] = [
    [['train', world.data, '--out', join(folder, 'no'), '--local-steps', '3'], 2, /--local-steps is about rounds/],
    [
      ['train', world.data, '--out', join(folder, 'no'), '--engine', 'spark', '--master', 'local[1]'],
      2,
      /say how many --workers/,
    ],
    [trainTo('whole', '--resume', '--workers', '4'), 1, /was begun with --workers 2, not 4/],
    [
      ['train', world.data, '--out', join(folder, 'plain'), '--resume', '--local-steps', '7'],
      1,
      /with --local-steps none, not 7/,
    ],
    [['train', world.data, '--out', join(folder, 'plain'), '--resume', '--overwrite'], 2, /leave one out/],
    [['train', world.data, '--out', join(folder, 'plain'), '--resume', '--no-shuffle'], 1, /without --no-shuffle/],
    [trainTo('no', '--master', 'local[1]'), 2, /belong to --engine spark/],
  ];
  for (const [args, code, message] of refusals) assertRefusal(await inProcess(...args), code, message);
  assert.ok(!existsSync(join(folder, 'no')));
});

test('numbers that are none after a round are told with their epoch and step, and never saved', async () => {
  const { code, err } = await inProcess(
    ...trainTo('measureless', '--learning-rate', '10', '--outer-learning-rate', '1e38'),
  );
  assert.equal(code, 1, err);
  assert.match(
    err,
    /^sesrec: \S+ holds values that are not finite after the round of epoch 1 that began at step \d+: /m,
  );
});
