/** What whoever runs a server wants to see: the health of its data, and how it does. Knows fields only. */
import { type Static, Type } from 'typebox';
import { ModelEntry } from './catalogue.js';
import { ModelName, word } from './common.js';

const numberOrNull = (description: string) => Type.Union([Type.Number(), Type.Null()], { description });

export const Finding = Type.Object({
  name: Type.String(),
  severity: word(['error', 'warning', 'note']),
  count: Type.Integer({ minimum: 0 }),
  what: Type.String(),
  example: Type.Object({ text: Type.String(), line: Type.Integer({ description: 'The ordinal of the event.' }) }),
  advice: Type.String(),
});
export type Finding = Static<typeof Finding>;

export const DataHealthAnswer = Type.Object(
  {
    state: word(['ready', 'working', 'failed'], {
      description: 'It is worked out when it is first asked for: `working` says to ask again in a moment.',
    }),
    model: ModelName,
    failure: Type.Union([Type.String(), Type.Null()]),
    report: Type.Union([
      Type.Object({
        importer: Type.String(),
        seconds: Type.Number({ description: 'How long it took to find out.' }),
        facts: Type.Object({
          users: Type.Integer(),
          items: Type.Integer(),
          queries: Type.Integer(),
          feed: Type.Integer(),
          searches: Type.Integer(),
          clicks: Type.Integer(),
          from: Type.Union([Type.String(), Type.Null()]),
          to: Type.Union([Type.String(), Type.Null()]),
          events_without_time: Type.Integer(),
          users_who_never_search: Type.Integer(),
          users_who_only_search: Type.Integer(),
          searches_with_click: Type.Integer(),
          spontaneous_searches: Type.Integer(),
          passive_searches: Type.Integer(),
          sources: Type.Array(Type.Object({ source: Type.String(), searches: Type.Integer() })),
        }),
        time_unit: Type.String(),
        findings: Type.Array(Finding, { description: 'Errors first, then warnings, then notes.' }),
      }),
      Type.Null(),
    ]),
  },
  { title: 'DataHealthAnswer', description: 'What sesrec check finds in the data of the model that answers.' },
);
export type DataHealthAnswer = Static<typeof DataHealthAnswer>;

const Quantiles = {
  p50: numberOrNull('Seconds, from the buckets of the histogram; null without requests.'),
  p95: numberOrNull('Seconds.'),
  p99: numberOrNull('Seconds.'),
};

/** What happened in a stretch of time. */
export const Interval = Type.Object({
  time: Type.String({ description: 'Its end.' }),
  seconds: Type.Number(),
  requests: Type.Integer({ minimum: 0 }),
  failed: Type.Integer({ minimum: 0, description: 'Answers of 500 and above.' }),
  refused: Type.Integer({ minimum: 0, description: 'Answers of 400 to 499.' }),
  ...Quantiles,
  recommendations: Type.Integer({ minimum: 0 }),
  fallbacks: Type.Integer({ minimum: 0, description: 'Lists that the model did not rank.' }),
  degraded: Type.Integer({ minimum: 0 }),
  events: Type.Integer({ minimum: 0, description: 'Events that were accepted.' }),
  memory: Type.Integer({ description: 'Bytes of the process at its end.' }),
});
export type Interval = Static<typeof Interval>;

export const OperationsAnswer = Type.Object(
  {
    time: Type.String(),
    version: Type.String({ description: 'Of sesrec.' }),
    uptime: Type.Number({ description: 'Seconds.' }),
    in_flight: Type.Integer({ minimum: 0 }),
    most_in_flight: Type.Integer(),
    shed: Type.Integer({ minimum: 0, description: 'Requests turned away because of too many.' }),
    memory: Type.Integer({ description: 'Bytes of the process.' }),
    event_loop_delay: numberOrNull('Seconds, 99 of 100 were shorter.'),
    routes: Type.Array(
      Type.Object({
        route: Type.String(),
        method: Type.String(),
        requests: Type.Integer(),
        refused: Type.Integer(),
        failed: Type.Integer(),
        ...Quantiles,
      }),
      { description: 'Since the start, most requests first.' },
    ),
    sources: Type.Array(
      Type.Object({ source: Type.String(), degraded: Type.Boolean(), answers: Type.Integer({ minimum: 0 }) }),
      { description: 'Recommendations by what ranked them, since the start.' },
    ),
    events: Type.Object({ accepted: Type.Integer(), duplicate: Type.Integer(), rejected: Type.Integer() }),
    models: Type.Array(ModelEntry),
    intervals: Type.Array(Interval, { description: 'The last minutes, oldest first.' }),
  },
  { title: 'OperationsAnswer', description: 'From the same numbers that Prometheus reads.' },
);
export type OperationsAnswer = Static<typeof OperationsAnswer>;
