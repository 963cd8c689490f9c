/** `sesrec evaluate`: figures of a run, with their protocol beside them. Knows how they are shown; cli/evaluation.ts does the work. */
import { Command, Option } from 'commander';
import { UsageError, countOf, counted } from '../../base/index.js';
import { type Dataset, type HeldOut } from '../../data/index.js';
import {
  type Candidates,
  type Evaluation,
  METRICS,
  type ProtocolName,
  loadOrDrawCandidates,
  readCandidatesFile,
  slicesOf,
} from '../../evaluate/index.js';
import { type Run, dataOf, loadRun } from '../../model/index.js';
import {
  type SliceResults,
  chooseCategory,
  evaluateLists,
  evaluateSlices,
  listsText,
  slicesDocument,
  slicesText,
} from '../details.js';
import { type ProtocolResult, evaluateRun } from '../evaluation.js';
import {
  type ComputeFlags,
  candidateCountOption,
  deviceOption,
  jsonOption,
  threadsOption,
  wholeNumber,
} from '../options.js';
import { note, printJson, printText } from '../output.js';
import { perSecond } from '../progress.js';
import { textTable } from '../table.js';

interface EvaluateFlags extends ComputeFlags {
  readonly on: HeldOut;
  readonly protocol: ProtocolName | 'both';
  readonly candidates?: string;
  readonly candidateCount: number;
  readonly seed: number;
  readonly users?: number;
  readonly again?: boolean;
  readonly details?: boolean;
  readonly category?: string;
  readonly json?: boolean;
}

export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('HIT, NDCG and MRR of a run on held-out events, beside popularity, random and chance')
    .argument('<run>', 'a directory made by sesrec train')
    .addOption(
      new Option(
        '--on <held-out>',
        'which held-out event is predicted; each look at test is recorded in the run, a second one needs --again',
      )
        .choices(['validation', 'test'])
        .default('validation'),
    )
    .addOption(
      new Option(
        '--protocol <name>',
        'sampled: among 99 uniform unseen items; full: among all items, seen ones removed; both: one after the other',
      )
        .choices(['sampled', 'full', 'both'])
        .default('sampled'),
    )
    .option(
      '--candidates <file>',
      'candidate lists to use instead (JSON lines, or S3-Rec text), for the sampled protocol',
    )
    .addOption(candidateCountOption())
    .option('--seed <number>', 'seed of the candidates, and of the users with --users', wholeNumber(0), 1)
    .option('--users <number>', 'evaluate a seeded sample of this many users only', wholeNumber(1))
    .option('--again', 'look at test once more, at something not seen yet; it is counted')
    .option(
      '--details',
      'also metrics by slices of the users, and what the recommended lists are like (of a seeded sample of 2,000 users unless --users says otherwise)',
    )
    .option(
      '--category <attribute>',
      'with --details, the item attribute that lists are to differ in (default: category, where there is one)',
    )
    .addOption(threadsOption())
    .addOption(deviceOption())
    .addOption(jsonOption())
    .action(async (directory: string, flags: EvaluateFlags, command: Command) => {
      if (flags.protocol === 'full' && command.getOptionValueSource('candidateCount') === 'cli')
        throw new UsageError('--candidate-count belongs to --protocol sampled');
      if (flags.category !== undefined && !flags.details) throw new UsageError('--category belongs to --details');
      const run = await loadRun(directory);
      const category = chooseCategory(run.dataset, flags.category);
      const { results, look } = await evaluateRun(run, flags, {
        on: flags.on,
        protocols: flags.protocol === 'both' ? ['sampled', 'full'] : [flags.protocol],
        candidates: await chooseCandidates(dataOf(directory), run.dataset, flags),
        seed: flags.seed,
        ...(flags.users === undefined ? {} : { users: { sampled: flags.users, full: flags.users } }),
        again: flags.again === true,
        record: true,
      });
      const slicings = flags.details ? slicesOf(run.dataset, flags.on) : null;
      const slices = results.map((result) => slicings && evaluateSlices(slicings, result));
      const lists = flags.details ? await evaluateLists(run, flags, { ...flags, category }) : null;
      if (flags.json) {
        const documents = results.map(
          (result, i) => [result.evaluation.protocol.name, documentOf(result, slices[i] ?? null)] as const,
        );
        const [first] = documents as [(typeof documents)[number]];
        printJson({
          ...(flags.protocol === 'both' ? { protocols: Object.fromEntries(documents) } : first[1]),
          ...(lists ? { lists } : {}),
          run: runBlock(run),
          ...(look === null ? {} : { look }),
          seconds: results.reduce((sum, { seconds }) => sum + seconds, 0),
        });
      } else {
        const label = `${run.manifest.model} ${run.manifest.preset}`;
        const tables = results.flatMap(({ evaluation, sanity }, i) => [
          evaluationTable([{ ...evaluation, ranker: label }, ...sanity]),
          ...(slices[i] ? [slicesText(slices[i])] : []),
        ]);
        if (lists) tables.push(listsText(label, lists));
        if (look !== null) tables.push(`look ${look} at the test of this run`);
        printText(tables.join(results.length > 1 || flags.details ? '\n\n' : '\n'));
      }
      for (const { evaluation, seconds } of results)
        note(
          `${evaluation.protocol.name}: ${seconds.toFixed(1)} s, ${perSecond(evaluation.users, seconds)} users per second`,
        );
      for (const { path } of results) note(`result: ${path}`);
    });
}

const documentOf = ({ evaluation, sanity, seconds }: ProtocolResult, slices: SliceResults | null) => {
  const { metrics, intervals, users, tieRate, protocol, chance } = evaluation;
  return {
    metrics,
    users,
    protocol,
    intervals,
    tieRate,
    chance,
    usersPerSecond: users / seconds,
    ...(slices ? { slices: slicesDocument(slices) } : {}),
    ...Object.fromEntries(sanity.map((line) => [line.ranker, { metrics: line.metrics, tieRate: line.tieRate }])),
  };
};

const runBlock = ({ manifest: { model, preset, training, dataHash }, version }: Run) => ({
  model,
  preset,
  seed: training.seed,
  version,
  dataHash,
});

/** The lists of the sampled protocol: from a file, or drawn once per data set and seed and kept there. */
async function chooseCandidates(
  directory: string,
  dataset: Dataset,
  { protocol, candidates, candidateCount, seed }: EvaluateFlags,
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

/** Which targets are new to training, and what was not evaluated, and why; nothing when that is nothing. */
function targetsText({ on, leftOut, unknownTargets, newItems }: Evaluation['protocol']): string {
  const targets = (count: number): string => countOf(count, `more ${on} target`);
  const lines = [];
  if (newItems)
    lines.push(
      `new to training, known by their attributes alone: ${counted(newItems.items)} of the items, ${counted(newItems.targets)} of the targets`,
    );
  if (unknownTargets > 0) lines.push(`left out: ${targets(unknownTargets)} on items that training does not know`);
  if (leftOut > 0) lines.push(`left out: ${targets(leftOut)} without the history that is needed`);
  return lines.map((line) => `\n${line}`).join('');
}

/** Figures of several rankers under one protocol, the half width of the first one's 95 % interval, chance, and the protocol in words. */
function evaluationTable(results: readonly Evaluation[]): string {
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
ties: ${protocol.tieRule}${targetsText(protocol)}`;
}
