/** The report of one run: its sections, from what the run left. Knows what is shown and in which order; files and parts are others'. */
import { counted, countOf } from '../../base/index.js';
import { METRICS, type MetricName, type Summary } from '../../evaluate/index.js';
import type { Run } from '../../model/index.js';
import {
  type Column,
  type Content,
  type Html,
  type Page,
  type Row,
  type Section,
  curveFigure,
  figureHtml,
  html,
  tableHtml,
} from '../../report/index.js';
import { environment } from '../environment.js';
import type { ResultManifest } from '../results.js';
import { validationScore } from '../options.js';
import { settingsText } from '../table.js';
import { HISTORY_WORDS, METRIC_WORDS, newItemsLimit } from './comparison-words.js';
import type { EpochRecord } from './gathering.js';
import { decimals } from './numbers.js';
import {
  commitHtml,
  factsHtml,
  hashHtml,
  learningHtml,
  listHtml,
  panelOf,
  paragraphs,
  personSection,
  SLICINGS,
  settingsHtml,
  sourceHtml,
  type Term,
  termsHtml,
} from './parts.js';
import type { Person } from './person.js';
import type { RunFiles } from './run-files.js';
import type { SlicedRun } from './slices.js';

type KeptResult = RunFiles['results'][number];

/** The page. `person`: null where nobody is shown. */
export function runPage(files: RunFiles, slices: SlicedRun, person: Person | null): Page {
  const { run, epochs } = files;
  const { card } = run.model;
  const sections: (Section | null)[] = [
    resultsSection(files),
    slicesSection(slices),
    modelSection(run),
    learningSection(epochs, validationScore(run.manifest.training.validationProtocol)),
    person && personSection(person, card.name),
    { id: 'protocol', title: 'How it was measured', body: termsHtml(protocolTerms(files)) },
    { id: 'limits', title: 'What this cannot show', body: listHtml(limitsOf(files)) },
    manifestSection(files),
  ];
  return {
    kind: 'sesrec · report of a run',
    title: `${card.name} ${run.manifest.preset}`,
    lead: paragraphs(runSummary(files)),
    sections: sections.filter((section) => section !== null),
  };
}

/** What the run is and what is known of it, in a paragraph or two. */
export function runSummary({ run, epochs, results }: RunFiles): string[] {
  const { dataset, manifest, model } = run;
  const { users, items } = manifest.config.sizes;
  const best = bestOf(epochs);
  const simulated = dataset.manifest.source.generator ? 'a simulated log' : 'a log';
  const trained = `${model.card.name} (preset ${manifest.preset}), trained with seed ${manifest.training.seed} on ${simulated} of ${countOf(users - 2, 'user')}, ${countOf(items - 2, 'item')}, ${countOf(dataset.feedItem.length, 'feed event')} and ${counted(dataset.searchQuery.length)} searches.`;
  const learnt = best
    ? ` The best of ${countOf(epochs.length, 'epoch')} on validation is the ${best.epoch === epochs.length ? 'last' : `${best.epoch}.`}: MRR ${decimals(best.validation.score)}, NDCG@10 ${decimals(best.validation.metrics['ndcg@10'])} among the candidates of validation.`
    : '';
  const tests = results.filter(({ manifest: { figures } }) => figures.protocol.on === 'test');
  const tested =
    tests.length === 0
      ? 'Its test was not evaluated: figures here are of validation, on which the epoch was chosen, and are too good by that.'
      : `On the test: ${tests.map(({ manifest: { figures } }) => `NDCG@10 ${decimals(figures.metrics['ndcg@10'])} (95 % interval over users ${figures.intervals['ndcg@10'].map(decimals).join(' to ')}) ${placeOf(figures.protocol)}`).join('; ')}. ${looksText(run)}`;
  return [trained + learnt, tested];
}

const bestOf = (epochs: readonly EpochRecord[]): EpochRecord | undefined =>
  epochs.toSorted((one, other) => other.validation.score - one.validation.score)[0];

const placeOf = ({ name, count }: ResultManifest['figures']['protocol']): string =>
  name === 'sampled' ? `among ${counted(count)} candidates` : 'among all items';

function looksText({ manifest: { testLooks } }: Run): string {
  return testLooks.length === 1
    ? 'The test was looked at once.'
    : `The test was looked at ${countOf(testLooks.length, 'time')}: after the first, it is a test no more.`;
}

function resultsSection({ results, run }: RunFiles): Section | null {
  if (results.length === 0) return null;
  const outdated = results.some(({ manifest }) => manifest.weights !== run.version);
  return {
    id: 'results',
    title: 'Results',
    body: [
      tableHtml({
        label: 'Results that the run keeps',
        caption: html`Mean over users <span class="interval">low to high: its 95 % interval over users</span>. The
          interval says how a figure varies with the people, and nothing of other
          trainings.${outdated && ' ‡ of other weights than the run has now.'}`,
        columns: [
          { title: '', kind: 'text' },
          ...METRICS.map((metric): Column => ({ title: metric.toUpperCase(), kind: 'figure' })),
          { title: 'users', kind: 'figure' },
        ],
        rows: results.map((result) => ({ cells: resultCells(result, run) })),
      }),
    ],
  };
}

function resultCells({ manifest: { kind, figures, weights } }: KeptResult, run: Run): Content[] {
  const { protocol, metrics, intervals, users } = figures;
  const what = kind === 'training' ? 'best epoch, ' : '';
  return [
    html`${what}${protocol.on}, ${placeOf(protocol)}${weights !== run.version && '‡'}`,
    ...METRICS.map((metric) => {
      const [low, high] = intervals[metric];
      return html`${decimals(metrics[metric])}<br /><span class="interval"
          >${decimals(low)} to ${decimals(high)}</span
        >`;
    }),
    counted(users),
  ];
}

const SLICED = ['hit@10', 'ndcg@10', 'mrr'] as const;

function slicesSection({ own, popularity, protocol }: SlicedRun): Section {
  const sample = protocol.sample
    ? `a seeded sample of ${counted(protocol.sample.users)} of ${counted(protocol.sample.of)} users`
    : 'all users';
  const told = own.filter(({ slices }) => slices.filter(({ summary }) => summary.users > 0).length > 1);
  return {
    id: 'slices',
    title: 'Slices of validation',
    body: [
      html`<p>
        Users, or targets, of one kind, on validation ${placeOf(protocol)}, ${sample}. The epoch was chosen on
        validation, so all of these are a little too good.
      </p>`,
      tableHtml({
        label: 'Metrics by slice',
        caption: html`Mean over the users of a slice
          <span class="interval">± half of its 95 % interval over users</span>.`,
        columns: [
          { title: '', kind: 'text' },
          { title: 'users', kind: 'figure' },
          ...SLICED.map((metric): Column => ({ title: metric.toUpperCase(), kind: 'figure' })),
          { title: 'NDCG@10 of popularity', kind: 'figure' },
        ],
        rows: told.flatMap(({ name, slices }): Row[] => [
          { group: SLICINGS[name].toLowerCase() },
          ...slices.flatMap(({ name: slice, summary }, i) => {
            if (summary.users === 0) return [];
            const beside = popularity.find((one) => one.name === name)?.slices[i]?.summary;
            return [{ cells: [slice, counted(summary.users), ...sliceCells(summary), sliceCell(beside, 'ndcg@10')] }];
          }),
        ]),
      }),
      html`<ul class="quiet">
        ${told.map(({ name, rule }) => html`<li>${SLICINGS[name]}: ${rule}.</li>`)}
      </ul>`,
    ],
  };
}

const sliceCells = (summary: Summary): Content[] => SLICED.map((metric) => sliceCell(summary, metric));

function sliceCell(summary: Summary | undefined, metric: MetricName): Content {
  if (!summary) return '–';
  const [low, high] = summary.intervals[metric];
  return html`${decimals(summary.metrics[metric])}${!Number.isNaN(low) && html` <span class="interval">±${decimals((high - low) / 2)}</span>`}`;
}

function modelSection({ model, manifest, parameters }: Run): Section {
  const { card, sees } = model;
  const { authors, title, venue, year } = card.source;
  const { sizes: _sizes, ...config } = manifest.config;
  return {
    id: 'model',
    title: 'The model',
    body: [
      factsHtml([
        ['idea', card.idea],
        ['source', `${authors}, “${title}”, ${venue} ${year}`],
        ['sees', sees.join(', ')],
        ['losses', ['prediction', ...card.extraLosses].join('; ')],
        ['differs from the source', card.differs.length === 0 ? 'in nothing' : card.differs.join('; ')],
        ['parameters', counted(parameters.size)],
        ['settings', settingsHtml(config)],
        ['training', settingsHtml(manifest.training)],
      ]),
    ],
  };
}

function learningSection(epochs: readonly EpochRecord[], score: string): Section | null {
  if (epochs.length === 0) return null;
  const names = [...new Set(epochs.flatMap(({ losses }) => Object.keys(losses)))];
  return {
    id: 'learning',
    title: 'Learning curve',
    body: [
      learningHtml([panelOf(score, [epochs])], `${score[0]?.toUpperCase()}${score.slice(1)} after every epoch.`),
      lossesHtml(epochs, names),
      tableHtml({
        label: 'Losses and validation by epoch',
        caption:
          'Means over the steps of an epoch. “loss” is what is minimised; the others are its parts before their weights.',
        columns: ['epoch', ...names, 'MRR', 'NDCG@10', 'HIT@10'].map((title) => ({ title, kind: 'figure' })),
        rows: epochs.map(({ epoch, losses, validation: { metrics } }) => ({
          cells: [
            epoch,
            ...names.map((name) => losses[name]?.toPrecision(4) ?? '–'),
            ...(['mrr', 'ndcg@10', 'hit@10'] as const).map((metric) => decimals(metrics[metric])),
          ],
        })),
      }),
    ],
  };
}

/** Each loss as a share of what it was in the first epoch: losses differ by orders of magnitude. */
function lossesHtml(epochs: readonly EpochRecord[], names: readonly string[]): Html {
  const shares = names.flatMap((name) => {
    const first = epochs.find(({ losses }) => (losses[name] ?? 0) > 0)?.losses[name];
    if (first === undefined) return [];
    const curve = epochs.flatMap(({ epoch, losses }) =>
      losses[name] === undefined ? [] : [{ x: epoch, y: losses[name] / first }],
    );
    return [{ label: name, curves: [curve], marked: [] }];
  });
  const told = shares.map(({ label, curves }) => `${label} to ${(100 * (curves[0]?.at(-1)?.y ?? 1)).toFixed(0)} %`);
  return figureHtml(
    (room) =>
      curveFigure(
        {
          description: `Training losses by epoch, each as a share of its first value: ${told.join(', ')}`,
          axis: 'epoch',
          panels: shares,
          meaning: { curve: 'loss, as a share of the first epoch’s', marked: null },
        },
        room,
      ),
    'Losses in training, each as a share of what it was in the first epoch.',
  );
}

function protocolTerms({ run, results }: RunFiles): Term[] {
  const { split } = run.dataset.manifest;
  const { validationProtocol } = run.manifest.training;
  const seen = new Map(results.map(({ manifest: { figures } }) => [figures.protocol.name, figures.protocol]));
  return [
    [
      'held out',
      split.strategy === 'global-time'
        ? 'Global time: what a person first met in the feed after a cut. Training is what happened before the validation cut, whoever did it.'
        : 'Leave-one-out: of everybody with at least three feed events, the last is the test and the one before it is for validation; all earlier ones are training.',
    ],
    ['history', HISTORY_WORDS],
    ...[...seen.values()].map((protocol): Term => {
      const without = protocol.seenItemsRemoved ? ', without those that the person already knows' : '';
      return [placeOf(protocol), `The held-out item is ranked with: ${protocol.candidates}${without}.`];
    }),
    ['metrics', METRIC_WORDS],
    ['choices', `The epoch that is kept is the one with the best ${validationScore(validationProtocol)}.`],
  ];
}

function limitsOf({ run, results }: RunFiles): string[] {
  const { source, split } = run.dataset.manifest;
  const constructed = source.options['constructSearches'];
  const limits: (string | false | null)[] = [
    'One training. Another seed gives other figures; how far off is not known from one.',
    'One data set, and no other model beside this one: sesrec compare gives all the same effort.',
    source.generator && 'The log is simulated: what holds of a site that is built this way need not hold of people.',
    typeof constructed === 'string' &&
      `The searches are constructed from the items (column ${constructed}): nobody typed them.`,
    split.strategy === 'leave-one-out' &&
      'Leave-one-out lets the future in: training holds events of other people that happened after some of the held-out ones.',
    newItemsLimit(split),
    results.some(({ manifest: { figures } }) => figures.protocol.name === 'sampled') &&
      'Sampled metrics need not order models as ranking all items does (Krichene and Rendle, KDD 2020), and are not to be compared with it.',
    'A person’s next event in the log is taken for the right answer. Whether they would have liked what was recommended instead, nobody knows.',
  ];
  return limits.filter((limit): limit is string => typeof limit === 'string');
}

function manifestSection({ run, results }: RunFiles): Section {
  const { manifest, version, dataset } = run;
  const { versions } = environment();
  const made = results.find(({ manifest: { kind } }) => kind === 'training')?.manifest.environment.versions;
  return {
    id: 'manifest',
    title: 'Manifest',
    body: factsHtml([
      ['run', html`<code>${run.directory}</code>`],
      ['weights', hashHtml(version)],
      [
        'trained with',
        html`sesrec ${manifest.madeWith.sesrec}${made !== undefined && [', ', commitHtml(made.commit)]}, Node.js
        ${manifest.madeWith.node}`,
      ],
      ['report made with', html`sesrec ${versions.sesrec}, ${commitHtml(versions.commit)}`],
      ['data', hashHtml(manifest.dataHash)],
      ['source', sourceHtml(dataset.manifest)],
      ['split', settingsText({ ...dataset.manifest.split })],
      ['looks at the test', String(manifest.testLooks.length)],
      [
        'results',
        results.length === 0
          ? 'none'
          : results.map(
              ({ name, manifest: { candidates, figures } }, i) =>
                html`${i > 0 && html`<br />`}<code>${name}</code>, ranks
                ${hashHtml(figures.ranks)}${candidates && [', candidates ', hashHtml(candidates.hash)]}`,
            ),
      ],
    ]),
  };
}
