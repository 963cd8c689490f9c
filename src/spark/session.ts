/**
 * One Spark application that runs SQL, statement by statement: `spark-sql` with its standard input held open, so that what is
 * asked next may depend on what came out. Knows the shell, its settings, its log and how to end it; does not know what the
 * statements mean.
 *
 * A statement goes into a file, and the shell is told to read the file: its line editor would echo, wrap and
 * interpret a statement. The file ends by saying its number, which the shell does not come to when the statement fails.
 */
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { InterruptedError, Turns } from '../base/index.js';
import { findSpark } from './find.js';
import { firstCause, SparkError } from './failure.js';
import { settingsOf, type SparkOptions } from './settings.js';

/** A running application. */
export interface SparkSession {
  /** Runs one statement, without a semicolon at its end. `what` is what progress calls it. A failure is a `SparkError`. */
  run(sql: string, what?: string): Promise<void>;
  /** The rows of a query, in its order, as objects: numbers, texts, truth, nulls, lists and objects as JSON has them. */
  rows(sql: string, what?: string): Promise<Record<string, unknown>[]>;
}

/** Lines of the log that are looked at for a cause. */
const LINES_KEPT = 2000;
/** Milliseconds for an application to end by itself. */
const PATIENCE = 20_000;

/**
 * Starts an application, hands it to `work`, and ends it, whatever happens. What Spark says goes into a log file, which is removed
 * unless something fails; then the error names it.
 */
export async function withSpark<T>(options: SparkOptions, work: (session: SparkSession) => Promise<T>): Promise<T> {
  const { sparkSql } = await findSpark();
  const own = settingsOf(options);
  if (options.signal?.aborted) throw stopped();
  const scratch = await mkdtemp(join(tmpdir(), 'sesrec-spark-'));
  const log = join(scratch, 'spark.log');
  let keepsLog = false;
  try {
    await mkdir(options.work, { recursive: true });
    const session = new Shell(sparkSql, own, options, scratch, log);
    try {
      const result = await work(session);
      if (options.signal?.aborted) throw stopped();
      await session.end();
      return result;
    } catch (error) {
      await session.kill();
      keepsLog = error instanceof SparkError;
      throw error;
    }
  } finally {
    if (!keepsLog) await rm(scratch, { recursive: true, force: true });
  }
}

const stopped = (): InterruptedError => new InterruptedError('stopped; the Spark application was ended');

/** A statement that the shell works on. */
interface Asked {
  readonly number: number;
  readonly rows: string[];
  readonly logged: string[];
  succeeded: boolean;
  readonly settle: (error: Error | null) => void;
}

class Shell implements SparkSession {
  readonly #process: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #exited: Promise<void>;
  readonly #log: WriteStream;
  readonly #logPath: string;
  readonly #scratch: string;
  readonly #options: SparkOptions;
  /** Rows begin with it, and nothing else that the shell writes. */
  readonly #mark = `${randomBytes(9).toString('base64url')} `;
  /** What was said before the first statement. */
  readonly #start: string[] = [];
  #asked: Asked | null = null;
  #count = 0;
  #what = '';
  #isUp = false;
  #ended = false;
  readonly #queue = new Turns();
  readonly #killAtExit = (): void => this.#signal('SIGTERM');
  readonly #abort = (): void => {
    this.#answer(stopped());
    void this.kill();
  };

  constructor(program: string, settings: readonly string[], options: SparkOptions, scratch: string, log: string) {
    this.#options = options;
    this.#scratch = scratch;
    this.#logPath = log;
    this.#log = createWriteStream(log);
    const { master, name, driverMemory, signal } = options;
    const memory = driverMemory === undefined ? [] : ['--driver-memory', driverMemory];
    // A group of its own: Ctrl-C in a terminal reaches us alone, and ending the group ends the shell whatever it has become.
    this.#process = spawn(program, ['--master', master, '--name', name, ...memory, ...settings], {
      cwd: options.work,
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      // statements are read, and rows written, in UTF-8
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    this.#exited = new Promise((done) => {
      this.#process.on('error', (error) => {
        this.#start.push(`error: ${error.message}`);
        done();
      });
      this.#process.on('close', () => done());
    });
    void this.#exited.then(() => {
      this.#ended = true;
      this.#answer(this.#failure('the application ended'));
    });
    this.#process.stdin.on('error', () => undefined); // it ended: told by its end
    lines(this.#process.stdout, (line) => this.#hear(line));
    lines(this.#process.stderr, (line) => this.#note(line));
    process.on('exit', this.#killAtExit);
    signal?.addEventListener('abort', this.#abort);
    this.#tell('starting');
  }

  async run(sql: string, what = ''): Promise<void> {
    await this.#statement(sql, what);
  }

  async rows(sql: string, what = ''): Promise<Record<string, unknown>[]> {
    const json = `to_json(struct(*), map('ignoreNullFields', 'false'))`;
    const rows = await this.#statement(`SELECT concat('${this.#mark}', ${json}) FROM (${sql})`, what);
    return rows.map((row) => JSON.parse(row) as Record<string, unknown>);
  }

  /** Lets the application end. */
  async end(): Promise<void> {
    this.#process.stdin.end('exit;\n');
    const patience = setTimeout(() => this.#signal('SIGTERM'), PATIENCE);
    await this.#exited;
    clearTimeout(patience);
    await this.#release();
  }

  /** Ends the application now. */
  async kill(): Promise<void> {
    this.#signal('SIGTERM');
    const patience = setTimeout(() => this.#signal('SIGKILL'), PATIENCE);
    await this.#exited;
    clearTimeout(patience);
    await this.#release();
  }

  async #release(): Promise<void> {
    process.off('exit', this.#killAtExit);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#log.end();
    await finished(this.#log);
  }

  #signal(signal: NodeJS.Signals): void {
    const { pid } = this.#process;
    if (pid === undefined || this.#ended) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // it is gone
    }
  }

  async #statement(sql: string, what: string): Promise<string[]> {
    return this.#queue.take(async () => this.#ask(sql, what));
  }

  async #ask(sql: string, what: string): Promise<string[]> {
    if (this.#options.signal?.aborted) throw stopped();
    if (this.#ended) throw this.#failure('the application ended');
    const number = ++this.#count;
    const path = join(this.#scratch, `${number}.sql`);
    await writeFile(path, `${sql}\n;\nSET sesrec.done=${number};\n`);
    if (what !== '') this.#what = what;
    if (number > 1) this.#tell('');
    const rows: string[] = [];
    await new Promise<void>((resolved, rejected) => {
      const settle = (error: Error | null): void => (error ? rejected(error) : resolved());
      this.#asked = { number, rows, logged: [], succeeded: false, settle };
      this.#process.stdin.write(`source ${path};\nSET sesrec.after=${number};\n`);
    });
    await rm(path, { force: true });
    return rows;
  }

  /** Ends the statement that is being waited for. */
  #answer(error: Error | null): void {
    const asked = this.#asked;
    this.#asked = null;
    asked?.settle(error);
  }

  #hear(line: string): void {
    const asked = this.#asked;
    if (!asked) return;
    this.#isUp ||= line.startsWith('sesrec.after');
    if (line.startsWith(this.#mark)) asked.rows.push(line.slice(this.#mark.length));
    else if (line === `sesrec.done\t${asked.number}`) asked.succeeded = true;
    else if (line === `sesrec.after\t${asked.number}`) {
      if (asked.succeeded) this.#answer(null);
      // what it says of the failure comes another way, and may come a moment later
      else setTimeout(() => this.#answer(this.#failure('a statement failed', asked.logged)), 200);
    }
  }

  #note(line: string): void {
    const stages = [...line.matchAll(/\[Stage (\d+):[=> ]*\((\d+) \+ \d+\) \/ (\d+)\]/g)];
    if (stages.length > 0) {
      const [, stage, done, all] = stages.at(-1) as unknown as [string, string, string, string];
      this.#tell(`stage ${stage}, ${done} of ${all} tasks`);
      return;
    }
    const text = line.replaceAll('\r', '').trimEnd();
    if (text === '') return;
    this.#log.write(`${text}\n`);
    const kept = this.#asked?.logged ?? this.#start;
    kept.push(text);
    if (kept.length > LINES_KEPT) kept.splice(0, LINES_KEPT / 2);
    if (/Initial job has not accepted any resources|Failed to connect to master/.test(text))
      this.#tell(text.replace(/^.*?(WARN|ERROR) \S+: /, ''));
  }

  #tell(text: string): void {
    this.#options.onProgress?.(['Spark', this.#what, text].filter((part) => part !== '').join(': '));
  }

  #failure(what: string, logged: readonly string[] = [...this.#start, ...(this.#asked?.logged ?? [])]): SparkError {
    const cause = firstCause(logged) ?? what;
    const where = this.#isUp ? 'Spark' : `Spark did not start on the master ${this.#options.master}`;
    return new SparkError(`${where}: ${cause}; its log is ${this.#logPath}`);
  }
}

/** Hands on every line of a stream; progress that rewrites a line counts as lines. */
function lines(stream: Readable, each: (line: string) => void): void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const parts = (rest + chunk).split(/\n|\r(?!\n)/);
    rest = parts.pop() as string;
    for (const part of parts) each(part.endsWith('\r') ? part.slice(0, -1) : part);
  });
  stream.on('end', () => {
    if (rest !== '') each(rest);
  });
}
