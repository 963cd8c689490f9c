/** What a comparison measured, as sections of its report: metrics, tests, slices. Knows what is shown; does not know trainings. */
import { counted, countOf } from '../../base/index.js';
import { METRICS, type MetricName, type ProtocolName, type StudentInterval } from '../../evaluate/index.js';
import { GROUPS } from '../../model/index.js';
import {
  type Column,
  type Content,
  type Html,
  type Row,
  type Section,
  figureHtml,
  grouped,
  html,
  intervalFigure,
  tableHtml,
} from '../../report/index.js';
import { referencesIn } from '../comparison/options.js';
import type { ComparisonResults, RowResult } from '../comparison/results.js';
import { CHIEF, LEVEL, type RowTest, TOO_MANY, areTooMany, isSure, order, verdictOf } from '../comparison/row-tests.js';
import { calledIn, probability } from '../comparison/table.js';
import { PROTOCOLS } from '../comparison/test-ranks.js';
import { titleOf } from './comparison-words.js';
import { capital, decimals } from './numbers.js';
import { SLICINGS } from './parts.js';
import type { SlicedRows } from './slices.js';

type Protocols = NonNullable<ComparisonResults['protocols']>;

export function protocolSection(results: ComparisonResults, name: ProtocolName): Section {
  const { rows, protocols, tests } = results;
  const { protocol, users, chance } = (protocols as Protocols)[name];
  const title = titleOf(protocol);
  const best = Object.fromEntries(METRICS.map((metric) => [metric, order(rows, name, metric)]));
  const cell = (row: RowResult, metric: MetricName): Content => {
    if (!row.test) return '–';
    const [first, second] = best[metric] as RowResult[];
    const mark = row === first ? 'best' : row === second ? 'second' : '';
    const sure = row === first && isSure(tests, name, metric);
    return intervalHtml(row.test[name][metric], mark, sure);
  };
  return {
    id: name,
    title,
    body: [
      figureHtml(
        (room) => intervalFigure(chiefFigure(results, name), room),
        html`NDCG@10 ${lowerFirst(title)}, ${protocol.on}, ${counted(users)} users. Rows by their mean. A line is the 95
        % interval of the mean over seeds; counted rows have none.`,
      ),
      tableHtml({
        label: `${title}: all metrics`,
        caption: html`Mean over seeds <span class="interval">± half of its 95 % interval by Student’s t</span>, degrees
          of freedom (d.f.) seeds − 1. <span class="best">Best</span> and <span class="second">second</span> of a
          column; † where the best is better than the second by both tests below, corrected p &lt; ${LEVEL}.`,
        columns: [
          { title: '', kind: 'text' },
          ...METRICS.map((metric): Column => ({ title: metric.toUpperCase(), kind: 'figure' })),
          { title: 'seeds (d.f.)', kind: 'figure' },
        ],
        rows: [
          ...grouped(GROUPS, rows, (row) => [
            row.name,
            ...METRICS.map((metric) => cell(row, metric)),
            row.seeds.length === 0 ? '–' : `${row.seeds.length} (${row.seeds.length - 1})`,
          ]),
          {
            cells: [html`<span class="quiet">chance</span>`, ...METRICS.map((metric) => decimals(chance[metric])), ''],
          },
        ],
      }),
      name === 'full' && forAllTable(rows),
    ],
  };
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function intervalHtml({ mean, halfWidth }: StudentInterval, mark = '', sure = false): Html {
  const value = mark === '' ? html`${decimals(mean)}` : html`<span class="${mark}">${decimals(mean)}</span>`;
  return html`${value}${sure && '†'}${!Number.isNaN(halfWidth) && html` <span class="interval">±${decimals(halfWidth)}</span>`}`;
}

/** Full ranking for all users, by the models that are quick enough, where the table is for a sample. */
function forAllTable(rows: readonly RowResult[]): Content {
  const quick = rows.filter(({ fullForAll }) => fullForAll !== null);
  if (quick.length === 0) return null;
  return tableHtml({
    label: 'Among all items, for all users',
    caption: 'Among all items, for all users: by the models that do not take too long for that.',
    columns: [
      { title: '', kind: 'text' },
      ...METRICS.map((metric): Column => ({ title: metric.toUpperCase(), kind: 'figure' })),
    ],
    rows: quick.map(({ name, fullForAll }) => ({
      cells: [name, ...METRICS.map((metric) => intervalHtml((fullForAll as NonNullable<typeof fullForAll>)[metric]))],
    })),
  });
}

function chiefFigure({ rows, protocols }: ComparisonResults, name: ProtocolName) {
  const { protocol, chance } = (protocols as Protocols)[name];
  const ranked = order(rows, name, CHIEF);
  const popularity = ranked.find(({ model }) => model === 'popularity');
  const shown = ranked.map((row) => {
    const { mean, halfWidth } = (row.test as NonNullable<typeof row.test>)[name][CHIEF];
    const values = row.seeds.length > 1 ? row.seeds.map(({ test }) => test[name][CHIEF]) : [];
    return { label: row.name, group: row.group, mean, halfWidth, values };
  });
  const told = shown.map(({ label, mean, halfWidth }) =>
    Number.isNaN(halfWidth) ? `${label} ${decimals(mean)}` : `${label} ${decimals(mean)} ±${decimals(halfWidth)}`,
  );
  return {
    description: `NDCG@10 ${lowerFirst(titleOf(protocol))}, from best to worst: ${told.join(', ')}; chance ${decimals(chance[CHIEF])}`,
    axis: 'NDCG@10',
    rows: shown,
    groups: GROUPS,
    rules: [
      { label: 'chance', value: chance[CHIEF] },
      ...(popularity?.test ? [{ label: 'popularity', value: popularity.test[name][CHIEF].mean }] : []),
    ],
    format: decimals,
    dot: 'one seed',
  };
}

export function testsSection({ rows, tests, referenceTests, plan }: ComparisonResults): Section {
  const nameOf = (label: string): string => calledIn(rows, label);
  const [first] = tests as [(typeof tests)[0]];
  const corrected = TEST_FIGURES.filter(({ title }) => title !== 'p');
  const against = referencesIn(plan.options).length === 0 ? 'the best' : 'those of reference';
  return {
    id: 'tests',
    title: 'Which row is better',
    body: [
      html`<p>
        The same users, one by one: each user’s metric is averaged over seeds, and the two rows are compared by the
        differences. They tell of other users, not of other trainings.
      </p>`,
      tableHtml({
        label: 'Best against runner-up, every metric under both protocols',
        caption: html`Best against runner-up. Mean difference
          <span class="interval">± half of its 95 % t-interval over users</span>; Student’s t-test; a bootstrap of users
          (${counted(first.bootstrap.resamples)} resamples). Holm: p corrected for all ${tests.length} tests of this
          table.`,
        columns: [
          { title: '', kind: 'text' },
          { title: 'best', kind: 'name' },
          { title: 'runner-up', kind: 'name' },
          ...TEST_FIGURES.map(column),
        ],
        rows: byProtocol(tests, (test) => [
          test.metric.toUpperCase(),
          nameOf(test.best),
          nameOf(test.runnerUp),
          ...TEST_FIGURES.map(({ of }) => of(test)),
        ]),
      }),
      referenceTests.length > 0 &&
        tableHtml({
          label: `Every row against ${against}, NDCG@10`,
          caption: html`Every row against ${against}, in NDCG@10, tested likewise. Holm: p corrected for all
            ${referenceTests.length} tests of this table. The row of reference is <b>better</b> or <b>worse</b> where
            both tests have p &lt; ${LEVEL}. ${areTooMany(referenceTests) && TOO_MANY}`,
          columns: [
            { title: '', kind: 'text' },
            { title: 'reference', kind: 'name' },
            { title: 'is', kind: 'name' },
            ...corrected.map(column),
          ],
          rows: byProtocol(referenceTests, (test) => {
            const verdict = verdictOf(test);
            return [
              nameOf(test.other),
              nameOf(test.reference),
              verdict === 'not told apart' ? verdict : html`<b>${verdict}</b>`,
              ...corrected.map(({ of }) => of(test)),
            ];
          }),
        }),
    ],
  };
}

/** What there is to tell of a test, in the order of columns. */
const TEST_FIGURES: readonly { readonly title: string; readonly of: (test: RowTest) => Content }[] = [
  { title: 'difference', of: ({ difference }) => intervalHtml(difference) },
  { title: 't (d.f.)', of: ({ t }) => (Number.isNaN(t.t) ? '–' : `${t.t.toFixed(2)} (${t.degreesOfFreedom})`) },
  { title: 'p', of: ({ t }) => probability(t.p) },
  { title: 'Holm', of: ({ t }) => correctedHtml(t.holm) },
  {
    title: 'bootstrap',
    of: ({ bootstrap: { interval } }) =>
      Number.isNaN(interval[0]) ? '–' : `${decimals(interval[0])} … ${decimals(interval[1])}`,
  },
  { title: 'p', of: ({ bootstrap }) => probability(bootstrap.p) },
  { title: 'Holm', of: ({ bootstrap }) => correctedHtml(bootstrap.holm) },
];

const column = ({ title }: { readonly title: string }): Column => ({ title, kind: 'figure' });
const correctedHtml = (p: number): Content => (p < LEVEL ? html`<b>${probability(p)}</b>` : probability(p));

/** Tests under the names of their protocols. */
const byProtocol = <T extends RowTest>(tests: readonly T[], cells: (test: T) => readonly Content[]): Row[] =>
  PROTOCOLS.flatMap((name): Row[] => {
    const own = tests.filter(({ protocol }) => protocol === name);
    if (own.length === 0) return [];
    return [
      { group: name === 'sampled' ? 'among candidates' : 'among all items' },
      ...own.map((test) => ({ cells: cells(test) })),
    ];
  });

export function slicesSection(slices: readonly SlicedRows[], { protocols }: ComparisonResults): Section | null {
  if (!protocols) return null;
  const peopled = ({ slices }: SlicedRows): number => slices.filter(({ users }) => users.sampled > 0).length;
  const [told, single] = [slices.filter((one) => peopled(one) > 1), slices.filter((one) => peopled(one) <= 1)];
  const left = single.map(({ name, slices }) => {
    const [only] = slices.filter(({ users }) => users.sampled > 0);
    return `${SLICINGS[name].toLowerCase()} (all are in one slice${only ? `, “${only.name}”` : ''})`;
  });
  return {
    id: 'slices',
    title: 'Slices',
    body: [
      html`<p>
        NDCG@10 of the same tests, of users or targets of one kind. <span class="interval">±</span> is half of the 95 %
        t-interval over the users of a slice, each averaged over seeds. <b>Bold</b> is the highest of a column, which
        was not tested: slices are many and some are small. ${left.length > 0 && `Not shown: ${left.join('; ')}.`}
      </p>`,
      told.map((one) => [html`<h3>${SLICINGS[one.name]}</h3>`, sliceTable(one, protocols)]),
    ],
  };
}

function sliceTable({ name, rule, slices, rows }: SlicedRows, protocols: Protocols): Html {
  const columns = PROTOCOLS.flatMap((protocol) => slices.map((slice, i) => ({ protocol, slice, i }))).filter(
    ({ protocol, slice }) => slice.users[protocol] > 0,
  );
  const highest = columns.map(({ protocol, i }) =>
    Math.max(...rows.map(({ values }) => values[protocol][i]?.mean ?? Number.NaN)),
  );
  return tableHtml({
    label: `NDCG@10 ${lowerFirst(SLICINGS[name])}`,
    caption: `${capital(rule)}.`,
    columns: [
      { title: '', kind: 'text' },
      ...columns.map(({ protocol, slice }): Column => ({
        title: html`<span class="quiet"
            >${protocol === 'full' ? 'all items' : `among ${counted(protocols[protocol].protocol.count)}`}</span
          ><br />${slice.name}<br /><span class="quiet">${countOf(slice.users[protocol], 'user')}</span>`,
        kind: 'figure',
      })),
    ],
    rows: grouped(
      GROUPS,
      rows.map(({ row }) => row),
      (row) => {
        const own = rows.find((one) => one.row === row) as (typeof rows)[number];
        return [
          row.name,
          ...columns.map(({ protocol, i }, column) => {
            const value = own.values[protocol][i] as StudentInterval;
            return intervalHtml(value, value.mean === highest[column] ? 'best' : '');
          }),
        ];
      },
    ),
  });
}
