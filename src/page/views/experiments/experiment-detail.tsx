/** One run or comparison: curves that grow while it trains, results, the table, settings, the report. Knows the order; parts are others'. */
import { useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import type { ExperimentAnswer } from '../../../client/index.js';
import { announce } from '../../app/announce.js';
import { hrefOf } from '../../app/routing.js';
import { askFile } from '../../app/server.js';
import { Choice } from '../../components/choice.js';
import { Empty, Failure, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { ComparisonTable } from './comparison-table.js';
import { LossChart, ValidationChart } from './curves.js';
import { type Live, useLive } from './live.js';
import { METRICS, type MetricName, metricFigure, metricText } from './metrics.js';
import { StateMark } from './state-mark.js';

const words = texts.experiments;

export function ExperimentDetail({ name }: { readonly name: string }) {
  const live = useLive(name);
  return (
    <div class="experiment">
      <a href={hrefOf('experiments')}>{words.all}</a>
      <Shown asked={live.asked} lines={12}>
        {(answer) => <Experiment answer={answer} live={live} />}
      </Shown>
    </div>
  );
}

function Experiment({ answer, live }: { readonly answer: ExperimentAnswer; readonly live: Live }) {
  const { name, kind, model, preset, models, state, seed, comparison, results, epochs_planned: planned } = answer;
  const epochs = kind === 'run' ? (live.curves[0]?.epochs ?? []) : [];
  const best = epochs.findLast(({ improved }) => improved);
  return (
    <article class="experiment-body">
      <header>
        <h1>
          <UserText text={name} lines={2} />
        </h1>
        <p class="experiment-facts">
          <StateMark state={state} />
          <span>
            {kind === 'comparison'
              ? words.comparison(models.length)
              : [model, preset, seed === null ? '' : words.seed(seed)].join(' · ')}
          </span>
          {epochs.length > 0 && (
            <span>
              {words.epochs} {words.epochsOf(epochs.length, planned)}
            </span>
          )}
          {best && <span>{words.best(best.epoch)}</span>}
          <Report name={name} />
        </p>
        {state === 'running' && (
          <p role="status" class="experiment-live">
            {live.isLost ? words.lost : words.live}
          </p>
        )}
      </header>
      <Curves live={live} kind={kind} planned={state === 'running' && kind === 'run' ? planned : null} />
      {comparison && <ComparisonTable comparison={comparison} />}
      {results.length > 0 && <Results answer={answer} />}
      <Settings answer={answer} />
    </article>
  );
}

interface CurvesProps {
  readonly live: Live;
  readonly kind: ExperimentAnswer['kind'];
  /** Room for the epochs that are to come. */
  readonly planned: number | null;
}

function Curves({ live: { curves }, kind, planned }: CurvesProps) {
  const [metric, setMetric] = useState<MetricName>('mrr');
  const [first] = curves;
  if (!first || first.epochs.length === 0)
    return (
      <Empty title={words.noEpochs}>
        <p>{words.noEpochsHint}</p>
      </Empty>
    );
  return (
    <>
      <section class="curves">
        <div class="section-head">
          <h2>{words.curves}</h2>
          <Choice
            label={words.metric}
            isLabelHidden
            value={metric}
            choices={METRICS.map((value) => ({ value, label: metricText(value) }))}
            onChoice={setMetric}
          />
        </div>
        <ValidationChart curves={curves} metric={metric} planned={planned} />
      </section>
      {kind === 'run' && (
        <>
          <section class="curves">
            <h2>{words.loss}</h2>
            <LossChart epochs={first.epochs} />
          </section>
          <details>
            <summary>{words.epochsTable}</summary>
            <EpochTable epochs={first.epochs} />
          </details>
        </>
      )}
    </>
  );
}

function EpochTable({ epochs }: { readonly epochs: ExperimentAnswer['curves'][number]['epochs'] }) {
  const parts = [...new Set(epochs.flatMap(({ losses }) => Object.keys(losses)))];
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={words.epochsTable}>
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">
              {words.epoch}
            </th>
            {[...parts, ...METRICS.map(metricText), words.rate, words.seconds].map((title) => (
              <th key={title} scope="col" class="number">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {epochs.map(({ epoch, losses, metrics, learning_rate: rate, training_seconds: seconds, improved }) => (
            <tr key={epoch}>
              <th scope="row" class="number">
                {epoch}
                {improved && ' *'}
              </th>
              {parts.map((part) => (
                <td key={part} class="number">
                  {metricFigure(losses[part])}
                </td>
              ))}
              {METRICS.map((metric) => (
                <td key={metric} class="number">
                  {metricFigure(metrics[metric])}
                </td>
              ))}
              <td class="number">{rate === null ? '–' : rate.toPrecision(2)}</td>
              <td class="number">{seconds === null ? '–' : seconds.toFixed(1)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Figures that the run keeps, and what they are of. */
function Results({ answer: { results, test_looks: looks } }: { readonly answer: ExperimentAnswer }) {
  return (
    <section>
      <h2>{words.results}</h2>
      <p class="quiet">
        {words.looks(looks)} {words.interval}
      </p>
      <div class="table-box" tabIndex={0} role="region" aria-label={words.results}>
        <table class="wide">
          <thead>
            <tr>
              <th scope="col">{words.protocol}</th>
              {METRICS.map((metric) => (
                <th key={metric} scope="col" class="number">
                  {metricText(metric)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {results.map(({ on, candidates, users, sample, metrics, intervals, current }, i) => (
              <tr key={i}>
                <th scope="row">
                  {words.on[on]}, {words.among(candidates)}
                  <br />
                  <small class="quiet">
                    {words.users(users, sample)}
                    {!current && `, ${words.old}`}
                  </small>
                </th>
                {METRICS.map((metric) => {
                  const interval = intervals[metric];
                  return (
                    <td key={metric} class="number">
                      {metricFigure(metrics[metric])}
                      {interval && (
                        <small class="quiet">
                          <br />
                          {words.between(interval[0].toFixed(3), interval[1].toFixed(3))}
                        </small>
                      )}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Settings({ answer: { settings, command, environment } }: { readonly answer: ExperimentAnswer }) {
  return (
    <details>
      <summary>{words.settings}</summary>
      {command !== null && (
        <p>
          {words.command} <code dir="auto">{command}</code>
        </p>
      )}
      {environment && <p class="quiet">{words.made(environment.sesrec, environment.cpu)}</p>}
      <dl class="settings">
        {settings.map(({ name, value }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <UserText text={value} lines={2} />
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

/** The report as a file: its policy is its own, and a tab of this page would have this page's. */
function Report({ name }: { readonly name: string }) {
  const [isMade, setMade] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const save = async (): Promise<void> => {
    setMade(true);
    setError(null);
    try {
      const report = await askFile(PATHS.experimentReport(name));
      const link = document.createElement('a');
      link.href = URL.createObjectURL(report);
      link.download = `${name}.html`;
      link.click();
      URL.revokeObjectURL(link.href);
      announce(words.reportSaved);
    } catch (failure) {
      setError(failure);
    } finally {
      setMade(false);
    }
  };
  return (
    <span class="report">
      <button type="button" disabled={isMade} onClick={() => void save()}>
        {isMade ? words.reporting : words.report}
      </button>
      {error !== null && <Failure error={error} again={() => void save()} />}
    </span>
  );
}
