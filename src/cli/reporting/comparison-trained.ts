/** What a comparison trained, as sections of its report: models, curves, tuning, failures, the manifest. Knows what is shown; does not know metrics of tests. */
import { counted, countOf } from '../../base/index.js';
import { GROUPS, cardOf } from '../../model/index.js';
import { type Content, type Section, grouped, html, tableHtml } from '../../report/index.js';
import { ofOneRow } from '../comparison/entries.js';
import type { ComparisonResults } from '../comparison/results.js';
import { validatedOtherwise } from '../comparison/run-plans.js';
import { PROTOCOLS } from '../comparison/test-ranks.js';
import { environment } from '../environment.js';
import { validationScore } from '../options.js';
import { settingsText } from '../table.js';
import type { ComparisonFiles } from './gathering.js';
import { decimals, listOf } from './numbers.js';
import { commitHtml, factsHtml, hashHtml, learningHtml, listHtml, panelOf, settingsHtml, sourceHtml } from './parts.js';

export function modelsSection({ rows }: ComparisonResults): Section {
  return {
    id: 'models',
    title: 'What each model sees and costs',
    body: tableHtml({
      label: 'What each model sees and costs',
      caption:
        'Epochs: mean over seeds. Seconds per epoch: median over seeds, of training alone, on the machine of the comparison and with whatever else it did.',
      columns: [
        { title: '', kind: 'text' },
        { title: 'sees', kind: 'text' },
        { title: 'parameters', kind: 'figure' },
        { title: 'epochs', kind: 'figure' },
        { title: 's / epoch', kind: 'figure' },
        { title: 'published', kind: 'text' },
      ],
      rows: grouped(GROUPS, rows, ({ name, sees, parameters, epochs, secondsPerEpoch, model }) => {
        const { authors, venue, year } = cardOf(model).source;
        return [
          name,
          sees.join(', '),
          parameters === null ? '–' : counted(parameters),
          epochs === null ? '–' : String(Math.round(10 * epochs) / 10),
          secondsPerEpoch === null ? '–' : secondsPerEpoch.toPrecision(2),
          `${authors}, ${venue} ${year}`,
        ];
      }),
    }),
  };
}

export function learningSection({ results, logs }: ComparisonFiles): Section | null {
  const panels = results.rows.flatMap(({ label, name }) => {
    const runs = logs.get(label) ?? [];
    return runs.length === 0 ? [] : [panelOf(name, runs)];
  });
  if (panels.length === 0) return null;
  const { epochs, patience, set } = results.plan.options;
  const hasOwn = set.some((setting) => /^(epochs|patience)=/.test(ofOneRow(setting)?.own ?? ''));
  return {
    id: 'learning',
    title: 'Learning curves',
    body: learningHtml(
      panels,
      `MRR on validation after every epoch, one line per seed, all panels on the same axes. A run had at most ${countOf(epochs, 'epoch')} and stopped after ${countOf(patience, 'epoch')} without a better one${hasOwn ? ', unless its row has numbers of its own (see the manifest)' : ''}. A curve that still climbs at its end was not trained to its end.`,
    ),
  };
}

export function tuningSection({ rows, plan: { options } }: ComparisonResults): Section | null {
  const tuned = rows.filter(({ trials }) => trials.length > 0);
  if (tuned.length === 0) return null;
  return {
    id: 'tuning',
    title: 'Tuning',
    body: tableHtml({
      label: `What was tried of each model, with its ${validationScore(options.validationProtocol)}`,
      caption: html`What was tried of each model: ${countOf(options.tuningEpochs, 'epoch')}, one seed that no run has.
        <b>Bold</b>: what its runs were trained with.`,
      columns: [
        { title: '', kind: 'text' },
        { title: 'tried', kind: 'text' },
        { title: validationScore(options.validationProtocol), kind: 'figure' },
      ],
      rows: tuned.flatMap(({ label, name, trials, chosen }) =>
        trials.map(({ trial, score, failed }, i) => {
          const isChosen = JSON.stringify(trial) === JSON.stringify(chosen);
          const text = score === null ? `failed${failed === null ? '' : `: ${failed}`}` : decimals(score);
          const settings = settingsText(trial) || 'as it is';
          const called = `${name}${validatedOtherwise(options, label)}`;
          return { cells: [i === 0 ? called : '', settings, isChosen ? html`<b>${text}</b>` : text] };
        }),
      ),
    }),
  };
}

export function failureSection({ rows }: ComparisonResults): Section | null {
  const failed = rows.flatMap(({ name, failed }) => failed.map((what) => `${name}, ${what}`));
  return failed.length === 0 ? null : { id: 'failed', title: 'What failed', body: listHtml(failed) };
}

export function manifestSection({ results, data }: ComparisonFiles): Section {
  const { plan, protocols } = results;
  const { madeWith, candidates, options } = plan;
  const { versions } = environment();
  return {
    id: 'manifest',
    title: 'Manifest',
    body: [
      html`<pre><code>${plan.command}</code></pre>`,
      factsHtml([
        ['compared with', html`sesrec ${madeWith.sesrec}, ${commitHtml(madeWith.commit)}, Node.js ${madeWith.node}`],
        [
          'engines',
          `onnxruntime-node ${madeWith['onnxruntime-node'] ?? 'unknown'}, @duckdb/node-api ${madeWith['@duckdb/node-api'] ?? 'unknown'}`,
        ],
        ['report made with', html`sesrec ${versions.sesrec}, ${commitHtml(versions.commit)}`],
        ['data', hashHtml(plan.dataHash)],
        ['source', data && sourceHtml(data)],
        ['split', data && settingsText({ ...data.split })],
        [
          'candidates',
          html`${hashHtml(candidates.hash)}, ${counted(candidates.count)} per user,
          ${candidates.seed === null ? 'from a file' : `drawn with seed ${candidates.seed}`}`,
        ],
        [
          'users',
          protocols &&
            html`${listOf(PROTOCOLS.map((name) => `${counted(protocols[name].users)} ${name}`))}:
            ${hashHtml(protocols.sampled.usersHash)}${protocols.full.usersHash !== protocols.sampled.usersHash && [', ', hashHtml(protocols.full.usersHash)]}`,
        ],
        ['options', settingsHtml(options)],
      ]),
      runsTable(results),
    ],
  };
}

function runsTable({ rows, plan: { options } }: ComparisonResults): Content {
  const runs = rows.flatMap(({ label, seeds }) =>
    seeds.map((seed) => ({ otherwise: validatedOtherwise(options, label), ...seed })),
  );
  if (runs.length === 0) return null;
  return tableHtml({
    label: 'Every run',
    caption: 'Every run, by its directory within the comparison; weights: SHA-256 of the best parameters.',
    columns: [
      { title: '', kind: 'text' },
      { title: 'best epoch', kind: 'figure' },
      { title: validationScore(options.validationProtocol), kind: 'figure' },
      { title: 'look at the test', kind: 'figure' },
      { title: 'weights', kind: 'name' },
    ],
    rows: runs.map(({ run, epochs, bestEpoch, validation, otherwise, look, weights }) => ({
      cells: [
        html`<code>${run}</code>`,
        `${bestEpoch} of ${epochs}`,
        `${decimals(validation.mrr)}${otherwise}`,
        look,
        hashHtml(weights),
      ],
    })),
  });
}
