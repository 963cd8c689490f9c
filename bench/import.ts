/**
 * Importing a log of the size of the paper's Kuaishou data: from Parquet, and from gzipped JSON lines, to a data directory
 * that training reads. Seconds, events per second, and the most memory that the importing process, Node and engine together,
 * ever held (VmHWM); each import in a process of its own. Knows the sizes; means nothing: users, items and queries are drawn
 * from a hash.
 *
 *   npm run bench -- import [--scale 0.1] [--from parquet,jsonl] [--folder DIR] [--threads N] [--memory MB] [--json]
 *
 * Scale 1: 35,721 users, 822,832 items, 398,924 queries, 11.4 M feed events, 0.92 M searches, and a click in the results of
 * six searches in ten. Users, items and queries are scaled like events up to 1 and stay there above it.
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { UsageError, UserError, isThere } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { importEvents } from '../src/data/index.js';
import { copyToParquet, literal, parquetTable, withDatabase } from '../src/data/database.js';
import { conditions, conditionsLine, peakBytes, runBench, sayUnless, wholeOption } from './harness.js';

const SIZES = { users: 35_721, items: 822_832, queries: 398_924, feed: 11_400_000, searches: 920_000 };
const GIGABYTE = 1e9;

/** What one import took. */
interface Measured {
  readonly seconds: number;
  /** Of all threads together: on a busy machine it says more than seconds do. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly events: number;
  readonly hash: string;
}

/** Writes the log to a Parquet file, in order of time as a tracker would. */
async function makeLog(path: string, scale: number): Promise<void> {
  const of = (count: number): number => Math.max(1, Math.round(count * Math.min(scale, 1)));
  const [users, items, queries] = [of(SIZES.users), of(SIZES.items), of(SIZES.queries)];
  const [feed, searches] = [Math.round(SIZES.feed * scale), Math.round(SIZES.searches * scale)];
  const draw = (what: string, size: number, seed: number): string =>
    `CAST(hash(${what} * 31 + ${seed}) % ${size} AS BIGINT)`;
  // ids far apart, like real ones; a small id is drawn more often
  const popular = (what: string, size: number, seed: number): string =>
    `CAST(floor(${size} * pow(CAST(hash(${what} * 31 + ${seed}) % 1000003 AS DOUBLE) / 1000003, 2)) AS BIGINT)`;
  const search = `SELECT 's' || n AS id, 'search' AS type, 1684700000000 + n * 1000 + 1 AS time, CAST(10000 + ${draw('n', users, 1)} * 37 AS VARCHAR) AS "user",
      CAST(NULL AS VARCHAR) AS item, 'query ' || ${popular('n', queries, 2)} || ' of words ' || (${popular('n', queries, 2)} % 977) AS query,
      CASE n % 3 WHEN 0 THEN 'typed' WHEN 1 THEN 'history' ELSE 'suggested' END AS source, CAST(NULL AS VARCHAR) AS search FROM range(${searches}) AS r(n)`;
  const click = `SELECT NULL, 'click', 1684700000000 + n * 1000 + 500, CAST(10000 + ${draw('n', users, 1)} * 37 AS VARCHAR),
      CAST(100000000 + ${popular('n', items, 3)} * 13 AS VARCHAR), NULL, NULL, 's' || n FROM range(${searches}) AS r(n) WHERE n % 10 < 6`;
  const play = `SELECT NULL, 'play', CAST(1684700000000 + n * ${((1000 * searches) / feed).toFixed(4)} AS BIGINT), CAST(10000 + ${draw('n', users, 4)} * 37 AS VARCHAR),
      CAST(100000000 + ${popular('n', items, 5)} * 13 AS VARCHAR), NULL, NULL, NULL FROM range(${feed}) AS r(n)`;
  await withDatabase(
    async (database) => {
      await database.run(`CREATE TABLE log AS ${search} UNION ALL ${click} UNION ALL ${play}`);
      await database.run(copyToParquet('SELECT * FROM log ORDER BY time, id', path));
    },
    { directory: await workFolder(path), threads: 2, memory: 2000 },
  );
  await rm(`${path}.work`, { recursive: true });
}

async function workFolder(path: string): Promise<string> {
  await rm(`${path}.work`, { recursive: true, force: true });
  await mkdir(`${path}.work`);
  return `${path}.work`;
}

async function toJsonLines(parquet: string, path: string): Promise<void> {
  await withDatabase(async (database) =>
    database.run(`COPY (SELECT * FROM ${parquetTable(parquet)}) TO ${literal(path)} (FORMAT json, COMPRESSION gzip)`),
  );
}

/** Runs this file with other arguments, and returns the last line that it prints. */
async function inOwnProcess(...words: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (chunk) => (text += String(chunk)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new UserError(`the import ended with code ${code}`);
  return text.trim().split('\n').at(-1) as string;
}

const { values } = parseArgs({
  options: {
    scale: { type: 'string', default: '1' },
    from: { type: 'string', default: 'parquet,jsonl' },
    folder: { type: 'string' },
    threads: { type: 'string', default: '2' },
    memory: { type: 'string', default: '2200' },
    import: { type: 'string' }, // for the processes that this one starts
    json: { type: 'boolean', default: false },
  },
});
const engine = {
  threads: wholeOption('threads', values.threads, 1),
  memory: wholeOption('memory', values.memory, 100),
};

if (values.import !== undefined) {
  const start = performance.now();
  const out = `${values.import}.data`;
  const { manifest } = await importEvents({ files: [values.import], out, overwrite: true, strict: true, ...engine });
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage();
  const measured: Measured = {
    seconds,
    cpuSeconds: (user + system) / 1e6,
    peakBytes: peakBytes(),
    events: manifest.read?.read ?? 0,
    hash: manifest.hash,
  };
  process.stdout.write(`${JSON.stringify(measured)}\n`);
} else
  await runBench('import', async () => {
    const scale = Number(values.scale);
    if (!(scale > 0)) throw new UsageError(`--scale ${values.scale}: give a number above 0`);
    const say = sayUnless(values.json);
    const machine = conditions();
    say(conditionsLine(machine));
    const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'sesrec-bench-import-')));
    await mkdir(folder, { recursive: true });
    try {
      const parquet = join(folder, `log-${scale}.parquet`);
      const files: Readonly<Record<string, string>> = { parquet, jsonl: join(folder, `log-${scale}.jsonl.gz`) };
      if (!(await isThere(parquet))) await makeLog(parquet, scale);
      const results: Record<string, Measured & { readonly bytes: number }> = {};
      for (const from of values.from.split(',')) {
        const file = files[from];
        if (file === undefined) throw new UsageError(`--from ${from}: give parquet, jsonl or both`);
        if (from === 'jsonl' && !(await isThere(file))) await toJsonLines(parquet, file);
        const words = ['--threads', values.threads, '--memory', values.memory];
        const measured = JSON.parse(await inOwnProcess('--import', file, ...words)) as Measured;
        results[from] = { ...measured, bytes: (await stat(file)).size };
        await rm(`${file}.data`, { recursive: true });
      }
      say(
        textTable([
          ['from', 'events', 'seconds', 'CPU seconds', 'events/s', 'peak'],
          ...Object.entries(results).map(([from, { events, seconds, cpuSeconds, peakBytes: peak }]) => [
            from,
            events.toLocaleString('en-US'),
            seconds.toFixed(1),
            cpuSeconds.toFixed(1),
            Math.round(events / seconds).toLocaleString('en-US'),
            `${(peak / GIGABYTE).toFixed(2)} GB`,
          ]),
        ]),
      );
      return { bench: 'import', scale, results, options: engine, machine };
    } finally {
      if (values.folder === undefined) await rm(folder, { recursive: true });
    }
  });
