/** The results of a comparison as a page in Markdown, table.md. Knows wording and columns; does not know how results came about. */
import { counted, countOf } from '../../base/index.js';
import { METRICS, type MetricName, type ProtocolName, type StudentInterval } from '../../evaluate/index.js';
import { GROUPS } from '../../model/index.js';
import { validationScore } from '../options.js';
import { decimals, markdownTable, settingsText } from '../table.js';
import { ofOneRow } from './entries.js';
import { referencesIn } from './options.js';
import type { ComparisonResults, RowResult } from './results.js';
import {
  CHIEF,
  LEVEL,
  type RowTest,
  type RunnerUpTest,
  TOO_MANY,
  areTooMany,
  isSure,
  order,
  verdictOf,
} from './row-tests.js';
import { validatedOtherwise } from './run-plans.js';
import { PROTOCOLS } from './test-ranks.js';

export function comparisonText(results: ComparisonResults): string {
  return [
    heading(results),
    ...PROTOCOLS.flatMap((protocol) => protocolSection(results, protocol)),
    ...forAllSection(results),
    ...runnerUpSection(results),
    ...referenceSection(results),
    ...tuningSection(results),
    ...failureSection(results),
  ].join('\n\n');
}

function heading({ plan, data, rows }: ComparisonResults): string {
  const { options, madeWith } = plan;
  const finalists =
    options.finalists > 0 && options.finalistSeeds > options.seeds
      ? ` (${countOf(options.finalistSeeds, 'seed')} of the best ${options.finalists} on validation)`
      : '';
  const tuned = isTuned(rows)
    ? `the best of at most ${countOf(options.trials, 'setting')} on validation (${countOf(options.tuningEpochs, 'epoch')} each, one seed)`
    : 'its usual settings, or those that it is given, untuned';
  return `# Comparison

Data set ${plan.dataHash.slice(0, 12)}: ${counted(data.users)} users, ${counted(data.items)} items, ${counted(data.feedEvents)} feed events, ${counted(data.searches)} searches.

    ${plan.command}

Every model: ${tuned}, then ${countOf(options.seeds, 'seed')}${finalists} of up to ${countOf(options.epochs, 'epoch')}, stopped after ${countOf(options.patience, 'epoch')} without a better ${validationScore(options.validationProtocol)}; training negatives ${options.negativeSampling}.${ofSingleRows(options.set, '`')} Begun with sesrec ${madeWith.sesrec}${madeWith.commit === null ? '' : `, commit ${madeWith.commit.slice(0, 12)}`}.

Mean over seeds ± half of its 95 % interval by Student's t, whose degrees of freedom (d.f.) are seeds - 1. **Best** and _second_ of a column; † where the best is better than the second for the same users by both tests below, corrected p < ${LEVEL}.`;
}

/** Whether settings of any row were tried. */
export const isTuned = (rows: readonly RowResult[]): boolean => rows.some(({ trials }) => trials.length > 0);

/** What single rows have of their own, in a sentence; `mark` stands around each. */
export function ofSingleRows(set: readonly string[], mark = ''): string {
  const own = set.filter((setting) => ofOneRow(setting) !== null);
  return own.length === 0 ? '' : ` Of single rows: ${own.map((setting) => mark + setting + mark).join(', ')}.`;
}

function protocolSection({ rows, tests, protocols }: ComparisonResults, name: ProtocolName): string[] {
  if (!protocols) return [];
  const { protocol, users, usersHash, chance } = protocols[name];
  const title = name === 'sampled' ? `Among ${protocol.count} candidates` : 'Among all items';
  const sample = users < (protocol.sample?.of ?? users) ? ` (a seeded sample)` : '';
  const lists = protocol.hash === null ? '' : ` (${protocol.hash.slice(0, 12)})`;
  const ranks = Object.fromEntries(METRICS.map((metric) => [metric, order(rows, name, metric)]));
  const cell = (row: RowResult, metric: MetricName): string => {
    if (!row.test) return '–';
    const [best, second] = ranks[metric] as RowResult[];
    const interval = row.test[name][metric];
    if (row === best) return figure(interval, '**', isSure(tests, name, metric) ? '†' : '');
    return figure(interval, row === second ? '_' : '');
  };
  const table = markdownTable(
    [
      [
        '',
        'sees',
        ...METRICS.map((metric) => metric.toUpperCase()),
        'seeds (d.f.)',
        ...(name === 'sampled' ? ['parameters', 'epochs', 's / epoch'] : []),
      ],
      ...grouped(rows, (row) => [
        row.name,
        row.sees.join(', '),
        ...METRICS.map((metric) => cell(row, metric)),
        row.seeds.length === 0 ? '–' : `${row.seeds.length} (${row.seeds.length - 1})`,
        ...(name === 'sampled' ? costs(row) : []),
      ]),
      ['chance', '', ...METRICS.map((metric) => decimals(chance[metric]))],
    ],
    '<<',
  );
  return [
    `## ${title}`,
    `${counted(users)} users${sample} (${usersHash.slice(0, 12)}), ${protocol.on}, ${protocol.split}; candidates: ${protocol.candidates}${protocol.seenItemsRemoved ? ', seen ones removed' : ''}${lists}.`,
    table,
  ];
}

/** Full ranking for all users, by the models that are quick enough, where the table above is for a sample. */
function forAllSection({ rows }: ComparisonResults): string[] {
  const quick = rows.filter(({ fullForAll }) => fullForAll !== null);
  if (quick.length === 0) return [];
  return [
    '## Among all items, for all users',
    'Models that take too long to rank all items for all users are not in this table.',
    markdownTable([
      ['', ...METRICS.map((metric) => metric.toUpperCase())],
      ...quick.map(({ name, fullForAll }) => [
        name,
        ...METRICS.map((metric) => figure((fullForAll as NonNullable<typeof fullForAll>)[metric])),
      ]),
    ]),
  ];
}

/** Rows under the names of their groups. */
function grouped(rows: readonly RowResult[], show: (row: RowResult) => readonly string[]): (readonly string[])[] {
  return GROUPS.flatMap((group) => {
    const own = rows.filter((row) => row.group === group);
    return own.length === 0 ? [] : [[`*${group}*`], ...own.map(show)];
  });
}

function costs({ parameters, epochs, secondsPerEpoch }: RowResult): string[] {
  return [
    parameters === null ? '–' : counted(parameters),
    epochs === null ? '–' : String(Math.round(10 * epochs) / 10),
    secondsPerEpoch === null ? '–' : secondsPerEpoch.toPrecision(2),
  ];
}

function figure({ mean, halfWidth }: StudentInterval, mark = '', sign = ''): string {
  return `${mark}${decimals(mean)}${mark}${sign}${Number.isNaN(halfWidth) ? '' : ` ±${decimals(halfWidth)}`}`;
}

/** A p value as tables have it. */
export const probability = (p: number): string => (Number.isNaN(p) ? '–' : p < 0.0001 ? '<.0001' : decimals(p));

function runnerUpSection({ rows, tests }: ComparisonResults): string[] {
  if (tests.length === 0) return [];
  const table = markdownTable(
    [
      ['', '', 'best', 'runner-up', ...TEST_COLUMNS],
      ...tests.map((test) => [
        test.protocol,
        test.metric.toUpperCase(),
        calledIn(rows, test.best),
        calledIn(rows, test.runnerUp),
        ...testCells(test),
      ]),
    ],
    '<<<<',
  );
  return [
    '## Best against runner-up',
    `User by user, each user's metric averaged over seeds: mean difference ± half of its 95 % t-interval over users, Student's t-test, and a bootstrap of users (${counted((tests[0] as RunnerUpTest).bootstrap.resamples)} resamples). Holm: p corrected for all ${tests.length} tests of this table. They tell of other users, not of other trainings.`,
    table,
  ];
}

function referenceSection({ rows, referenceTests, plan }: ComparisonResults): string[] {
  if (referenceTests.length === 0) return [];
  const table = markdownTable(
    [
      ['', 'reference', '', 'other', ...TEST_COLUMNS],
      ...referenceTests.map((test) => [
        test.protocol,
        calledIn(rows, test.reference),
        verdictOf(test),
        calledIn(rows, test.other),
        ...testCells(test),
      ]),
    ],
    '<<<<',
  );
  return [
    `## Every row against ${referencesIn(plan.options).length === 0 ? 'the best' : 'those of reference'}`,
    `${CHIEF.toUpperCase()}, tested as above; Holm: p corrected for all ${referenceTests.length} tests of this table. *Better* or *worse* is the row of reference where both tests have p < ${LEVEL}.${areTooMany(referenceTests) ? ` ${TOO_MANY}` : ''}`,
    table,
  ];
}

const TEST_COLUMNS = ['difference', 't (d.f.)', 'p', 'Holm', 'bootstrap', 'p', 'Holm'];

function testCells({ difference, t, bootstrap }: RowTest): string[] {
  return [
    figure(difference),
    Number.isNaN(t.t) ? '–' : `${t.t.toFixed(2)} (${t.degreesOfFreedom})`,
    probability(t.p),
    probability(t.holm),
    Number.isNaN(bootstrap.interval[0])
      ? '–'
      : `${decimals(bootstrap.interval[0])} … ${decimals(bootstrap.interval[1])}`,
    probability(bootstrap.p),
    probability(bootstrap.holm),
  ];
}

/** What the row with a label is called. */
export const calledIn = (rows: readonly RowResult[], label: string): string =>
  rows.find((row) => row.label === label)?.name ?? label;

function tuningSection({ rows, plan: { options } }: ComparisonResults): string[] {
  const tuned = rows.filter(({ trials }) => trials.length > 0);
  if (tuned.length === 0) return [];
  const table = markdownTable(
    [
      ['', 'tried', validationScore(options.validationProtocol)],
      ...tuned.flatMap(({ label, name, trials, chosen }) =>
        trials.map(({ trial, score }, i) => {
          const isChosen = JSON.stringify(trial) === JSON.stringify(chosen);
          const text = score === null ? 'failed' : decimals(score);
          const called = `${name}${validatedOtherwise(options, label)}`;
          return [i === 0 ? called : '', settingsText(trial) || 'as it is', isChosen ? `**${text}**` : text];
        }),
      ),
    ],
    '<<',
  );
  return ['## Tuning', 'What was tried of each model, and in **bold** what its runs were trained with.', table];
}

function failureSection({ rows }: ComparisonResults): string[] {
  const failed = rows.flatMap(({ name, failed }) => failed.map((what) => `- ${name}, ${what}`));
  return failed.length === 0 ? [] : ['## Failed', failed.join('\n')];
}
