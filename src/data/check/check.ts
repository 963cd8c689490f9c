/**
 * What a log or a data directory holds, and what is wrong with it. Knows events in order, and that a data directory keeps
 * less than a log; does not know formats, nor how a report is shown.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { UserError, isThere, counted } from '../../base/index.js';
import { parquetTable, withDatabase, type Database } from '../database.js';
import { checkedManifest } from '../load.js';
import type { ReadCounts } from '../schema.js';
import * as sql from '../sources/dialect.js';
import { formatNamed, recogniseFormat } from '../sources/log.js';
import { nothingIn } from '../sources/import.js';
import type { Input } from '../sources/input.js';
import { expandInputs } from '../sources/which-files.js';
import { oneEntryEach } from '../sources/compile.js';
import { EARLIEST, LATEST } from '../sources/times.js';
import { settle } from '../sources/settle.js';
import { stage } from '../sources/stage.js';
import { REJECTED, REJECTED_ADVICE, troubles } from './findings.js';
import { createWritten, keepingTimes, unitsOf } from './time-units.js';
import type { Severity } from './trouble.js';

/** Options of `checkLog`. */
export interface CheckOptions {
  /** Files, folders, patterns, `-`; or one data directory. */
  readonly files: readonly string[];
  /** The name of a format. Default: `auto`. */
  readonly format?: string;
  /** Milliseconds since 1970, for what is in the future. Default: now. */
  readonly now?: number;
  /** Threads and megabytes of the engine. Default: 2 and 1500. */
  readonly threads?: number;
  readonly memory?: number;
}

/** Something that was found. */
export interface Finding {
  readonly name: string;
  readonly severity: Severity;
  readonly count: number;
  readonly what: string;
  /** The first case. `file` is null for data directories, where `line` is the ordinal of the event. */
  readonly example: { readonly text: string; readonly file: string | null; readonly line: number };
  readonly advice: string;
}

/** The numbers of the paper's Table 1, and how people search. */
export interface LogFacts {
  readonly users: number;
  readonly items: number;
  /** Distinct queries, normalised. */
  readonly queries: number;
  /** Actions that are events of the feed. */
  readonly feed: number;
  readonly searches: number;
  readonly clicks: number;
  /** ISO 8601; null without times. */
  readonly from: string | null;
  readonly to: string | null;
  readonly eventsWithoutTime: number;
  readonly usersWhoNeverSearch: number;
  readonly usersWhoOnlySearch: number;
  readonly searchesWithClick: number;
  /** Searches by how they were started. */
  readonly sources: Readonly<Record<string, number>>;
  /** Typed, or from the user's own history: sources `typed` and `history`. */
  readonly spontaneousSearches: number;
  /** Taken from what the site put there: every other source but `unknown` and `constructed`. */
  readonly passiveSearches: number;
}

/** The whole report. */
export interface CheckReport {
  readonly files: readonly string[];
  readonly format: string;
  /** Why it is taken for this format; null where it was named. */
  readonly recognised: string | null;
  /** Null for a data directory whose source did not count. */
  readonly read: ReadCounts | null;
  readonly facts: LogFacts;
  /** In words: see `docs/check.md`. */
  readonly timeUnit: string;
  /** How many times of a log are written in which unit, the most frequent first; empty where that cannot be told. */
  readonly timeUnits: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

/** Checks a log or a data directory. Rejected records are findings; what cannot be read at all is a `UserError`. */
export async function checkLog(options: CheckOptions): Promise<CheckReport> {
  const { files, format = 'auto', now = Date.now(), threads = 2, memory = 1500 } = options;
  if (files.length === 0) throw new UserError('there is no file to check: name at least one');
  const temporary = await mkdtemp(join(tmpdir(), 'sesrec-check-'));
  try {
    return await withDatabase(
      async (database) => {
        const [first] = files;
        if (files.length === 1 && first !== undefined && (await isThere(join(first, 'manifest.json'))))
          return checkData(database, first, now);
        return checkFiles(database, await expandInputs(files, temporary), format, now);
      },
      { directory: temporary, threads, memory },
    );
  } finally {
    await rm(temporary, { recursive: true });
  }
}

async function checkFiles(
  database: Database,
  inputs: readonly Input[],
  named: string,
  now: number,
): Promise<CheckReport> {
  const known = formatNamed(named);
  const recognised = known ? { format: known, why: null } : await recogniseFormat(database, inputs);
  const [format, why] = [keepingTimes(recognised.format), recognised.why];
  const records = await stage(
    database,
    format,
    inputs.map((input) => ({ input })),
  );
  const { counts } = await settle(database, format, records, 'tables' in format && oneEntryEach(format.tables), {
    keepIds: true,
  });
  const facts = await factsOf(database);
  if (counts.rejected === 0 && facts.feed + facts.searches + facts.clicks === 0)
    throw new UserError(
      nothingIn(
        inputs.map(({ name }) => name),
        format,
        counts,
      ),
    );
  await createWritten(database);
  const timeUnits = await unitsOf(database);
  const names = inputs.map(({ name }) => name);
  return {
    files: names,
    format: format.name,
    recognised: why,
    read: counts,
    facts,
    timeUnit: await timeUnitOf(database, timeUnits),
    timeUnits,
    findings: await findingsOf(database, now, format.order, names),
  };
}

/** A data directory, as if it were a log: what a log alone has is not looked for. */
async function checkData(database: Database, directory: string, now: number): Promise<CheckReport> {
  const manifest = await checkedManifest(directory);
  const table = (name: string): string => parquetTable(join(directory, `${name}.parquet`));
  await database.run(`CREATE VIEW feed AS SELECT "user", ordinal, time, type, item, search FROM ${table('feed')}`);
  await database.run(`CREATE VIEW searches AS SELECT "user", ordinal, time, query, source FROM ${table('searches')}`);
  const time = manifest.version === 1 ? 'CAST(NULL AS DOUBLE)' : 'click.time';
  await database.run(`CREATE VIEW clicks AS SELECT search, click.item AS item, click.ordinal AS ordinal, ${time} AS time
    FROM (SELECT ordinal AS search, unnest(clicked) AS click FROM ${table('searches')})`);
  const none = `CAST(NULL AS VARCHAR)`;
  await database.run(`CREATE VIEW placed AS SELECT *, 0 AS file, place AS line, 0 AS record, 0 AS part, CASE WHEN kind = 'search' THEN 's' || place END AS id, ${none} AS session, ${none} AS list FROM (
    SELECT ordinal AS place, 'action' AS kind, "user", time, ${none} AS query, ${none} AS source, item, CAST(search AS VARCHAR) AS search, type FROM feed
    UNION ALL SELECT ordinal, 'search', "user", time, query, source, NULL, NULL, NULL FROM searches
    UNION ALL SELECT clicks.ordinal, 'action', searches."user", clicks.time, NULL, NULL, item, CAST(clicks.search AS VARCHAR), 'click'
      FROM clicks JOIN searches ON searches.ordinal = clicks.search WHERE clicks.ordinal NOT IN (SELECT ordinal FROM feed))`);
  return {
    files: [directory],
    format: manifest.source.importer,
    recognised: null,
    read: manifest.read ?? null,
    facts: await factsOf(database),
    timeUnit: await timeUnitOf(database, {}),
    timeUnits: {},
    findings: await findingsOf(database, now, manifest.source.importer === 'interactions' ? 'file' : 'time', null),
  };
}

async function factsOf(database: Database): Promise<LogFacts> {
  const count = async (query: string): Promise<number> => database.number(`SELECT count(*) FROM ${query}`);
  const users = (table: string): string => `SELECT DISTINCT "user" FROM ${table}`;
  const { source, searches: bySource } = await database.read(
    'SELECT source, count(*) AS searches FROM searches GROUP BY source ORDER BY searches DESC, source',
    { source: 'text', searches: 'number' },
  );
  const sources = Object.fromEntries(source.map((name, i) => [name, bySource[i] as number]));
  const ofSources = (fits: (name: string) => boolean): number =>
    source.reduce((sum, name, i) => sum + (fits(name) ? (bySource[i] as number) : 0), 0);
  const spontaneous = new Set(['typed', 'history']);
  const neither = new Set(['unknown', 'constructed']);
  const { from, to } = await database.read(
    `SELECT ${sql.shownTime('min(time)')}, ${sql.shownTime('max(time)')} FROM placed WHERE time IS NOT NULL`,
    { from: 'text', to: 'text' },
  );
  return {
    users: await count(`(${users('placed')})`),
    items: await count('(SELECT DISTINCT item FROM placed WHERE item IS NOT NULL)'),
    queries: await count(`(SELECT DISTINCT ${sql.comparedQuery('query')} AS query FROM searches) WHERE query <> ''`),
    feed: await count('feed'),
    searches: await count('searches'),
    clicks: await count('clicks'),
    from: from[0] || null,
    to: to[0] || null,
    eventsWithoutTime: await count('placed WHERE time IS NULL'),
    usersWhoNeverSearch: await count(`(${users('placed')} EXCEPT ${users('searches')})`),
    usersWhoOnlySearch: await count(`(${users('searches')} EXCEPT ${users('feed')})`),
    searchesWithClick: await count('(SELECT DISTINCT search FROM clicks)'),
    sources,
    spontaneousSearches: ofSources((name) => spontaneous.has(name)),
    passiveSearches: ofSources((name) => !spontaneous.has(name) && !neither.has(name)),
  };
}

/** How the times are written; where the records do not tell, whether their middle is believable. */
async function timeUnitOf(database: Database, units: Readonly<Record<string, number>>): Promise<string> {
  const middle = await database.number('SELECT median(time) FROM placed WHERE time IS NOT NULL');
  if (Number.isNaN(middle)) return 'no times';
  const finer = await database.number('SELECT count(*) FROM placed WHERE time IS NOT NULL AND time % 86400000 <> 0');
  const toTheDay = finer === 0 ? ', to the day' : '';
  const [[only] = [], ...others] = Object.entries(units);
  if (only !== undefined && others.length === 0) return `${only}${toTheDay}`;
  if (only !== undefined)
    return Object.entries(units)
      .map(([unit, count]) => `${unit} (${counted(count)})`)
      .join(', ');
  return middle >= EARLIEST && middle < LATEST ? `as declared${toTheDay}` : 'of another unit than declared';
}

/** What was rejected, by reason. */
async function rejectedOf(database: Database, names: readonly string[]): Promise<Finding[]> {
  const found = await database.read(REJECTED, { count: 'number', reason: 'text', file: 'integer', line: 'number' });
  return found.reason.map((reason, i) => ({
    name: 'rejected',
    severity: 'error',
    count: found.count[i] as number,
    what: 'records are rejected',
    example: { text: reason, file: basename(names[found.file[i] as number] as string), line: found.line[i] as number },
    advice: REJECTED_ADVICE,
  }));
}

async function findingsOf(
  database: Database,
  now: number,
  order: 'time' | 'file',
  names: readonly string[] | null,
): Promise<Finding[]> {
  const findings = names === null ? [] : await rejectedOf(database, names);
  for (const { name, severity, what, advice, cases, ofLogs } of troubles(now, order)) {
    if (names === null && ofLogs) continue;
    const found = await database.read(
      `SELECT what, file, line, count(*) OVER () AS cases FROM (${cases}) ORDER BY file, line LIMIT 1`,
      { text: 'text', file: 'integer', line: 'number', count: 'number' },
    );
    const [count] = found.count;
    if (count === undefined) continue;
    findings.push({
      name,
      severity,
      count,
      what,
      example: {
        text: found.text[0] as string,
        file: names === null ? null : basename(names[found.file[0] as number] as string),
        line: found.line[0] as number,
      },
      advice,
    });
  }
  const rank = { error: 0, warning: 1, note: 2 };
  return findings.sort((a, b) => rank[a.severity] - rank[b.severity]);
}
