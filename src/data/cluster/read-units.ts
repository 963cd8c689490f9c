/**
 * A program that Spark runs on its machines: reads units of a log, each told by a line on standard input, into Parquet files of
 * entries, and answers with a line each. Knows that lines are the same wherever they are read: it is the reader of `../sources`,
 * with DuckDB, so that an entry, and the reason why one is rejected, is what it is on one machine.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { UserError, messageOf, programVersion } from '../../base/index.js';
import { copyToParquet, withDatabase } from '../database.js';
import { comparedQuery } from '../sources/dialect.js';
import { formatNamed } from '../sources/log.js';
import { stage } from '../sources/stage.js';
import { STAGED } from '../sources/staged.js';
import type { ReadingAnswer, ReadingOrder } from './order.js';
import { linesWithin } from './units.js';

/** Reads a unit. What is wrong with the log is an answer; whatever else goes wrong is an error, and Spark tries again. */
async function read({ version, unit, format: name, folder, memory }: ReadingOrder): Promise<ReadingAnswer> {
  const { number, file, input, within } = unit;
  if (version !== programVersion())
    throw new Error(`this machine has sesrec ${programVersion()}, and ${version} was asked for: install the same one`);
  const format = formatNamed(name);
  if (format === null) throw new Error(`internal error: ${name} is no format`);
  const range = within === null ? null : await linesWithin(input.path, within);
  const temporary = await mkdtemp(join(tmpdir(), 'sesrec-unit-'));
  try {
    return await withDatabase(
      async (database) => {
        const records = await stage(database, format, [{ input: range === null ? input : { ...input, range } }]);
        const columns = Object.keys(STAGED)
          .filter((column) => column !== 'file')
          .map((column) => `"${column}"`);
        const query = `SELECT ${number} AS unit, ${file} AS file, ${columns.join(', ')}, ${comparedQuery('query')} AS compared FROM staged`;
        // whole or absent: another machine may read the same unit, when Spark takes this one for lost
        const written = join(folder, `.${number}.${randomBytes(6).toString('hex')}`);
        await database.run(copyToParquet(query, written));
        await rename(written, join(folder, `${String(number).padStart(8, '0')}.parquet`));
        return { unit: number, records: records as number, lines: range?.lines ?? 0 };
      },
      { directory: temporary, memory },
    );
  } catch (error) {
    if (error instanceof UserError) return { unit: number, refused: error.message };
    throw error;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

try {
  for await (const line of createInterface({ input: process.stdin }))
    if (line.trim() !== '') process.stdout.write(`${JSON.stringify(await read(JSON.parse(line) as ReadingOrder))}\n`);
} catch (error) {
  process.stderr.write(`sesrec: ${messageOf(error)}\n`);
  await setTimeout(500); // Spark reads what is said here beside, and says nothing of it when the end comes first
  process.exitCode = 1;
}
