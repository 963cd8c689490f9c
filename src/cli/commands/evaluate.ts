/** `sesrec evaluate`: test figures of a run, with their protocol beside them. Knows how they are shown; evaluate/ does the work. */
import { Command, Option } from 'commander';
import { UsageError } from '../../base/index.js';
import { type Dataset, type HeldOut } from '../../data/index.js';
import {
  type Candidates,
  type Evaluation,
  METRICS,
  type ProtocolName,
  evaluate,
  loadOrDrawCandidates,
  readCandidatesFile,
} from '../../evaluate/index.js';
import { type Ranker, SesrecRanker, dataOf, loadRun, popularityRanker, randomRanker } from '../../model/index.js';
import {
  type ComputeFlags,
  candidateCountOption,
  deviceOption,
  jsonOption,
  threadsOption,
  wholeNumber,
  withRuntime,
} from '../options.js';
import { note, printJson, printText } from '../output.js';
import { progressLine } from '../progress.js';
import { textTable } from '../table.js';

interface EvaluateFlags extends ComputeFlags {
  readonly on: HeldOut;
  readonly protocol: ProtocolName;
  readonly candidates?: string;
  readonly candidateCount: number;
  readonly seed: number;
  readonly users?: number;
  readonly json?: boolean;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('HIT, NDCG and MRR of a run on held-out events, beside popularity, random and chance')
    .argument('<run>', 'a directory made by sesrec train')
    .addOption(
      new Option('--on <held-out>', 'which held-out event is predicted')
        .choices(['validation', 'test'])
        .default('test'),
    )
    .addOption(
      new Option(
        '--protocol <name>',
        'sampled: among 99 uniform unseen items; full: among all items, seen ones removed',
      )
        .choices(['sampled', 'full'])
        .default('sampled'),
    )
    .option(
      '--candidates <file>',
      'candidate lists to use instead (JSON lines, or S3-Rec text), for --protocol sampled',
    )
    .addOption(candidateCountOption())
    .option('--seed <number>', 'seed of the candidates, and of the users with --users', wholeNumber(0), 1)
    .option('--users <number>', 'evaluate a seeded sample of this many users only', wholeNumber(1))
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (directory: string, flags: EvaluateFlags) => {
      const run = await loadRun(directory);
      const { dataset } = run;
      const candidates = await chooseCandidates(dataOf(directory), dataset, flags);
      const progress = progressLine();
      const options = {
        on: flags.on,
        protocol: flags.protocol,
        seed: flags.seed,
        ...(flags.users === undefined ? {} : { users: flags.users }),
        ...(candidates === null ? {} : { candidates }),
      };
      const start = performance.now();
      const result = await withRuntime(flags, (runtime) =>
        evaluate(new SesrecRanker(run.manifest.config, run.parameters, dataset, runtime), dataset, {
          ...options,
          onProgress: (done, total) => progress.update('evaluating', done, total),
        }),
      );
      progress.clear();
      const seconds = (performance.now() - start) / 1000;
      const sanity: Ranker[] = [popularityRanker(dataset), randomRanker(dataset, flags.seed)];
      const lines = await Promise.all(sanity.map((ranker) => evaluate(ranker, dataset, options)));
      if (flags.json) {
        const { metrics, intervals, users, tieRate, protocol, chance } = result;
        printJson({
          metrics,
          users,
          protocol,
          intervals,
          tieRate,
          chance,
          ...Object.fromEntries(lines.map((line) => [line.ranker, { metrics: line.metrics, tieRate: line.tieRate }])),
          run: {
            model: run.manifest.model,
            preset: run.manifest.preset,
            seed: run.manifest.training.seed,
            version: run.version,
            dataHash: run.manifest.dataHash,
          },
          seconds,
        });
      } else {
        printText(evaluationTable([{ ...result, ranker: `${run.manifest.model} ${run.manifest.preset}` }, ...lines]));
        note(`${seconds.toFixed(1)} s`);
      }
    });
}

/** The lists of the sampled protocol: from a file, or drawn once per data set and seed and kept there. */
export async function chooseCandidates(
  directory: string,
  dataset: Dataset,
  {
    protocol,
    candidates,
    candidateCount,
    seed,
  }: Pick<EvaluateFlags, 'protocol' | 'candidates' | 'candidateCount' | 'seed'>,
): Promise<Candidates | null> {
  if (protocol === 'full') {
    if (candidates !== undefined)
      throw new UsageError('--candidates belongs to --protocol sampled: the full protocol ranks among all items');
    return null;
  }
  return candidates === undefined
    ? loadOrDrawCandidates(directory, dataset, { count: candidateCount, seed })
    : readCandidatesFile(candidates, dataset);
}

/** What was not evaluated, and why; nothing when that is nothing. */
function leftOutText({ on, leftOut, unknownTargets }: Evaluation['protocol']): string {
  const targets = (count: number): string =>
    `${count.toLocaleString('en-US')} more ${on} ${count === 1 ? 'target' : 'targets'}`;
  const lines = [];
  if (unknownTargets > 0) lines.push(`left out: ${targets(unknownTargets)} on items that training does not know`);
  if (leftOut > 0) lines.push(`left out: ${targets(leftOut)} without the history that is needed`);
  return lines.map((line) => `\n${line}`).join('');
}

/** Figures of several rankers under one protocol, the half width of the first one's 95 % interval, chance, and the protocol in words. */
export function evaluationTable(results: readonly Evaluation[]): string {
  const [first] = results as [Evaluation];
  const figures = (label: string, values: Readonly<Record<string, number>>, prefix = ''): string[] => [
    label,
    // one user has no interval
    ...METRICS.map((metric) => (Number.isNaN(values[metric]) ? '–' : prefix + (values[metric] as number).toFixed(4))),
  ];
  const halfWidths = Object.fromEntries(
    METRICS.map((metric) => [metric, (first.intervals[metric][1] - first.intervals[metric][0]) / 2]),
  );
  const rows = [
    ['', ...METRICS.map((metric) => metric.toUpperCase())],
    ...results.flatMap((result, position) => [
      figures(result.ranker, result.metrics),
      ...(position === 0 ? [figures('  95 % interval', halfWidths, '±')] : []),
    ]),
    figures('chance', first.chance),
  ];
  const { protocol } = first;
  const counted = protocol.sample
    ? `a seeded sample of ${protocol.sample.users} of ${protocol.sample.of} users`
    : `${first.users} users`;
  return `${textTable(rows)}
${protocol.on}, ${protocol.split}, ${counted}; candidates: ${protocol.candidates}${protocol.seenItemsRemoved ? ', seen ones removed' : ''}${protocol.hash ? ` (${protocol.hash.slice(0, 12)})` : ''}
ties: ${protocol.tieRule}${leftOutText(protocol)}`;
}
