/** Data health: what check found in the data of the model that answers, and what there is in them. Knows the route; judges nothing. */
import { PATHS } from '../../../serve/schemas/paths.js';
import type { DataHealthAnswer } from '../../../client/index.js';
import { ask } from '../../app/server.js';
import { useWorkedOut } from '../../app/worked-out.js';
import { Bar } from '../../components/bar.js';
import { Empty, Failure, Shown, Skeleton } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { dateText, numberText, texts } from '../../texts/index.js';
import './data-health.css';

const words = texts.dataHealth;
const SEVERITIES = ['error', 'warning', 'note'] as const;
type Report = NonNullable<DataHealthAnswer['report']>;

export default function DataHealth() {
  const asked = useWorkedOut(
    'data-health',
    async (signal) => ask<DataHealthAnswer>(PATHS.dataHealth, undefined, signal),
    ({ state }) => state === 'working',
  );
  return (
    <div class="health">
      <h1>{texts.views['data-health']}</h1>
      <Shown asked={asked} lines={8}>
        {({ state, model, failure, report }) => (
          <>
            <p class="quiet">{words.lead(model.name)}</p>
            {state === 'working' && (
              <Empty title={words.working}>
                <p>{words.workingHint}</p>
                <Skeleton lines={6} />
              </Empty>
            )}
            {state === 'failed' && <Failure error={`${words.failed}: ${failure ?? ''}`} again={asked.again} />}
            {report && <Told report={report} />}
          </>
        )}
      </Shown>
    </div>
  );
}

function Told({ report }: { readonly report: Report }) {
  const { findings, facts, time_unit: timeUnit, importer, seconds } = report;
  const count = (severity: (typeof SEVERITIES)[number]): number =>
    findings.filter((finding) => finding.severity === severity).length;
  return (
    <>
      <p class="health-summary" role="status">
        {findings.length === 0 ? words.nothing : words.findings(count('error'), count('warning'), count('note'))}
      </p>
      {findings.length === 0 && <p class="quiet">{words.nothingHint}</p>}
      <div class={findings.length === 0 ? 'health-columns bare' : 'health-columns'}>
        <div class="findings" hidden={findings.length === 0}>
          {SEVERITIES.filter((severity) => count(severity) > 0).map((severity) => (
            <section key={severity}>
              <h2>
                {words.severities[severity]} <small class="quiet">{words.severityHints[severity]}</small>
              </h2>
              <ul>
                {findings
                  .filter((finding) => finding.severity === severity)
                  .map((finding) => (
                    <FindingCard key={`${finding.name} ${finding.example.text}`} finding={finding} />
                  ))}
              </ul>
            </section>
          ))}
        </div>
        <Facts facts={facts} timeUnit={timeUnit} />
      </div>
      <p class="quiet small">{words.took(seconds.toFixed(1), importer)}</p>
    </>
  );
}

function FindingCard({ finding }: { readonly finding: Report['findings'][number] }) {
  const { severity, count, what, example, advice } = finding;
  return (
    <li class={`finding ${severity}`}>
      <p class="finding-what">
        <span class="finding-mark" role="img" aria-label={words.severity[severity]} />
        <span>
          <strong>{numberText(count)}</strong> {what}
        </span>
      </p>
      <dl>
        <div>
          <dt>{words.example}</dt>
          <dd>
            <UserText text={example.text} lines={3} />
            <small class="quiet">{words.event(example.line)}</small>
          </dd>
        </div>
        <div>
          <dt>{words.advice}</dt>
          <dd>{advice}</dd>
        </div>
      </dl>
    </li>
  );
}

function Facts({ facts, timeUnit }: { readonly facts: Report['facts']; readonly timeUnit: string }) {
  const counts = [
    [facts.users, words.users],
    [facts.items, words.items],
    [facts.queries, words.queries],
    [facts.feed, words.feed],
    [facts.searches, words.searches],
    [facts.clicks, words.clicks],
  ] as const;
  const shares = [
    [facts.users_who_never_search, facts.users, words.neverSearch, words.ofPeople],
    [facts.users_who_only_search, facts.users, words.onlySearch, words.ofPeople],
    [facts.searches_with_click, facts.searches, words.withClick, words.ofSearches],
  ] as const;
  const most = Math.max(1, ...facts.sources.map(({ searches }) => searches));
  return (
    <aside class="health-facts">
      <section>
        <h2>{words.facts}</h2>
        <dl class="counts">
          {counts.map(([count, name]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{numberText(count)}</dd>
            </div>
          ))}
        </dl>
        <dl class="pairs">
          <div>
            <dt>{words.period}</dt>
            <dd>{facts.from === null ? '–' : `${dateText(facts.from)} – ${dateText(facts.to)}`}</dd>
          </div>
          <div>
            <dt>{words.times}</dt>
            <dd>{timeUnit}</dd>
          </div>
          <div>
            <dt>{words.withoutTime}</dt>
            <dd>{numberText(facts.events_without_time)}</dd>
          </div>
        </dl>
      </section>
      <section>
        <h2>{words.searching}</h2>
        <ul class="shares">
          {shares.map(([part, whole, name, of]) => (
            <li key={name}>
              <span>
                <strong>{whole === 0 ? '–' : `${Math.round((100 * part) / whole)} %`}</strong> {name}
              </span>
              <small class="quiet">
                {numberText(part)} / {numberText(whole)} {of}
              </small>
              <Bar share={whole === 0 ? 0 : part / whole} />
            </li>
          ))}
        </ul>
      </section>
      {facts.sources.length > 0 && (
        <section>
          <h2>{words.sources}</h2>
          <ul class="shares">
            {facts.sources.map(({ source, searches }) => (
              <li key={source}>
                <UserText text={source} />
                <small class="quiet">{numberText(searches)}</small>
                <Bar share={searches / most} />
              </li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}
