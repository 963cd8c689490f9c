/**
 * Slice by slice: what each row of a comparison, or a run, comes to for users or targets of one kind. Knows the ranks that a comparison
 * keeps, so that nothing is tested again, and the validation of a run; does not know how slices are shown.
 */
import { join } from 'node:path';
import { at, isThere } from '../../base/index.js';
import { type Dataset, loadDataset } from '../../data/index.js';
import {
  type Protocol,
  type SlicingName,
  type StudentInterval,
  type UserRanks,
  ranksOf,
  slicesOf,
  studentInterval,
  userMeans,
} from '../../evaluate/index.js';
import { type Run, dataOf } from '../../model/index.js';
import { readKeptTests } from '../comparison/kept-tests.js';
import { type PerProtocol, type RowResult, perProtocol, smallestTests } from '../comparison/results.js';
import { CHIEF } from '../comparison/row-tests.js';
import { type SliceResults, evaluateSlices } from '../details.js';
import { type ProtocolResult, evaluateRun } from '../evaluation.js';
import type { ComputeFlags } from '../options.js';
import { validationCandidatesOf } from '../run-plan.js';
import { type ComparisonFiles, runOfSeed } from './gathering.js';

/** One way to tell users apart, and NDCG@10 of every row in each slice. */
export interface SlicedRows {
  readonly name: SlicingName;
  readonly rule: string;
  readonly slices: readonly { readonly name: string; readonly users: PerProtocol<number> }[];
  /** Per slice: the mean over users, each user's NDCG@10 averaged over seeds first, and its 95 % t-interval over users. */
  readonly rows: readonly { readonly row: RowResult; readonly values: PerProtocol<readonly StudentInterval[]> }[];
}

/** The slices of a comparison; null where its data or some of its ranks are not there any more. */
export async function slicedRows(files: ComparisonFiles): Promise<SlicedRows[] | null> {
  const { directory, results } = files;
  const tested = results.rows.filter(({ test }) => test !== null);
  const dataset = await datasetOf(files);
  if (!dataset || tested.length === 0 || !(await isThere(join(directory, 'test')))) return null;
  const { rows: known } = await readKeptTests(directory);
  // of what the results are of: more may have been tested since
  const kept = tested.map(({ label, seeds }) => {
    const tests = known.find((row) => row.label === label)?.tests ?? [];
    return tests.filter((test) => test.seed === null || seeds.some(({ seed }) => seed === test.seed));
  });
  const users = smallestTests(kept.flat());
  if (!users || kept.some((tests, i) => tests.length !== Math.max(1, (tested[i] as RowResult).seeds.length)))
    return null;
  const means = kept.map((tests) =>
    perProtocol((name) => userMeans(tests.map(({ ranks }) => ranksOf(ranks[name], users[name].user)))[CHIEF]),
  );
  return slicesOf(dataset, 'test').map(({ name, rule, slices }) => {
    const places = slices.map((slice) => perProtocol((name) => placesOf(slice.users, users[name])));
    return {
      name,
      rule,
      slices: slices.map(({ name }, i) => ({
        name,
        users: perProtocol((protocol) => (places[i] as PerProtocol<number[]>)[protocol].length),
      })),
      rows: tested.map((row, i) => ({
        row,
        values: perProtocol((protocol) =>
          places.map((own) => {
            const values = (means[i] as PerProtocol<Float64Array>)[protocol];
            return studentInterval(own[protocol].map((place) => at(values, place)));
          }),
        ),
      })),
    };
  });
}

/** Where users of a slice stand among those who were ranked for. */
function placesOf(slice: Int32Array, { user }: UserRanks): number[] {
  const own = new Set(slice);
  return Array.from(user).flatMap((index, place) => (own.has(index) ? [place] : []));
}

/** The data set of the comparison, of any run that has it still. */
async function datasetOf({ directory, results }: ComparisonFiles): Promise<Dataset | null> {
  for (const row of results.rows)
    for (const { seed } of row.seeds) {
      const data = dataOf(runOfSeed(directory, row, seed));
      if (await isThere(data)) return loadDataset(data);
    }
  return null;
}

/** Slices of the validation of a run, beside popularity. */
export interface SlicedRun extends SliceResults {
  readonly protocol: Protocol;
}

/** At most so many users: a report is to take seconds. */
const MOST_USERS = 2000;

/** The slices of a run's validation, among its candidates; of a seeded sample where users are many. The test is not looked at. */
export async function slicedRun(run: Run, compute: ComputeFlags): Promise<SlicedRun> {
  const { dataset, directory } = run;
  const { results } = await evaluateRun(run, compute, {
    on: 'validation',
    protocols: ['sampled'],
    candidates: await validationCandidatesOf(directory, dataset),
    seed: 1,
    users: { sampled: MOST_USERS },
    again: false,
    record: false,
  });
  const [result] = results as [ProtocolResult];
  return {
    ...evaluateSlices(slicesOf(dataset, 'validation'), result),
    protocol: result.evaluation.protocol,
  };
}
