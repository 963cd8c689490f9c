/** Operations: how the server does, now and in the last minutes, and which model answers. Knows the route; asks again every five seconds. */
import { useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import type { OperationsAnswer } from '../../../client/index.js';
import { useAnswer } from '../../app/answer.js';
import { learned } from '../../app/answering.js';
import { ask } from '../../app/server.js';
import { Bar } from '../../components/bar.js';
import { Shown } from '../../components/states.js';
import { numberText, texts } from '../../texts/index.js';
import { Course } from './course.js';
import { Models } from './models.js';
import { durationText, millisecondsText } from './numbers.js';
import './operations.css';

const words = texts.operations;
const AGAIN = 5000;
/** Stretches of ten seconds that are the last minute. */
const LAST_MINUTE = 60;

export default function Operations() {
  const [isPaused, setPaused] = useState(false);
  const asked = useAnswer(
    'operations',
    async (signal) => learned(await ask<OperationsAnswer>(PATHS.operations, undefined, signal)),
    { askAgain: () => (isPaused ? null : AGAIN) },
  );
  return (
    <div class="operations">
      <Shown asked={asked} lines={10}>
        {(answer) => (
          <>
            <header class="operations-head">
              <div>
                <h1>{texts.views.operations}</h1>
                <p class="quiet">{words.lead(answer.version)}</p>
              </div>
              <p class="quiet small">
                {words.updated(clockOf(answer.time), isPaused)}{' '}
                <button type="button" class="plain" aria-pressed={isPaused} onClick={() => setPaused(!isPaused)}>
                  {isPaused ? words.goOn : words.pause}
                </button>
              </p>
            </header>
            <Now answer={answer} />
            <Course intervals={answer.intervals} />
            <Models models={answer.models} again={asked.again} />
            <div class="operations-tables">
              <Routes answer={answer} />
              <Sources answer={answer} />
            </div>
          </>
        )}
      </Shown>
    </div>
  );
}

const clockOf = (time: string): string => time.slice(11, 19);

/** The few numbers that say whether all is well. */
function Now({ answer }: { readonly answer: OperationsAnswer }) {
  const {
    uptime,
    in_flight: inFlight,
    most_in_flight: most,
    memory,
    shed,
    intervals,
    event_loop_delay: delay,
  } = answer;
  const minute = lastOf(intervals, LAST_MINUTE);
  const seconds = minute.reduce((sum, interval) => sum + interval.seconds, 0);
  const total = (name: 'requests' | 'recommendations' | 'fallbacks', among = intervals): number =>
    among.reduce((sum, interval) => sum + interval[name], 0);
  // quantiles of stretches do not add up: the worst of the minute bounds that of the whole
  const withTime = minute.filter(({ p95, requests }) => p95 !== null && requests > 0);
  const p95 = withTime.length === 0 ? null : Math.max(...withTime.map((interval) => interval.p95 ?? 0));
  const lists = total('recommendations');
  const tiles: readonly (readonly [name: string, value: string, hint: string])[] = [
    [
      words.rate,
      seconds === 0 ? words.none : numberText(Math.round((10 * total('requests', minute)) / seconds) / 10),
      words.rateHint,
    ],
    [words.latency, millisecondsText(p95), words.latencyHint],
    [
      words.fallbacks,
      lists === 0 ? words.none : `${Math.round((100 * total('fallbacks')) / lists)} %`,
      words.fallbacksHint,
    ],
    [words.inFlight, numberText(inFlight), words.ofMost(most)],
    [words.shed, numberText(shed), words.shedHint],
    [words.memory, words.megabytes(memory), ''],
    [words.loop, millisecondsText(delay), words.loopHint],
    [words.uptime, durationText(uptime), ''],
  ];
  return (
    <section aria-label={words.now}>
      <dl class="tiles">
        {tiles.map(([name, value, hint]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {value} {hint !== '' && <small class="quiet">{hint}</small>}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The newest stretches that make up so many seconds. */
function lastOf(intervals: OperationsAnswer['intervals'], seconds: number): OperationsAnswer['intervals'] {
  let left = seconds;
  const found: OperationsAnswer['intervals'] = [];
  for (const interval of intervals.toReversed()) {
    if (left <= 0) break;
    left -= interval.seconds;
    found.push(interval);
  }
  return found;
}

function Routes({ answer: { routes } }: { readonly answer: OperationsAnswer }) {
  return (
    <section>
      <h2>{words.routes}</h2>
      {routes.length === 0 ? (
        <p class="quiet">{words.noRequests}</p>
      ) : (
        <div class="table-box routes" tabIndex={0} role="region" aria-label={words.routes}>
          <table class="wide">
            <thead>
              <tr>
                <th scope="col">{words.route}</th>
                {[words.requests, words.refused, words.failed, words.p50, words.p95, words.p99].map((title) => (
                  <th key={title} scope="col" class="number">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {routes.map(({ route, method, requests, refused, failed, p50, p95, p99 }) => (
                <tr key={`${method} ${route}`}>
                  <th scope="row">
                    <small class="quiet">{method}</small> <code>{route}</code>
                  </th>
                  <td class="number">{numberText(requests)}</td>
                  <td class="number">{numberText(refused)}</td>
                  <td class="number">{failed > 0 ? <strong>{numberText(failed)}</strong> : '0'}</td>
                  {[p50, p95, p99].map((seconds, i) => (
                    <td key={i} class="number">
                      {millisecondsText(seconds)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Sources({ answer: { sources, events } }: { readonly answer: OperationsAnswer }) {
  const total = sources.reduce((sum, { answers }) => sum + answers, 0);
  const names: Readonly<Record<string, string>> = texts.catalogue.sources;
  return (
    <section>
      <h2>{words.sources}</h2>
      {total === 0 ? (
        <p class="quiet">{words.nothingYet}</p>
      ) : (
        <ul class="shares">
          {sources.map(({ source, degraded, answers }) => (
            <li key={`${source} ${degraded}`}>
              <span>
                {names[source] ?? source}
                {degraded && <small class="quiet"> {words.degraded}</small>}
              </span>
              <small>
                {numberText(answers)} · {Math.round((100 * answers) / total)} %
              </small>
              <Bar share={answers / total} />
            </li>
          ))}
        </ul>
      )}
      <h2>{words.events}</h2>
      <dl class="events">
        {(['accepted', 'duplicate', 'rejected'] as const).map((result) => (
          <div key={result}>
            <dt>{words[result]}</dt>
            <dd>{numberText(events[result])}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
