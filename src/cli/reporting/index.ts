/**
 * Makes a report: gathers, composes, writes one file. Knows whose timeline is shown and by which run; does not know options, nor how
 * pages look.
 *
 *   gathering.ts            what the files say
 *   person.ts               one person, as a model sees them
 *   comparison-words.ts     what a comparison comes to, in sentences
 *   comparison-report.ts    the sections of a comparison's report
 *   run-report.ts           the sections of a run's
 *   numbers.ts               numbers and lists in sentences
 *   slices.ts               a comparison's tests and a run's validation, slice by slice
 *   parts.ts                what both have
 */
import { UserError, isThere, refuseExisting, writeAtomically } from '../../base/index.js';
import { loadRun } from '../../model/index.js';
import { type Page, documentOf } from '../../report/index.js';
import type { ComparisonResults, RowResult } from '../comparison/results.js';
import { CHIEF, order } from '../comparison/row-tests.js';
import { validatedOtherwise } from '../comparison/run-plans.js';
import { type ComputeFlags, withRuntime } from '../options.js';
import { note } from '../output.js';
import { type Shown, comparisonPage } from './comparison-report.js';
import { summaryOf } from './comparison-words.js';
import { type ComparisonFiles, kindOf, readComparison, runOfSeed } from './gathering.js';
import { personOf } from './person.js';
import { readRun } from './run-files.js';
import { slicedRows, slicedRun } from './slices.js';
import { runPage, runSummary } from './run-report.js';

export interface ReportRequest extends ComputeFlags {
  readonly out: string;
  readonly overwrite?: boolean;
  /** Whose timeline is shown; chosen by a rule unless told. */
  readonly user?: string;
  /** Whether anybody's timeline is shown. */
  readonly person: boolean;
}

/** What a report shows, for programs. */
export interface ToldReport {
  readonly path: string;
  readonly kind: 'comparison' | 'run';
  readonly title: string;
  /** The paragraphs at its head. */
  readonly summary: readonly string[];
  readonly sections: readonly { readonly id: string; readonly title: string }[];
  /** The numbers that the summary is of. */
  readonly figures: unknown;
  /** Whose timeline is shown; null where nobody's is. */
  readonly person: string | null;
  readonly bytes: number;
}

/** Writes the report of a run or a comparison. Refuses an existing file unless told to overwrite it. */
export async function writeReport(directory: string, request: ReportRequest): Promise<ToldReport> {
  const { out, overwrite } = request;
  await refuseExisting(out, overwrite);
  const kind = await kindOf(directory);
  const made = kind === 'comparison' ? await ofComparison(directory, request) : await ofRun(directory, request);
  const text = documentOf(made.page);
  await writeAtomically(out, text);
  const { title, sections } = made.page;
  return {
    path: out,
    kind,
    title,
    summary: made.summary,
    sections: sections.map(({ id, title }) => ({ id, title })),
    figures: made.figures,
    person: made.person,
    bytes: Buffer.byteLength(text),
  };
}

interface Made extends Pick<ToldReport, 'summary' | 'figures' | 'person'> {
  readonly page: Page;
}

async function ofComparison(directory: string, request: ReportRequest): Promise<Made> {
  const files = await readComparison(directory);
  if (files.missing.length > 0) note(`not among the results yet: ${files.missing.join(', ')}`);
  const slices = await slicedRows(files);
  if (!slices) note(`the data or the ranks of ${directory} are not there any more: the report has no slices`);
  const shown = request.person ? await shownOf(files, request) : null;
  return {
    page: comparisonPage(files, slices, shown),
    summary: summaryOf(files),
    figures: chiefFigures(files.results),
    person: shown && shown.person.user,
  };
}

/** NDCG@10 of every row, best first, and the test of the first against the second. */
function chiefFigures({ rows, tests, protocols }: ComparisonResults): unknown {
  if (!protocols) return null;
  return Object.fromEntries(
    (['sampled', 'full'] as const).map((name) => [
      name,
      {
        metric: CHIEF,
        users: protocols[name].users,
        chance: protocols[name].chance[CHIEF],
        rows: order(rows, name, CHIEF).map(({ label, test, seeds }) => ({
          label,
          ...(test as NonNullable<typeof test>)[name][CHIEF],
          seeds: seeds.length,
        })),
        test: tests.find(({ protocol, metric }) => protocol === name && metric === CHIEF) ?? null,
      },
    ]),
  );
}

/** The person, by the best run of SESRec on validation: the test chooses nothing. */
async function shownOf(files: ComparisonFiles, request: ReportRequest): Promise<Shown | null> {
  const refuseUser = (why: string): void => {
    if (request.user !== undefined)
      throw new UserError(`--user ${request.user}: ${why}, and no other tells a timeline`);
  };
  const best = bestRun(files.results);
  if (!best) {
    refuseUser('no row of SESRec was trained');
    return null;
  }
  const directory = runOfSeed(files.directory, best.row, best.seed);
  if (!(await isThere(directory))) {
    const gone = `${directory} is not there any more`;
    refuseUser(gone);
    note(`${gone}: the report shows no timeline`);
    return null;
  }
  const run = await loadRun(directory);
  const person = await withRuntime(request, (runtime) => personOf(run, runtime, request.user));
  return person && { person, ...best };
}

/**
 * SESRec's row with the best mean validation MRR, and its best seed. Rows that are validated otherwise than most are told from these by no
 * figure, and count only where there are no others.
 */
function bestRun({ rows, plan: { options } }: ComparisonResults): { row: RowResult; seed: number } | null {
  const mean = ({ seeds }: RowResult): number =>
    seeds.reduce((sum, { validation }) => sum + validation.mrr, 0) / seeds.length;
  const all = rows.filter(({ model, seeds }) => model === 'sesrec' && seeds.length > 0);
  const alike = all.filter(({ label }) => validatedOtherwise(options, label) === '');
  const trained = alike.length > 0 ? alike : all;
  if (trained.length === 0) return null;
  const row = trained.reduce((best, row) => (mean(row) > mean(best) ? row : best));
  const { seed } = row.seeds.reduce((best, seed) => (seed.validation.mrr > best.validation.mrr ? seed : best));
  return { row, seed };
}

async function ofRun(directory: string, request: ReportRequest): Promise<Made> {
  const files = await readRun(directory);
  const person = request.person
    ? await withRuntime(request, (runtime) => personOf(files.run, runtime, request.user))
    : null;
  return {
    page: runPage(files, await slicedRun(files.run, request), person),
    summary: runSummary(files),
    figures: files.results.map(({ name, manifest: { figures } }) => ({ result: name, ...figures })),
    person: person && person.user,
  };
}
