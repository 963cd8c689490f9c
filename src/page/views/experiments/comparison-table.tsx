/** The table of a comparison: rows by metrics, under one protocol. Knows means and intervals; does not know how they were got. */
import { useState } from 'preact/hooks';
import type { ExperimentAnswer } from '../../../client/index.js';
import { Choice } from '../../components/choice.js';
import { UserText } from '../../components/user-text.js';
import { numberText, texts } from '../../texts/index.js';
import { METRICS, metricFigure, metricText } from './metrics.js';

const words = texts.experiments;
type Comparison = NonNullable<ExperimentAnswer['comparison']>;
type Row = Comparison['rows'][number];
type Protocol = 'sampled' | 'full' | 'validation';

interface Figure {
  readonly mean: number | null;
  readonly half_width: number | null;
}

export function ComparisonTable({ comparison }: { readonly comparison: Comparison }) {
  const isTested = comparison.rows.some(({ test }) => test !== null);
  const [protocol, setProtocol] = useState<Protocol>(isTested ? 'full' : 'validation');
  const figureOf = ({ test, validation }: Row, metric: string): Figure | undefined =>
    protocol === 'validation' ? { mean: validation[metric] ?? null, half_width: null } : test?.[protocol][metric];
  const rows = comparison.rows.toSorted(
    (a, b) => (figureOf(b, 'ndcg@10')?.mean ?? -1) - (figureOf(a, 'ndcg@10')?.mean ?? -1),
  );
  const bestOf = (metric: string): number => Math.max(...rows.map((row) => figureOf(row, metric)?.mean ?? -1));
  const tests = comparison.tests.filter(
    (test) => test.protocol === protocol && (test.metric === 'ndcg@10' || test.metric === 'mrr'),
  );
  return (
    <section>
      <h2>{words.table}</h2>
      <p class="quiet">{words.tableLead(comparison.users, comparison.items)}</p>
      <Choice
        label={words.protocol}
        value={protocol}
        choices={(['full', 'sampled', 'validation'] as const)
          .filter((name) => isTested || name === 'validation')
          .map((value) => ({ value, label: words.protocols[value] }))}
        onChoice={setProtocol}
      />
      <div class="table-box" tabIndex={0} role="region" aria-label={words.table}>
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">{words.row}</th>
              {METRICS.map((metric) => (
                <th key={metric} scope="col" class="number">
                  {metricText(metric)}
                </th>
              ))}
              <th scope="col" class="number">
                {words.seeds}
              </th>
              <th scope="col" class="number">
                {words.parameters}
              </th>
              <th scope="col" class="number">
                {words.perEpoch}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.label}>
                <th scope="row" title={row.sees.join(', ')}>
                  <UserText text={row.label === row.model ? row.name : `${row.name}, ${row.label}`} />
                  {row.failed.length > 0 && (
                    <small class="quiet" title={row.failed.join('; ')}>
                      {words.failed}: {row.failed.length}
                    </small>
                  )}
                </th>
                {METRICS.map((metric) => (
                  <FigureCell
                    key={metric}
                    figure={figureOf(row, metric)}
                    isBest={figureOf(row, metric)?.mean === bestOf(metric)}
                  />
                ))}
                <td class="number">{row.seeds}</td>
                <td class="number">{row.parameters === null ? '–' : numberText(row.parameters)}</td>
                <td class="number">{row.seconds_per_epoch === null ? '–' : row.seconds_per_epoch.toFixed(1)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {tests.map(({ metric, best, runner_up: second, p }) => (
        <p key={metric} class="quiet">
          {words.runnerUp(best, second, metricText(metric), p === null ? '–' : p < 0.001 ? '< 0.001' : p.toFixed(3))}
        </p>
      ))}
      {comparison.missing.length > 0 && <p class="quiet">{words.missing(comparison.missing)}</p>}
    </section>
  );
}

function FigureCell({ figure, isBest }: { readonly figure: Figure | undefined; readonly isBest: boolean }) {
  const text = metricFigure(figure?.mean);
  return (
    <td class="number">
      {isBest ? <strong>{text}</strong> : text}
      {figure?.half_width !== null && figure?.half_width !== undefined && (
        <small class="quiet"> ± {metricFigure(figure.half_width)}</small>
      )}
    </td>
  );
}
