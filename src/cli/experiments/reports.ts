/**
 * Reports made while a server answers: by `sesrec report` in a process of its own, since it ranks and would take the server's threads.
 * Knows that command; does not know what is in a report.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Turns, UserError } from '../../base/index.js';

const run = promisify(execFile);
const MILLISECONDS = 600_000;
/** Reports that are kept. */
const KEPT = 4;
const PROGRAM = fileURLToPath(new URL('../../../../bin/sesrec.js', import.meta.url));

export class Reports {
  readonly #kept = new Map<string, Promise<string>>();
  readonly #turns = new Turns();

  /** The report of a directory as it was when it was last changed. One after another. */
  async of(directory: string, changed: string): Promise<string> {
    const key = `${directory} ${changed}`;
    const known = this.#kept.get(key);
    if (known) return known;
    const made = this.#turns.take(async () => make(directory));
    this.#kept.set(key, made);
    made.catch(() => this.#kept.delete(key)); // tried again when it is asked for again
    for (const oldest of this.#kept.keys()) if (this.#kept.size > KEPT) this.#kept.delete(oldest);
    return made;
  }
}

async function make(directory: string): Promise<string> {
  const temporary = await mkdtemp(join(tmpdir(), 'sesrec-report-'));
  const out = join(temporary, 'report.html');
  try {
    await run(process.execPath, [PROGRAM, 'report', directory, '--out', out, '--no-person', '--threads', '1'], {
      timeout: MILLISECONDS,
      maxBuffer: 2 ** 24,
    });
    return await readFile(out, 'utf8');
  } catch (error) {
    const { stderr = '' } = error as { readonly stderr?: string };
    const lines = stderr.trim().split('\n');
    throw new UserError(`there is no report: ${lines.at(-1) || 'sesrec report ended early'}`, { cause: error });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}
