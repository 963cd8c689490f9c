/** `sesrec analyse planted`: a model's split against the planted truth of a simulated log. Knows how it is told and drawn; analyse/planted.ts compares. */
import * as Plot from '@observablehq/plot';
import { Option } from 'commander';
import {
  type BootstrapEstimate,
  type LaneFigures,
  type Planted,
  type Reading,
  type Scorer,
  type ScorerFigures,
  type TwoWays,
  READINGS,
  categoryOf,
  planted,
  plantedCategoryScorers,
  plantedWindows,
  ruleScorers,
  similarityScorer,
  splitScorer,
  testMoments,
} from '../../analyse/index.js';
import { UserError, counted } from '../../base/index.js';
import { readManifest } from '../../data/index.js';
import { LANES, type Lane } from '../../features/index.js';
import { COLOURS, drawFigure } from '../../figure/index.js';
import { type Parameters, alignedVectors, parametersOf } from '../../model/index.js';
import { readTruth } from '../../simulate/index.js';
import { interruptible } from '../interruption.js';
import { type ComputeFlags, deviceOption, threadsOption, wholeNumber, withRuntime } from '../options.js';
import { progressLine } from '../progress.js';
import { markdownTable } from '../table.js';
import type { Analysis } from './analysis.js';
import { between, cell, decimals } from './numbers.js';
import { type SesrecRun, loadSesrecRun, runBlock, runText, splitsOf } from './sesrec-run.js';

interface PlantedFlags extends ComputeFlags {
  readonly truth: string;
  readonly category: string;
  readonly resamples: number;
  readonly seed: number;
}

export const plantedAnalysis: Analysis<PlantedFlags> = {
  name: 'planted',
  summary: 'whether similar and dissimilar agree with the interests that a simulated log was made of',
  argument: ['run', 'a directory made by sesrec train --model sesrec on simulated data'],
  options: [
    new Option(
      '--truth <data>',
      'the directory made by sesrec simulate that the run was trained on: the truth lies in it, and not in the run',
    ).makeOptionMandatory(),
    new Option('--category <attribute>', 'the item attribute that the simple rule goes by').default('category'),
    new Option('--resamples <number>', 'resamples of the intervals')
      .argParser(wholeNumber(39, 1_000_000))
      .default(1000),
    new Option('--seed <number>', 'seed of the intervals').argParser(wholeNumber(0)).default(1),
    threadsOption(),
    deviceOption(),
  ],
  find: async (given, flags) => {
    const run = await loadSesrecRun(given);
    const { dataset, manifest } = run;
    const { truth: place, category, resamples, seed } = flags;
    if ((await readManifest(place)).hash !== manifest.dataHash)
      throw new UserError(
        `${given} was trained on other data than ${place}: give the data it was trained on as --truth`,
      );
    const truth = await readTruth(place);
    const column = categoryOf(dataset, category);
    const cases = testMoments(dataset);
    if (manifest.training.warmFrom !== undefined)
      throw new UserError(
        `${given} began with the parameters of another run (--warm), which are not here: what it was before its first step cannot be told; give a run that began by itself`,
      );
    const untrained = parametersOf(run.model);
    untrained.initialise(manifest.training.seed);
    const { windows, scorers } = await interruptible(async (signal) =>
      withRuntime(flags, async (runtime) => {
        const split = async (what: string, parameters: Parameters) =>
          splitsOf(run, parameters, cases, runtime, { what: `splitting histories (${what})`, signal });
        const trained = await split('trained', run.parameters);
        const windows = plantedWindows(dataset, cases, trained, truth);
        const similarity = async (name: string, parameters: Parameters): Promise<Scorer[]> => {
          const vectors = await alignedVectors(run.config, parameters, dataset, runtime);
          const { bilinear } = vectors;
          return bilinear ? [similarityScorer(name, dataset, { ...vectors, bilinear }, windows)] : [];
        };
        return {
          windows,
          scorers: [
            splitScorer('trained', windows, trained),
            splitScorer('untrained', windows, await split('untrained', untrained)),
            ...ruleScorers(dataset, column, windows),
            ...(await similarity('similarity, trained', run.parameters)),
            ...(await similarity('similarity, untrained', untrained)),
            ...plantedCategoryScorers(windows),
          ],
        };
      }),
    );
    if (windows.length === 0)
      throw new UserError(`nobody in ${place} has feed events and searches before the test target`);
    const progress = progressLine();
    const found = planted(windows, scorers, {
      seed,
      resamples,
      onProgress: (done, total) => progress.update('comparing with the truth, part', done, total),
    });
    progress.clear();
    const users = { all: cases.length, compared: windows.length, oneHistory: cases.length - windows.length };
    const protocol = { category, resamples, seed, window: run.config.window, readings: READING_TEXTS };
    return {
      document: { run: runBlock(run), users, readings: found, protocol },
      rows: rowsOf(found),
      figure: figureOf(found),
      text: textOf(run, found, users, protocol),
    };
  },
};

/** What is truly similar, in words. */
const READING_TEXTS: Readonly<Record<Reading, string>> = {
  interest:
    'the interest behind the action (kind and category) is also behind an action of the other lane in the window',
  category:
    'the category of that interest is also that of an action of the other lane in the window, whatever is behind it',
  kind: 'the interest is one that the person both meets in the feed and searches for, whether or not both occur in the window',
};

/** What each scorer is, in words. */
const SCORER_TEXTS: Readonly<Record<string, string>> = {
  trained: "the run's split",
  untrained: 'the split of the same model before its first step',
  'category rule':
    'an action is similar when its category (of a search: one of its clicked items) occurred on the other side',
  'category share': "the rule, ordered by the share of the other side's actions in the category",
  'similarity, trained':
    'the greatest cos(W_A^T q, i) with an action of the other side, by the vectors that the alignment trains: what the model knows and the split does not ask',
  'similarity, untrained': 'the same before the first step',
  'planted category': 'the rule by the category that was planted, which nobody sees where a search has no click',
  'planted category share': 'the share by the planted category',
};

const MEASURES = ['auc', 'precision', 'recall'] as const;

const rowsOf = (found: Planted) => [
  ['truth', 'lane', 'scorer', 'what', 'over', 'value', 'low', 'high', 'users'],
  ...READINGS.flatMap((reading) =>
    LANES.flatMap((lane) =>
      found[reading][lane].scorers.flatMap((scorer) =>
        MEASURES.flatMap((measure) => {
          const figures = scorer[measure];
          if (!figures) return [];
          const row = (over: string, { value, interval }: BootstrapEstimate) => [
            reading,
            lane,
            scorer.name,
            measure,
            over,
            cell(value),
            ...interval.map(cell),
            figures.users,
          ];
          return [row('users', figures.perUser), row('actions', figures.pooled)];
        }),
      ),
    ),
  ),
];

/** AUC per user of every scorer, a panel per lane. */
function figureOf(found: Planted): string {
  const points = LANES.flatMap((lane) =>
    found.interest[lane].scorers.map(({ name, auc: { perUser } }) => ({
      lane: lane === 'feed' ? 'feed events' : 'searches',
      name,
      value: perUser.value,
      low: perUser.interval[0],
      high: perUser.interval[1],
      rightmost: Number.isFinite(perUser.interval[1]) ? perUser.interval[1] : perUser.value,
      label: decimals(perUser.value, 2),
      kind: name === 'trained' || name === 'untrained' ? 'split' : 'other',
    })),
  ).filter(({ value }) => Number.isFinite(value));
  const names = found.interest.feed.scorers.map(({ name }) => name);
  const colour = ({ kind }: (typeof points)[number]): string => (kind === 'split' ? COLOURS[1] : COLOURS[0]);
  return drawFigure({
    description: `AUC against the planted truth. ${points.map(({ lane, name, label }) => `${lane}, ${name}: ${label}`).join('; ')}`,
    height: 100 + 28 * names.length,
    marginLeft: 165,
    marginRight: 40,
    marginBottom: 50,
    x: { label: 'AUC against the planted interests (.5: chance)', domain: [0.3, 1], clamp: true, grid: true, ticks: 4 },
    y: { label: null, domain: names },
    fx: { label: null, domain: ['feed events', 'searches'], padding: 0.2 },
    marks: [
      Plot.ruleX([0.5], { strokeDasharray: '4 3' }),
      Plot.link(
        points.filter(({ low }) => Number.isFinite(low)),
        { x1: 'low', x2: 'high', y: 'name', fx: 'lane', stroke: colour, strokeWidth: 2 },
      ),
      Plot.dot(points, { x: 'value', y: 'name', fx: 'lane', fill: colour, r: 4, symbol: 'kind' }),
      Plot.text(points, { x: 'rightmost', y: 'name', fx: 'lane', text: 'label', dx: 6, textAnchor: 'start' }),
    ],
  });
}

const percent = (share: number): string => (Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : '–');
const LANE_NAMES: Readonly<Record<Lane, string>> = { feed: 'feed events', search: 'searches' };

function textOf(
  run: SesrecRun,
  found: Planted,
  users: { readonly all: number; readonly compared: number; readonly oneHistory: number },
  { category, resamples, window }: { category: string; resamples: number; window: { feed: number; search: number } },
): string {
  const alternatives = READINGS.filter((reading) => reading !== 'interest');
  const names = found.interest.feed.scorers.map(({ name }) => name);
  const valueOf = (reading: Reading, lane: Lane, name: string): string =>
    decimals(found[reading][lane].scorers.find((scorer) => scorer.name === name)?.auc.perUser.value ?? Number.NaN);
  return [
    runText(run),
    `${counted(users.compared)} of ${counted(users.all)} users; left out: ${counted(users.oneHistory)} with one history only`,
    ...LANES.flatMap((lane) => laneText(lane, found.interest[lane])),
    `AUC per user under other readings of the truth:`,
    markdownTable([
      ['', ...alternatives.flatMap((reading) => LANES.map((lane) => `${reading}, ${LANE_NAMES[lane]}`))],
      [
        'truly similar',
        ...alternatives.flatMap((reading) => LANES.map((lane) => percent(found[reading][lane].similar))),
      ],
      ...names.map((name) => [
        name,
        ...alternatives.flatMap((reading) => LANES.map((lane) => valueOf(reading, lane, name))),
      ]),
    ]),
    names.map((name) => `- ${name}: ${SCORER_TEXTS[name] ?? ''}`).join('\n'),
    `An action in the window (the newest ${window.feed} feed events and ${window.search} searches before the test target, which is not looked at) is truly similar when ${READING_TEXTS.interest}. Other readings, ${alternatives.map((reading) => `${reading}: ${READING_TEXTS[reading]}`).join('; ')}. AUC: how likely a truly similar action has the higher score of two actions of one lane, ties one half, .5 is chance; "per user": the mean over users with both classes, "pooled": over all actions, the co-attention times the length of the lane. Precision and recall: of the sides of Eq. 11 and 12; calling everything similar has the share of truly similar ones for its precision. Intervals: 95 %, ${resamples} resamples of users; they say nothing of another training or another simulated site. The category is ${JSON.stringify(category)}.`,
    'What this cannot show: whether real people have interests of this kind; whether a split that misses them makes worse recommendations; whether another split that the truth does not describe is a good one. The simulator ties an interest to a category, so whoever sees categories has most of the truth: a rule that does is no model of people, and a model that reaches it has learnt categories.',
  ].join('\n\n');
}

function laneText(lane: Lane, { actions, similar, withoutBothClasses, scorers }: LaneFigures): string[] {
  const twoWays = (figures: TwoWays | null): string =>
    figures ? `${decimals(figures.perUser.value)} / ${decimals(figures.pooled.value)}` : '';
  const row = ({ name, auc: { perUser, pooled }, behindFirst, precision, recall, called }: ScorerFigures): string[] => [
    name,
    decimals(perUser.value),
    between(perUser.interval),
    decimals(pooled.value),
    behindFirst ? between(behindFirst.interval) : '',
    twoWays(precision),
    twoWays(recall),
    called === null ? '' : percent(called),
  ];
  return [
    `${LANE_NAMES[lane]}: ${counted(actions)}, ${percent(similar)} truly similar; ${counted(withoutBothClasses)} users without both classes have no AUC of their own`,
    markdownTable([
      [
        '',
        'AUC per user',
        '95 %',
        'pooled',
        'trained minus it, 95 %',
        'precision per user / pooled',
        'recall',
        'called similar',
      ],
      ...scorers.map(row),
    ]),
  ];
}
