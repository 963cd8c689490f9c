/** One Spark application: statements, rows, failures in a line, and ends. */
import assert from 'node:assert/strict';
import { existsSync, rmSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { UsageError } from '../../src/base/index.js';
import { findSpark, SparkError, sparkIdentifier, sparkText, withSpark } from '../../src/spark/index.js';
import { onSpark, smallSpark } from '../support/spark.js';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'sesrec-test-spark-'));
  t.after(async () => rm(path, { recursive: true, force: true }));
  return path;
}

const HOSTILE = [
  `it's "so"; -- no comment`,
  '\\u0041 \\n \\',
  '${env:HOME} ${spark.app.name}',
  'tab\tnew\nline\r\n\0 \u001F\u007F',
  'caf\u00e9 \u{1F375} \u2028 \uFEFF',
  '%_`[Stage 3:==> (1 + 1) / 2]',
  'sesrec.done\t1',
];

test('statements, rows as they are, and a failure that costs its statement only', onSpark, async (t) => {
  const work = await folder(t);
  const told: string[] = [];
  const logs = await withSpark({ ...smallSpark(work), onProgress: (text) => told.push(text) }, async (spark) => {
    const values = HOSTILE.map((text, i) => `(${i}, ${sparkText(text)})`).join(', ');
    await spark.run(
      `CREATE TABLE texts USING parquet AS SELECT * FROM VALUES ${values} AS t(number, "a text")`,
      'writing',
    );
    const rows = await spark.rows(`SELECT number, ${sparkIdentifier('a text')} AS text FROM texts ORDER BY number`);
    assert.deepEqual(
      rows,
      HOSTILE.map((text, number) => ({ number, text })),
    );
    assert.deepEqual(await spark.rows('SELECT number FROM texts WHERE number < 0'), []);
    assert.deepEqual(
      await spark.rows(`SELECT CAST(NULL AS STRING) AS a, 1.5D AS b, array(named_struct('c', true)) AS d`),
      [{ a: null, b: 1.5, d: [{ c: true }] }],
    );
    const failed = async (sql: string, pattern: RegExp): Promise<string> => {
      const error = await spark.run(sql).catch((caught: unknown) => caught);
      assert.ok(error instanceof SparkError, String(error));
      assert.match(error.message, pattern);
      assert.ok(!error.message.includes('\n'));
      return /its log is (.+)$/.exec(error.message)?.[1] as string;
    };
    await failed('SELECT nonsense FROM texts', /`nonsense` cannot be resolved/);
    await failed('SELECT (1', /PARSE_SYNTAX_ERROR/);
    await failed(`SELECT CAST(text AS INT) FROM (SELECT "a text" AS text FROM texts)`, /CAST_INVALID_INPUT/);
    const log = await failed(
      `SELECT TRANSFORM(number) USING 'echo wrong >&2; sleep 1; exit 3' AS (a STRING) FROM texts`,
      /wrong/,
    );
    assert.match(await readFile(log, 'utf8'), /Subprocess exited with status 3/);
    assert.deepEqual(await spark.rows('SELECT count(*) AS all FROM texts'), [{ all: HOSTILE.length }]);
    return log;
  });
  assert.ok(!existsSync(logs), 'the log of an application that ended well is removed');
  assert.match(told.join('\n'), /writing/);
});

test('a master that is none, and settings that cannot be chosen', onSpark, async (t) => {
  const work = await folder(t);
  await assert.rejects(
    withSpark({ ...smallSpark(work), master: 'nonsense' }, async (spark) => spark.run('SELECT 1')),
    (error) => {
      assert.ok(error instanceof SparkError);
      assert.match(error.message, /did not start on the master nonsense: Master must either be yarn or start with/);
      const log = /its log is (.+)$/.exec(error.message)?.[1] as string;
      assert.ok(existsSync(log));
      rmSync(dirname(log), { recursive: true });
      return true;
    },
  );
  for (const setting of ['spark.sql.ansi.enabled=false', 'spark.sql.warehouse.dir=/', 'nonsense', 'a=b'])
    await assert.rejects(
      withSpark({ ...smallSpark(work), conf: [setting] }, async (spark) => spark.run('SELECT 1')),
      UsageError,
    );
});

test('without Spark or Java: a line that says what to do', async (t) => {
  const nowhere = await folder(t);
  await assert.rejects(findSpark({ PATH: nowhere }), /there is no Spark here: set SPARK_HOME/);
  await assert.rejects(findSpark({ SPARK_HOME: nowhere, PATH: nowhere }), /no bin\/spark-sql in it/);
});
