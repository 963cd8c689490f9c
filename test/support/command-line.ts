/** Runs `sesrec` for the tests of the command line: as a process of its own, or in this one. Knows streams and exit codes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hashOf } from '../../src/base/index.js';
import { main } from '../../src/cli/main.js';
import { writePlantedLog } from './planted.js';

export const BIN = fileURLToPath(new URL('../../../bin/sesrec.js', import.meta.url));

export interface Outcome {
  /** Exit code, null when a signal ended it. */
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Starts `node bin/sesrec.js …`. */
export function start(
  args: readonly string[],
  cwd = process.cwd(),
): { child: ChildProcess; outcome: Promise<Outcome> } {
  const child = spawn(process.execPath, [BIN, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return {
    child,
    outcome: new Promise((resolve, reject) =>
      child.on('error', reject).on('close', (code) => resolve({ code, out, err })),
    ),
  };
}

/** Runs `node bin/sesrec.js …` to its end. */
export async function sesrec(...args: readonly string[]): Promise<Outcome> {
  return start(args).outcome;
}

/** Runs a command that must succeed; the JSON document on its standard output. */
export async function sesrecJson<Document>(...args: readonly string[]): Promise<Document> {
  const { code, out, err } = await sesrec(...args, '--json');
  assert.equal(code, 0, err);
  return JSON.parse(out) as Document;
}

/**
 * Runs a command in this process: many, quickly. Not to be called twice at once, since the streams are the process's
 * own. Only text is caught: the test runner reports in bytes on the same standard output.
 */
export async function inProcess(...args: readonly string[]): Promise<Outcome> {
  const written = { out: '', err: '' };
  const { stdout, stderr } = process;
  const catching = (stream: NodeJS.WriteStream, lane: 'out' | 'err'): (() => void) => {
    const write = stream.write.bind(stream);
    stream.write = (chunk: string | Uint8Array, ...more: []) => {
      if (typeof chunk !== 'string') return write(chunk, ...more);
      written[lane] += chunk;
      return true;
    };
    return () => {
      stream.write = write;
    };
  };
  const restore = [catching(stdout, 'out'), catching(stderr, 'err')];
  try {
    const code = await main(args);
    return { code, ...written };
  } finally {
    for (const back of restore) back();
  }
}

/** Settings that train in about a second. */
export const QUICK = [
  '--batch-size',
  '64',
  '--threads',
  '1',
  '--set',
  'alignmentNegatives=32',
  '--set',
  'window={"feed":5,"search":5}',
  '--set',
  'hidden=[16,1]',
] as const;

export interface TinyWorld {
  readonly log: string;
  readonly data: string;
  readonly run: string;
}

/** A planted log, its data directory and, for some epochs, a run, all in `folder`. Made in this process: starting others takes longer than the work. */
export async function tinyWorld(folder: string, epochs: number): Promise<TinyWorld> {
  const world = { log: join(folder, 'log.jsonl'), data: join(folder, 'data'), run: join(folder, 'run') };
  await writePlantedLog({ users: 24, items: 120, categories: 6, eventsPerUser: 8, seed: 3 }, world.log);
  const { code, err } = await inProcess('import', 'events', world.log, '--out', world.data);
  assert.equal(code, 0, err);
  if (epochs > 0) await trainTiny(world, world.run, epochs);
  return world;
}

/** Another run on the data of a world. */
export async function trainTiny(
  { data }: Pick<TinyWorld, 'data'>,
  out: string,
  epochs: number,
  ...more: string[]
): Promise<void> {
  const { code, err } = await inProcess('train', data, '--out', out, '--epochs', String(epochs), ...QUICK, ...more);
  assert.equal(code, 0, err);
}

/** Every file below a folder and the hash of its content. */
export async function contentOf(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .map((entry) => ({ path: join(entry.parentPath, entry.name), isFile: entry.isFile() }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
  return Object.fromEntries(
    await Promise.all(
      paths.map(async ({ path, isFile }) => [path, isFile ? hashOf(await readFile(path)) : 'a directory'] as const),
    ),
  );
}

/** What every refusal looks like: one line that begins with `sesrec: `, hints in parentheses, and no stack trace. */
export function assertRefusal({ code, out, err }: Outcome, expected: number, message: RegExp): void {
  const lines = err.split('\n').filter((line) => line !== '' && !/^\(.*\)$/.test(line));
  assert.equal(code, expected, err);
  assert.equal(lines.length, 1, `more than one line: ${err}`);
  assert.match(lines[0] as string, /^sesrec: /);
  assert.match(lines[0] as string, message);
  assert.doesNotMatch(err, /^ {4}at /m);
  assert.equal(out, '', 'the answer goes to standard output, refusals do not');
}
