/** Ctrl-C while Spark works: the application ends, then the command, and nothing is left. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { jsonLines, put, scratchFolder } from '../data/folders.js';
import { onSpark, SMALL } from '../support/spark.js';

test('import --engine spark is stopped by Ctrl-C', onSpark, async (t) => {
  const folder = await scratchFolder(t);
  const events = Array.from({ length: 50 }, (_, i) => ({
    type: 'view',
    user: `u${i % 5}`,
    item: `i${i % 7}`,
    time: i,
  }));
  const log = await put(folder, 'log.jsonl', jsonLines(events));
  const conf = SMALL.flatMap((setting) => ['--spark-conf', setting]);
  const command = spawn(
    process.execPath,
    [
      'bin/sesrec.js',
      'import',
      'events',
      log,
      '--out',
      `${folder}/out`,
      '--engine',
      'spark',
      '--master',
      'local[1]',
      ...conf,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.after(() => command.kill('SIGKILL'));
  const applications = (): string[] =>
    execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('SparkSQL') && line.includes(folder));
  let [said, printed] = ['', ''];
  command.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  command.stderr.on('data', (chunk: Buffer) => {
    const before = said.includes('making');
    said += chunk.toString();
    if (before || !said.includes('making')) return;
    assert.equal(applications().length, 1);
    command.kill('SIGINT');
  });
  const [code] = (await once(command, 'close')) as [number | null];
  assert.equal(code, 130, said);
  assert.match(said, /^sesrec: stopped; the Spark application was ended$/m);
  assert.equal(printed, '');
  assert.deepEqual(applications(), []);
  assert.deepEqual(await readdir(folder), ['log.jsonl']);
});
