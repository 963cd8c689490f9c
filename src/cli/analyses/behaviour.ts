/** `sesrec analyse behaviour`: Figure 1(b) of the SESRec paper. Knows how it is told and drawn; analyse/behaviour.ts counts. */
import * as Plot from '@observablehq/plot';
import { Option } from 'commander';
import { counted } from '../../base/index.js';
import { type Behaviour, type BehaviourShares, type Share, behaviour } from '../../analyse/index.js';
import { loadDataset } from '../../data/index.js';
import { COLOURS, LIGHT, drawFigure } from '../../figure/index.js';
import { dataDirectoryOf, namesIn, numberFrom } from '../options.js';
import { markdownTable } from '../table.js';
import type { Analysis } from './analysis.js';

interface BehaviourFlags {
  readonly category: string;
  readonly passive?: string;
  readonly days: number;
}

export const behaviourAnalysis: Analysis<BehaviourFlags> = {
  name: 'behaviour',
  summary: 'how people search, and whether for what they meet in the feed (Figure 1(b) of the SESRec paper)',
  argument: ['data', 'a directory made by sesrec import, simulate or train'],
  options: [
    new Option('--category <attribute>', 'the item attribute that is the category').default('category'),
    new Option(
      '--passive <sources>',
      'the sources of searches that the site suggested with an item (default: related)',
    ),
    new Option('--days <number>', 'how far back the feed counts').argParser(numberFrom(0)).default(7),
  ],
  find: async (given, { category, passive, days }) => {
    const dataset = await loadDataset(dataDirectoryOf(given));
    const found = behaviour(dataset, {
      category,
      days,
      ...(passive === undefined ? {} : { passiveSources: namesIn(passive) }),
    });
    return { document: found, rows: rowsOf(found), figure: figureOf(found), text: textOf(found) };
  },
};

const KINDS = ['spontaneous', 'passive'] as const;

/** Every share that is told, by name. */
function sharesOf(found: Behaviour): [label: string, share: Share][] {
  const of = ({ passive, spontaneous, dissimilar }: BehaviourShares, suffix = ''): [string, Share][] => [
    [`spontaneous${suffix}`, spontaneous],
    [`passive${suffix}`, passive],
    [`dissimilar, of the spontaneous with a side${suffix}`, dissimilar.spontaneous.any],
    [`dissimilar, of the passive with a side${suffix}`, dissimilar.passive.any],
  ];
  return [
    ['with a click', found.withClicks],
    ...of(found),
    ['dissimilar by every click, of the spontaneous', found.dissimilar.spontaneous.all],
    ...of(found.afterFirstDays, `, after ${found.protocol.days} days`),
  ];
}

const rowsOf = (found: Behaviour) => [
  ['what', 'share', 'low', 'high', 'count', 'of'],
  ...sharesOf(found).map(([label, { share, interval, count, of }]) => [
    label,
    ...[share, ...interval].map((value) => (Number.isNaN(value) ? null : value)),
    count,
    of,
  ]),
];

/** What the parts of a bar are filled with. */
const FILLED = [
  { label: 'similar', colour: COLOURS[0], mark: 'bar' },
  { label: 'dissimilar', colour: COLOURS[1], mark: 'bar' },
  { label: 'no side', colour: COLOURS[3], mark: 'bar' },
] as const;

/** Bars of searches: what started them, and in each those that are similar, dissimilar, or have no side. */
function figureOf({ passive, spontaneous, dissimilar }: Behaviour): string {
  const shares = { passive, spontaneous };
  const known = (share: number): number => (Number.isNaN(share) ? 0 : share);
  const parts = KINDS.flatMap((kind) => {
    const { count, of } = dissimilar[kind].any;
    const all = shares[kind];
    const part = (side: string, searches: number) => ({
      kind,
      side,
      share: known(searches / all.of),
      within: known(searches / all.count),
    });
    return [part('similar', of - count), part('dissimilar', count), part('no side', all.count - of)];
  });
  const percents = parts.map(
    ({ kind, side, within }) => `${percent(within)} of the ${kind} are ${side === 'no side' ? 'without a side' : side}`,
  );
  return drawFigure({
    description: `Searches: ${percent(spontaneous.share)} spontaneous, ${percent(passive.share)} passive; ${percents.join(', ')}`,
    legend: FILLED,
    height: 200,
    marginLeft: 100,
    x: { label: 'share of all searches', percent: true, grid: true },
    y: { label: null, domain: [...KINDS] },
    color: { domain: FILLED.map(({ label }) => label), range: FILLED.map(({ colour }) => colour), legend: false },
    marks: [
      Plot.barX(parts, { x: 'share', y: 'kind', fill: 'side', inset: 1 }),
      Plot.textX(
        parts.filter(({ share }) => share > 0.04),
        Plot.stackX({
          x: 'share',
          y: 'kind',
          z: 'side',
          text: ({ side, share, within }: (typeof parts)[number]) =>
            share > 0.12 ? `${side} ${percent(within)}` : percent(within),
          fill: LIGHT.onColour,
        }),
      ),
      Plot.ruleX([0]),
    ],
  });
}

const percent = (share: number): string => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`);

/** The findings as a table and the protocol as a paragraph. */
function textOf(found: Behaviour): string {
  const { searches, ofUnknownSource, withoutCategory, users, protocol } = found;
  const { category, passiveSources, days } = protocol;
  const row = ([label, { share, interval, count, of }]: [string, Share]): string[] => [
    label,
    percent(share),
    Number.isNaN(interval[0]) ? '' : `${percent(interval[0])} to ${percent(interval[1])}`,
    `${counted(count)} of ${counted(of)}`,
  ];
  return [
    `${counted(searches)} searches of ${counted(users.all)} users; ${counted(users.neverSearch)} never search, ${counted(users.neverInFeed)} never act in the feed`,
    markdownTable([['', 'share', '95 % interval', 'searches'], ...sharesOf(found).map(row)]),
    ...(ofUnknownSource > 0
      ? [
          `OF ${counted(ofUnknownSource)} SEARCHES IT IS NOT KNOWN HOW THEY WERE STARTED (the log does not say, or training knows no such source); they count as spontaneous here.`,
        ]
      : []),
    `passive: started from ${passiveSources.map((source) => JSON.stringify(source)).join(', ')}; dissimilar: the ${category} of no clicked item occurs in the user's feed of the ${days} days before; searches without a click${withoutCategory > 0 ? ` (and ${counted(withoutCategory)} without a ${category})` : ''} have no side; "after ${days} days" leaves out those of each user's first ${days} days; intervals: users are the unit`,
  ].join('\n\n');
}
