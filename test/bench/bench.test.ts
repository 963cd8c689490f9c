/** The benches as they are typed: names, options, the JSON document. Says nothing about speed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { FORMS, StepMaker, batchesOf, makeWorkload } from '../../bench/workload.js';

const bench = (...args: readonly string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL('../../bench/bench.js', import.meta.url)), ...args], {
    encoding: 'utf8',
  });

test('an unknown bench or option is one line and exit code 2', () => {
  for (const args of [
    ['nonsense'],
    ['step', '--nonsense'],
    ['step', '--threads', '0'],
    ['step', '--shape', 'x'],
    ['epoch'],
  ]) {
    const { status, stderr, stdout } = bench(...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, /^bench.*\n$/);
    assert.equal(stdout, '');
  }
});

test('bench step --json prints one JSON document with the time of a step', () => {
  const { stdout, stderr } = bench(
    'step',
    '--shape',
    'amazon',
    '--steps',
    '2',
    '--rounds',
    '1',
    '--threads',
    '1',
    '--json',
  );
  const { amazon } = JSON.parse(stdout) as { amazon: { ms: number; lines: readonly { form: string; ms: number }[] } };
  assert.ok(amazon.ms > 0, stderr);
  assert.deepEqual(
    amazon.lines.map(({ form }) => form),
    FORMS,
  );
});

test('the Amazon workload has the sizes and the padding of Beauty, and is the same each time', () => {
  const workload = makeWorkload('amazon');
  const { sizes } = workload.config('masked');
  assert.deepEqual(sizes, { items: 12_103, users: 22_365, queries: 252, words: 256, sources: 3 });
  assert.ok(Math.abs(workload.cases.length / 131_413 - 1) < 0.03, `${workload.cases.length} rows`);
  const batches = batchesOf(workload, 16);
  const maker = new StepMaker(workload, workload.config('masked'), batches);
  const { fullWindow, cut } = maker.paddedShares();
  assert.ok(Math.abs(fullWindow - 0.6) < 0.03, `${fullWindow} of positions are padding`);
  assert.ok(cut < 0.35);
  assert.equal(new StepMaker(workload, workload.config('official'), batches).paddedShares().cut, fullWindow);
  const again = makeWorkload('amazon');
  const same = new StepMaker(again, again.config('masked'), batchesOf(again, 16));
  assert.deepEqual(same.content(3), maker.content(3));
});

test('the Kuaishou workload has 43 million parameters and long-tailed histories', () => {
  const workload = makeWorkload('kuaishou');
  const { dataset } = workload;
  const { sizes, itemIdWidth, queryIdWidth, wordWidth, userIdWidth } = workload.config('masked');
  const tables =
    sizes.items * itemIdWidth + sizes.queries * queryIdWidth + sizes.words * wordWidth + sizes.users * userIdWidth;
  assert.ok(Math.abs(tables / 43.4e6 - 1) < 0.01, `${tables} parameters in tables`);
  const middle = (lengths: number[]): number => lengths.sort((a, b) => a - b)[lengths.length >> 1] as number;
  const between = (offsets: Int32Array): number[] =>
    Array.from(offsets.subarray(3), (end, i) => end - (offsets[i + 2] as number));
  assert.ok(Math.abs(middle(between(dataset.feedOffsets)) - 3 - 60) <= 2);
  assert.equal(middle(between(dataset.searchOffsets)), 8);
  const clicks = Array.from(dataset.clickOffsets.subarray(1), (end, i) => end - (dataset.clickOffsets[i] as number));
  const clicked = clicks.filter((count) => count > 0);
  assert.ok(Math.abs(clicked.length / clicks.length - 0.6) < 0.01);
  assert.ok(Math.abs(clicked.reduce((sum, count) => sum + count, 0) / clicked.length - 1.5) < 0.01);
});
