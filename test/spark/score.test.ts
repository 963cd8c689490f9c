/**
 * `sesrec recommend --all-users --engine spark` on a cluster of two executor processes: the rows that this machine makes, though a
 * process is killed and an executor is lost; and failures in a line.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { accidentsOf, packageThat, removeLog } from '../support/accidents.js';
import { toldByTask } from '../../src/cli/on-spark.js';
import { SparkError } from '../../src/spark/index.js';
import { assertRefusal, inProcess } from '../support/command-line.js';
import { readLists } from '../support/lists.js';
import { SMALL, onSpark } from '../support/spark.js';
import { type StrangeWorld, strangeWorld } from '../support/strange-ids.js';

const CONF = SMALL.flatMap((setting) => ['--spark-conf', setting]);

let folder: string;
let world: StrangeWorld;
const all = (out: string, ...more: string[]): string[] => [
  'recommend',
  world.run,
  '--all-users',
  '--out',
  join(folder, out),
  '--part-users',
  '8',
  ...more,
];
const onMaster = (master: string): string[] => ['--engine', 'spark', '--master', master, ...CONF];

before(async () => {
  if (onSpark.skip !== false) return;
  folder = await mkdtemp(join(tmpdir(), 'sesrec-score-'));
  world = await strangeWorld(folder);
});
after(async () => (onSpark.skip === false ? rm(folder, { recursive: true, force: true }) : undefined));

test(
  'a killed process and a lost executor cost their tasks only: the rows are those of this machine',
  onSpark,
  async () => {
    const half = '{"user":"nobody","source":"popularity","items":[{"item":"i1","score":1}]}\n{"user":"no';
    const accidents = await accidentsOf(join(folder, 'accidents'), 'score-task', half);
    assert.equal((await inProcess(...all('here'))).code, 0);
    const { code, out, err } = await inProcess(
      ...all('on spark', ...onMaster('local-cluster[2,1,1024]'), '--package', accidents, '--json'),
    );
    assert.equal(code, 0, err);
    assert.deepEqual((await readdir(accidents)).sort(), ['bin', 'executor', 'package.json', 'process']);
    const here = await readLists(join(folder, 'here'));
    assert.equal((JSON.parse(out) as { rows: number }).rows, here.length);
    assert.deepEqual(await readLists(join(folder, 'on spark')), here);
  },
);

test('what a task cannot do is told in its words, in a line, and leaves nothing', onSpark, async () => {
  const broken = await packageThat(
    join(folder, 'broken'),
    `process.stderr.write('sesrec: ids "\\u00e9" are not "what" they were\\n'); process.exit(1);`,
  );
  const { err, ...outcome } = await inProcess(
    ...all('refused', ...onMaster('local[1]'), '--package', broken, '--shared-run'),
  );
  const told = /a task failed: ids "\u00e9" are not "what" they were; its log is /;
  assertRefusal({ ...outcome, err: err.replaceAll(/^Spark.*\n/gm, '') }, 1, told);
  await removeLog(err);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.includes('refused')),
    [],
  );
});

test('of a machine without Node.js, what to do is told', () => {
  const log = '; its log is /tmp/spark.log';
  const error = new SparkError(
    `Spark: Subprocess exited with status 127. Error: /bin/bash: line 1: /x/node: No such file${log}`,
  );
  assert.match(
    String(toldByTask(error)),
    /do not find Node\.js: --node says where it is there; its log is \/tmp\/spark\.log$/,
  );
});
