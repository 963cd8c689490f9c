/**
 * `sesrec train --engine spark` on a cluster of two executor processes: the bits of the same rounds on this machine, though a process is
 * killed, an executor is lost, and the driver after it.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { accidentsOf, packageThat, removeLog } from '../support/accidents.js';
import {
  QUICK,
  type TinyWorld,
  assertRefusal,
  inProcess,
  sesrecJson,
  start,
  tinyWorld,
} from '../support/command-line.js';
import { SMALL, onSpark, onSparkInFull } from '../support/spark.js';

let folder: string;
let world: TinyWorld;
const trainTo = (out: string, ...more: string[]): string[] => [
  'train',
  world.data,
  '--out',
  join(folder, out),
  '--epochs',
  '1',
  ...QUICK,
  '--batch-size',
  '32',
  '--workers',
  '2',
  '--local-steps',
  '2',
  '--optimizer',
  'lazyAdam',
  '--save-every',
  '0',
  ...more,
];
const onMaster = (master: string): string[] => [
  '--engine',
  'spark',
  '--master',
  master,
  ...SMALL.flatMap((setting) => ['--spark-conf', setting]),
];

before(async () => {
  if (onSpark.skip !== false) return;
  folder = await mkdtemp(join(tmpdir(), 'sesrec-train-spark-'));
  world = await tinyWorld(folder, 0);
});
after(async () => (onSpark.skip === false ? rm(folder, { recursive: true, force: true }) : undefined));

test('rounds on Spark are the same rounds here, to the last bit', onSpark, async () => {
  const few = ['--local-steps', '8'];
  const here = await sesrecJson<{ version: string }>(...trainTo('few here', ...few));
  const there = await sesrecJson<{ version: string }>(...trainTo('few there', ...few, ...onMaster('local[2]')));
  assert.equal(there.version, here.version);
  assert.ok(!existsSync(join(folder, 'few there', 'rounds')));
});

test('a killed process, a lost executor and a killed driver change no bit', onSparkInFull, async () => {
  const here = await sesrecJson<{ version: string; epochs: number }>(...trainTo('here'));
  const accidents = await accidentsOf(join(folder, 'accidents'), 'share-task', '0.1 0 AAAAAA==\n0.2 0 AA');
  const onCluster = [...onMaster('local-cluster[2,1,1024]'), '--package', accidents];
  const { child, outcome } = start(trainTo('on spark', ...onCluster));
  const last = join(folder, 'on spark', 'checkpoints', 'last.json');
  while (!existsSync(last) && child.exitCode === null) await delay(20);
  child.kill('SIGKILL');
  const killed = await outcome;
  assert.equal(killed.code, null, killed.err);
  assert.deepEqual((await readdir(accidents)).sort(), ['bin', 'executor', 'package.json', 'process']);
  const { version } = await sesrecJson<{ version: string }>(
    ...trainTo('on spark', ...onMaster('local[2]'), '--resume'),
  );
  assert.equal(version, here.version);
  assert.ok(!existsSync(join(folder, 'on spark', 'rounds')));
});

test('what a task cannot do is told in its words, in a line', onSpark, async () => {
  const broken = await packageThat(
    join(folder, 'broken'),
    `process.stderr.write('sesrec: there is no room\\n'); process.exit(1);`,
  );
  const { err, ...outcome } = await inProcess(...trainTo('refused', ...onMaster('local[1]'), '--package', broken));
  const lines = err.split('\n').filter((line) => line.startsWith('sesrec: '));
  assertRefusal({ ...outcome, err: lines.join('\n') }, 1, /a task failed: there is no room; its log is /);
  await removeLog(err);
  assert.ok(!existsSync(join(folder, 'refused')));
});
