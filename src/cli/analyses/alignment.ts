/** `sesrec analyse alignment`: Figure 4 of the SESRec paper. Knows which runs may be compared, and how it is told and drawn; analyse/alignment.ts measures. */
import * as Plot from '@observablehq/plot';
import { Option } from 'commander';
import { type Aligned, type Measure, type PairSample, MEASURES, alignment, samplePairs } from '../../analyse/index.js';
import { UserError, counted } from '../../base/index.js';
import { type Box, type Candidates, USUAL_COUNT } from '../../evaluate/index.js';
import { COLOURS, drawFigure } from '../../figure/index.js';
import { type SesrecConfig, alignedVectors, dataOf, models } from '../../model/index.js';
import type { Runtime } from '../../tensor/index.js';
import { type ComputeFlags, deviceOption, threadsOption, wholeNumber, withRuntime } from '../options.js';
import { validationCandidatesOf } from '../run-plan.js';
import { markdownTable } from '../table.js';
import type { Analysis } from './analysis.js';
import { between, cell, decimals } from './numbers.js';
import { type SesrecRun, loadSesrecRun, runBlock, runText } from './sesrec-run.js';

interface AlignmentFlags extends ComputeFlags {
  readonly without?: string;
  readonly pairs: number;
  readonly seed: number;
}

export const alignmentAnalysis: Analysis<AlignmentFlags> = {
  name: 'alignment',
  summary:
    'whether queries lie near the items that are clicked for them, with and without the alignment loss (Figure 4 of the SESRec paper)',
  argument: ['run', 'a directory made by sesrec train --model sesrec'],
  options: [
    new Option(
      '--without <run>',
      'a run that differs in nothing but the alignment (--set useAlignment=false, or alpha=0) and perhaps the seed',
    ),
    new Option('--pairs <number>', 'at most so many distinct clicked pairs, a seeded sample')
      .argParser(wholeNumber(1, 1_000_000))
      .default(10_000),
    new Option('--seed <number>', 'seed of the sample, the random pairs and the intervals')
      .argParser(wholeNumber(0))
      .default(1),
    threadsOption(),
    deviceOption(),
  ],
  find: async (given, flags) => {
    const run = await loadSesrecRun(given);
    const other = flags.without === undefined ? null : await loadSesrecRun(flags.without);
    if (!isAligned(run))
      throw new UserError(
        `${given} was trained without the alignment loss: give it as --without, beside a run with it`,
      );
    if (other) refuseOthers(run, other);
    const sample = samplePairs(run.dataset, { most: flags.pairs, seed: flags.seed });
    const measured: Measured[] = await withRuntime(flags, async (runtime) => [
      { ...(await measure(run, runtime, sample, flags.seed)), name: 'with the alignment' },
      ...(other ? [{ ...(await measure(other, runtime, sample, flags.seed)), name: 'without it' }] : []),
    ]);
    const { clicked, random, distinct, withoutOther } = sample;
    const pairs = { distinct, clicked: clicked.items.length, random: random.items.length, withoutOther };
    return {
      document: {
        runs: measured.map(({ name, run: own, measures }) => ({ name, run: runBlock(own), measures })),
        pairs,
        protocol: { seed: flags.seed, measures: MEASURE_TEXTS },
      },
      rows: rowsOf(measured),
      figure: figureOf(measured),
      text: textOf(
        measured,
        pairs,
        trainingWithout(run, await validationCandidatesOf(run.directory, run.dataset)),
        flags.seed,
      ),
    };
  },
};

/** What was measured of one run. */
interface Measured {
  readonly name: string;
  readonly run: SesrecRun;
  readonly measures: Readonly<Record<Measure, Aligned | null>>;
}

async function measure(run: SesrecRun, runtime: Runtime, sample: PairSample, seed: number) {
  const vectors = await alignedVectors(run.config, run.parameters, run.dataset, runtime);
  return { run, measures: alignment(vectors, sample, seed) };
}

const isAligned = ({ config: { useAlignment, alpha } }: SesrecRun): boolean => useAlignment && alpha > 0;

/** What makes a run one with or without the alignment. */
const ALIGNMENT_SETTINGS: readonly string[] = [
  'useAlignment',
  'alpha',
  'temperature',
  'alignmentNegatives',
  'alignmentIncludesPositive',
  'alignmentReduction',
  'transposedItemToQuery',
] satisfies (keyof SesrecConfig)[];

/** Whoever compares two runs wants to see the alignment, and nothing else that differs. */
function refuseOthers(run: SesrecRun, without: SesrecRun): void {
  if (isAligned(without))
    throw new UserError(
      `--without ${without.directory}: it was trained with the alignment loss, alpha ${without.config.alpha}`,
    );
  const settingsOf = ({ manifest: { shape, config, training, dataHash } }: SesrecRun): Record<string, unknown> => ({
    data: dataHash,
    shape,
    ...config,
    ...training,
  });
  const [one, other] = [settingsOf(run), settingsOf(without)];
  const differing = Object.keys({ ...one, ...other }).filter(
    (name) =>
      name !== 'seed' &&
      !ALIGNMENT_SETTINGS.includes(name) &&
      JSON.stringify(one[name]) !== JSON.stringify(other[name]),
  );
  if (differing.length > 0)
    throw new UserError(
      `--without ${without.directory}: it differs from ${run.directory} in more than the alignment (${differing.join(', ')}); sesrec analyse alignment ${run.directory} says how to train one that does not`,
    );
}

/** The command that trains the run to compare with. */
function trainingWithout({ directory, manifest, config }: SesrecRun, candidates: Candidates): string {
  const { model, preset, shape, training } = manifest;
  const usual = models[model].settings(preset, shape) as unknown as Record<string, unknown>;
  const changed = Object.entries(usual)
    .map(([name]) => [name, (config as unknown as Record<string, unknown>)[name]] as const)
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(usual[name]) && name !== 'useAlignment');
  const attributes = (owner: 'item' | 'user'): string[] => {
    const names = config[`${owner}Attributes`].map(({ name }) => name);
    return names.length === 0 ? [] : [`--${owner}-attributes ${names.join(',')}`];
  };
  return [
    `sesrec train ${dataOf(directory)} --model ${model} --preset ${preset} --shape ${shape}`,
    `--seed ${training.seed} --epochs ${training.epochs} --batch-size ${training.batchSize} --optimizer ${training.optimizer}`,
    `--learning-rate ${training.learningRate} --learning-rate-patience ${training.learningRatePatience}`,
    `--weight-decay ${training.weightDecay} --patience ${training.patience}`,
    `--bucket-batches ${training.bucketBatches ?? 0} --batch-parts ${training.batchParts ?? 1}`,
    ...(training.shuffle ? [] : ['--no-shuffle']),
    ...(candidates.seed === null ? ['--candidates FILE'] : []),
    ...(candidates.count === USUAL_COUNT || candidates.seed === null ? [] : [`--candidate-count ${candidates.count}`]),
    ...(training.warmFrom === undefined ? [] : ['--warm RUN']),
    ...(training.validationUsers === null ? [] : [`--validation-users ${training.validationUsers}`]),
    ...(training.validationProtocol === undefined ? [] : [`--validation-protocol ${training.validationProtocol}`]),
    ...attributes('item'),
    ...attributes('user'),
    ...changed.map(([name, value]) => `--set '${name}=${typeof value === 'string' ? value : JSON.stringify(value)}'`),
    `--set useAlignment=false --out ${directory}-without-alignment`,
  ].join(' ');
}

const MEASURE_TEXTS: Readonly<Record<Measure, string>> = {
  cosine: 'cos(q, i)',
  mapped: 'cos(W_A^T q, i)',
  similarity: 's = tanh(q^T W_A i)',
};
const KINDS = ['clicked', 'random'] as const;

/** Every box that there is. */
const boxesOf = (measured: readonly Measured[]) =>
  MEASURES.flatMap((name) =>
    measured.flatMap((one) => {
      const aligned = one.measures[name];
      return aligned ? KINDS.map((kind) => ({ measure: name, run: one.name, kind, box: aligned[kind] })) : [];
    }),
  );

const rowsOf = (measured: readonly Measured[]) => [
  [
    'measure',
    'run',
    'pairs',
    'count',
    'mean',
    'low whisker',
    'first quartile',
    'median',
    'third quartile',
    'high whisker',
    'outliers',
  ],
  ...boxesOf(measured).map(({ measure: name, run, kind, box }) => [
    name,
    run,
    kind,
    box.count,
    ...[box.mean, box.whiskers[0], ...box.quartiles, box.whiskers[1]].map(cell),
    box.outliers,
  ]),
];

/** Box plots that lie: a panel per measure, the mean as a dot. */
function figureOf(measured: readonly Measured[]): string {
  const boxes = boxesOf(measured).map(({ measure: name, run, kind, box }) => ({
    measure: MEASURE_TEXTS[name],
    group: `${run}, ${kind}`,
    kind,
    mean: box.mean,
    low: box.whiskers[0],
    first: box.quartiles[0],
    median: box.quartiles[1],
    third: box.quartiles[2],
    high: box.whiskers[1],
  }));
  const panels = MEASURES.map((name) => MEASURE_TEXTS[name]).filter((name) =>
    boxes.some((box) => box.measure === name),
  );
  const groups = [...new Set(boxes.map(({ group }) => group))];
  const absent = panels.flatMap((panel) =>
    groups
      .filter((group) => !boxes.some((box) => box.measure === panel && box.group === group))
      .map((group) => ({ measure: panel, group, text: 'has no W_A' })),
  );
  const where = { y: 'group', fy: 'measure' };
  const colour = ({ kind }: (typeof boxes)[number]): string => (kind === 'clicked' ? COLOURS[0] : COLOURS[1]);
  return drawFigure({
    description: `Box plots of how near queries lie to items. ${boxes.map((box) => `${box.measure}, ${box.group}: median ${decimals(box.median)}, mean ${decimals(box.mean)}`).join('; ')}`,
    height: 80 + panels.length * (40 + 34 * groups.length),
    marginLeft: 190,
    marginTop: 40,
    marginBottom: 50,
    x: { label: 'dot: mean; box: quartiles; whiskers: within 1.5 interquartile ranges', domain: [-1, 1], grid: true },
    y: { label: null, domain: groups },
    fy: { label: null, domain: panels, axis: null, padding: 0.25 },
    marks: [
      Plot.ruleX([0]),
      Plot.link(boxes, { ...where, x1: 'low', x2: 'high' }),
      Plot.barX(boxes, { ...where, x1: 'first', x2: 'third', fill: colour, insetTop: 5, insetBottom: 5 }),
      Plot.tickX(boxes, { ...where, x: 'median', stroke: 'white', strokeWidth: 2, insetTop: 5, insetBottom: 5 }),
      Plot.dot(boxes, { ...where, x: 'mean', r: 4, fill: 'white', stroke: 'currentColor' }),
      Plot.text(absent, { ...where, x: 0, dx: 8, text: 'text', textAnchor: 'start', fontStyle: 'italic' }),
      Plot.text(panels, {
        fy: (name: string) => name,
        text: (name: string) => name,
        frameAnchor: 'top-left',
        dy: -16,
        fontWeight: 'bold',
      }),
    ],
  });
}

function textOf(
  measured: readonly Measured[],
  {
    distinct,
    clicked,
    random,
    withoutOther,
  }: Readonly<Record<'distinct' | 'clicked' | 'random' | 'withoutOther', number>>,
  command: string,
  seed: number,
): string {
  const boxCell = ({ mean, quartiles: [first, median, third] }: Box): string =>
    `${decimals(mean)}; ${decimals(first)}, ${decimals(median)}, ${decimals(third)}`;
  const rows = MEASURES.flatMap((name) =>
    measured.flatMap((one) => {
      const aligned = one.measures[name];
      return aligned
        ? [
            [
              MEASURE_TEXTS[name],
              one.name,
              boxCell(aligned.clicked),
              boxCell(aligned.random),
              decimals(aligned.auc),
              between(aligned.interval),
            ],
          ]
        : [];
    }),
  );
  return [
    measured.map(({ name, run }) => `${name}: ${runText(run)}`).join('\n'),
    `${counted(clicked)} of ${counted(distinct)} distinct clicked pairs of a query and an item in training${clicked < distinct ? ` (a sample, seed ${seed})` : ''}; ${counted(random)} random pairs${withoutOther > 0 ? ` (${counted(withoutOther)} queries have no item that was not clicked for them)` : ''}`,
    markdownTable([['', '', 'clicked: mean; quartiles', 'random', 'AUC', '95 %'], ...rows], '<<'),
    ...(measured.length > 1
      ? []
      : [`to compare with a run without the alignment, train it and give it as --without:\n${command}`]),
    `q and i are the projected vectors of query and item (Eq. 1). A random pair is the query of a clicked pair with the item of another one, not clicked for it: so neither queries nor what is popular differ between the two. AUC: how likely a clicked pair measures more than a random one, ties one half, .5 is chance; its interval draws queries, and says nothing of another training. The pairs are those that training saw: this shows what the loss did to them, not that it carries over to new ones, nor that recommendations are better for it. The loss trains s and not the cosine: W_A may turn one space against the other, so cos(q, i) need not rise where cos(W_A^T q, i) does; a run without the alignment has no W_A${measured.some(({ measures }) => measures.mapped === null) ? '' : ', or an untrained one'}. Vectors of two runs are compared by their own pairs only.`,
  ].join('\n\n');
}
