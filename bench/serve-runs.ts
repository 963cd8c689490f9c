/**
 * The runs that `bench serve` measures: a log of as many items as wanted, imported, and SESRec trained on it for at least 5,000 steps, by
 * the commands that users have. Knows how large; means nothing beyond that: tastes are made by SQL. What is there already is gone on with.
 *
 *   npm run bench -- serve-runs --items 61934 --out DIR [--batch-size 64] [--steps 5000] [--threads 2]
 *
 * DIR gets `log.parquet`, `data` and `run`. An item belongs to a category of 200. A user has four categories, keeps to one for four feed events
 * at a time and takes its popular items more often; before most of these stretches comes a search for the category, with one click. All items
 * are listed in the log, whether or not somebody met them. There are as many feed events as steps need rows, so the training is one epoch.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UsageError, UserError, isThere } from '../src/base/index.js';
import { copyToParquet, withDatabase } from '../src/data/database.js';
import { BIN, runBench, wholeOption } from './harness.js';

const ITEMS_PER_CATEGORY = 200;
/** Feed events of a user, and how many of them keep to one category. */
const [PER_USER, STRETCH] = [32, 4];
const DAY = 24 * 60 * 60 * 1000;

/** Writes the log to a Parquet file. `rows`: feed events that are learnt from, about. */
async function makeLog(path: string, items: number, rows: number): Promise<void> {
  const users = Math.ceil(rows / (PER_USER - 2)); // the last two of each are held out
  const categories = Math.max(1, Math.round(items / ITEMS_PER_CATEGORY));
  const draw = (what: string, size: number, seed: number): string =>
    `CAST(hash(${what} * 31 + ${seed}) % ${size} AS BIGINT)`;
  const start = Date.UTC(2026, 0, 1);
  // item = category + categories * place; the smaller the place, the more popular
  const places = `((${items} - 1 - category) // ${categories} + 1)`;
  const place = `CAST(floor(${places} * pow(CAST(hash(n * 31 + 5) % 1000003 AS DOUBLE) / 1000003, 2)) AS BIGINT)`;
  const stretches = `SELECT s AS stretch, s // ${PER_USER / STRETCH} AS u, s % ${PER_USER / STRETCH} AS j,
      CASE ${draw('s', 4, 1)} WHEN 0 THEN u % ${categories} ELSE ${draw(`(u * 4 + ${draw('s', 4, 1)})`, categories, 2)} END AS category,
      ${start} + ${draw('u', 90, 3)} * ${DAY} + j * ${DAY} + ${draw('s', DAY / 2, 4)} AS begun
    FROM range(${Math.ceil((users * PER_USER) / STRETCH)}) AS r(s)`;
  const feed = `SELECT CAST(NULL AS VARCHAR) AS id, 'view' AS type, begun + 60000 + 60000 * (n % ${STRETCH}) AS time, 'u' || u AS "user",
      'i' || (category + ${categories} * ${place}) AS item, CAST(NULL AS VARCHAR) AS query, CAST(NULL AS VARCHAR) AS source, CAST(NULL AS VARCHAR) AS search
    FROM (SELECT *, stretch * ${STRETCH} + k AS n FROM stretches, range(${STRETCH}) AS r(k))`;
  const search = `SELECT 's' || stretch, 'search', begun, 'u' || u, NULL, 'kind ' || category || ' of ' || category % 977,
      CASE stretch % 3 WHEN 0 THEN 'typed' WHEN 1 THEN 'history' ELSE 'suggested' END, NULL FROM searches`;
  const click = `SELECT NULL, 'click', begun + 30000, 'u' || u, 'i' || (category + ${categories} * ${place}), NULL, NULL, 's' || stretch
    FROM (SELECT *, stretch + 1000000007 AS n FROM searches)`;
  const catalogue = `SELECT NULL, 'item', NULL, NULL, 'i' || i, NULL, NULL, NULL FROM range(${items}) AS r(i)`;
  await rm(`${path}.work`, { recursive: true, force: true });
  await mkdir(`${path}.work`);
  await withDatabase(
    async (database) => {
      await database.run(`CREATE TABLE stretches AS ${stretches}`);
      await database.run(`CREATE TABLE searches AS SELECT * FROM stretches WHERE ${draw('stretch', 10, 6)} < 7`);
      await database.run(
        copyToParquet(
          `SELECT * FROM (${feed} UNION ALL ${search} UNION ALL ${click} UNION ALL ${catalogue}) ORDER BY time NULLS FIRST, "user", type, id, item`,
          `${path}.new`,
        ),
      );
    },
    { directory: `${path}.work`, threads: 2, memory: 2000 },
  );
  await rm(`${path}.work`, { recursive: true });
  await rename(`${path}.new`, path);
}

/** A command as users type it. */
async function sesrec(...words: readonly string[]): Promise<void> {
  process.stderr.write(`sesrec ${words.join(' ')}\n`);
  const child = spawn(process.execPath, [BIN, ...words], { stdio: ['ignore', 2, 'inherit'] });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new UserError(`sesrec ${words[0]} ended with code ${code}`);
}

await runBench('serve-runs', async () => {
  const { values } = parseArgs({
    options: {
      items: { type: 'string', default: '61934' },
      out: { type: 'string' },
      'batch-size': { type: 'string', default: '64' },
      steps: { type: 'string', default: '5000' },
      threads: { type: 'string', default: '2' },
    },
  });
  const { out } = values;
  if (out === undefined) throw new UsageError('--out DIR: say where the log, the data and the run go');
  const [items, batch] = [wholeOption('items', values.items, 100), wholeOption('batch-size', values['batch-size'], 1)];
  const [steps, threads] = [wholeOption('steps', values.steps, 1), wholeOption('threads', values.threads, 1)];
  await mkdir(out, { recursive: true });
  const [log, data, run] = [join(out, 'log.parquet'), join(out, 'data'), join(out, 'run')];
  if (!(await isThere(log))) await makeLog(log, items, (steps + 1) * batch);
  if (!(await isThere(data))) await sesrec('import', 'events', log, '--out', data);
  const cut = ['--batch-size', String(batch), '--optimizer', 'lazyAdam', '--weight-decay', '0'];
  const train = ['train', data, '--model', 'sesrec', ...cut, '--epochs', '1', '--validation-users', '500'];
  const more = ['--save-every', '120', '--threads', String(threads), '--out', run];
  await sesrec(...train, ...more, ...((await isThere(run)) ? ['--resume'] : []));
  return { bench: 'serve-runs', items, run, steps, batchSize: batch };
});
