/**
 * Reads the files of a log on the machines of a Spark cluster: the table `staged` there, and here a view of what is told of items
 * and users. Knows units and who reads them; does not know what is in the entries.
 */
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError, assert, programVersion } from '../../base/index.js';
import { sparkText } from '../../spark/index.js';
import { parquetFolder } from '../database.js';
import type { Format } from '../sources/formats/format.js';
import { kindOf } from '../sources/input.js';
import { sampleOf } from '../sources/recognise.js';
import type { Assigned } from '../sources/stage.js';
import { rejectedColumns, STAGED } from '../sources/staged.js';
import type { SparkEngine } from './engine.js';
import type { ReadingAnswer, ReadingOrder } from './order.js';
import { UNIT_BYTES, unitsOf, type Unit } from './units.js';

/** A task is one unit; of many, which may be small files, it is a few, so that not every one starts a program. */
const [FEWEST_TASKS, UNITS_OF_TASK] = [64, 4];

/** How units are read. */
export interface ReadingOptions {
  /** Megabytes of a reader. */
  readonly memory: number;
  /** Default: `UNIT_BYTES`. */
  readonly unitBytes?: number | undefined;
}

/** Refuses a format that SQL cannot read: its parser wants all files, one after the other. */
export function refuseParser(format: Format): void {
  if ('parse' in format)
    throw new UserError(
      `--engine spark does not read ${format.name}, which has a parser of its own: import it without --engine`,
    );
}

/** Reads all files; makes `staged` and `compared_queries` (query, compared). Returns how many records they hold. */
export async function stageOnSpark(
  engine: SparkEngine,
  format: Format,
  files: readonly Assigned[],
  { memory, unitBytes = UNIT_BYTES }: ReadingOptions,
): Promise<number> {
  refuseParser(format);
  const inputs = files.map(({ input }) => input);
  const canCut = [];
  for (const input of inputs)
    canCut.push((await kindOf(input)) === 'none' && (await sampleOf(input, engine.database)).container === 'lines');
  const found = inputs.map(({ name, path }) => ({ name, path: resolve(path) }));
  const units = await unitsOf(found, canCut, unitBytes);
  const folder = join(engine.folder, 'staged');
  await mkdir(folder, { recursive: true });
  const answers = await read(engine, units, { version: programVersion(), format: format.name, folder, memory });
  let records = 0;
  for (const answer of answers) {
    if ('refused' in answer) throw new UserError(answer.refused);
    records += answer.records;
  }
  await createStaged(engine, folder, units, answers);
  return records;
}

type SoundAnswer = Exclude<ReadingAnswer, { refused: string }>;

/** Has the units read, and returns the answers in order. */
async function read(
  engine: SparkEngine,
  units: readonly Unit[],
  order: Omit<ReadingOrder, 'unit'>,
): Promise<ReadingAnswer[]> {
  const program = [process.execPath, fileURLToPath(new URL('read-units.js', import.meta.url))];
  const command = program.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
  const values = units.map((unit) => `(${unit.number}, ${sparkText(JSON.stringify({ ...order, unit }))})`);
  const tasks = Math.min(units.length, Math.max(FEWEST_TASKS, Math.ceil(units.length / UNITS_OF_TASK)));
  const rows = await engine.session.rows(
    `SELECT TRANSFORM(asked) USING ${sparkText(command)} AS (answer STRING) FROM (
      SELECT /*+ REPARTITION_BY_RANGE(${tasks}, number) */ number, asked FROM VALUES ${values.join(', ')} AS units(number, asked))`,
    'reading the log',
  );
  const answers = rows
    .map(({ answer }) => JSON.parse(answer as string) as ReadingAnswer)
    .sort((a, b) => a.unit - b.unit);
  assert(
    answers.length === units.length && answers.every(({ unit }, i) => unit === i),
    `${answers.length} units of ${units.length} were read`,
  );
  return answers;
}

async function createStaged(
  engine: SparkEngine,
  folder: string,
  units: readonly Unit[],
  answers: readonly ReadingAnswer[],
): Promise<void> {
  const { text } = engine.dialect;
  const columns = Object.entries(STAGED).map(([name, type]) => `"${name}" ${type === 'VARCHAR' ? text : type}`);
  await engine.run(
    `CREATE TABLE staged_units (unit INTEGER, ${columns.join(', ')}, compared ${text}) USING parquet LOCATION ${sparkText(folder)}`,
  );
  // lines of a file in several units are counted on
  const before: number[] = [];
  for (const [i, { file }] of units.entries())
    before.push(units[i - 1]?.file === file ? (before[i - 1] as number) + (answers[i - 1] as SoundAnswer).lines : 0);
  const isCut = before.some((lines) => lines > 0);
  const names = Object.keys(STAGED)
    .map((name) => (name === 'line' && isCut ? 'line + before AS line' : `"${name}"`))
    .join(', ');
  const view = (entries: string): string =>
    `CREATE VIEW staged AS SELECT ${names} FROM ${entries}${isCut ? ' JOIN units_before ON units_before.unit = entries.unit' : ''}`;
  if (isCut) {
    const rows = `SELECT * FROM (VALUES ${before.map((lines, unit) => `(${unit}, ${lines})`).join(', ')}) AS t(unit, before)`;
    await engine.run(`CREATE TABLE units_before AS ${rows}`);
    await engine.database.run(`CREATE TABLE units_before AS ${rows}`);
  }
  await engine.run(view('staged_units AS entries'));
  await engine.database.run(`${view(`${parquetFolder(folder)} AS entries`)} WHERE kind IN ('item', 'user')`);
  await engine.database.run(`CREATE TABLE rejected (${rejectedColumns('VARCHAR')})`);
  await engine.run(`CREATE TABLE compared_queries AS
    SELECT query, min(compared) AS compared FROM staged_units WHERE query IS NOT NULL GROUP BY query`);
}
