/** Runs and comparisons as the page shows them. Knows fields and bounds; does not know files. */
import { type Static, Type } from 'typebox';
import { LIMITS } from './limits.js';
import { word } from './common.js';

const orNull = <Schema extends Parameters<typeof Type.Union>[0][number]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);
const Metrics = Type.Record(Type.String(), Type.Union([Type.Number(), Type.Null()]), {
  description: 'By name: hit@1, hit@5, hit@10, ndcg@5, ndcg@10, mrr.',
});

/** Names are those of directories right below the directory of runs, never paths. */
export const ExperimentName = Type.String({
  minLength: 1,
  maxLength: LIMITS.idLength,
  pattern: '^(?!\\.)[\\w.-]+$',
  description: 'The name of a run or a comparison in the directory of runs.',
});

/** `running`: a process holds its lock. `stopped`: none does, and it has not ended. */
const State = word(['running', 'stopped', 'finished']);

/** Figures of an evaluation, with how they were got. */
export const KeptFigures = Type.Object({
  on: word(['validation', 'test']),
  protocol: word(['sampled', 'full']),
  candidates: orNull(Type.Integer({ description: 'Items that each target was ranked among; null: all.' })),
  users: Type.Integer(),
  sample: Type.Boolean({ description: 'Whether these users are a sample.' }),
  metrics: Metrics,
  intervals: Type.Record(Type.String(), Type.Tuple([Type.Number(), Type.Number()]), {
    description: '95 % intervals over users.',
  }),
  current: Type.Boolean({ description: 'Whether they are of the weights that the run has now.' }),
});
export type KeptFigures = Static<typeof KeptFigures>;

export const ExperimentEntry = Type.Object({
  name: Type.String(),
  kind: word(['run', 'comparison']),
  state: State,
  model: orNull(Type.String({ description: 'The id of the model; null for a comparison.' })),
  preset: orNull(Type.String()),
  models: Type.Array(Type.String(), { description: 'Rows of a comparison.' }),
  seed: orNull(Type.Integer()),
  epochs: Type.Integer({ minimum: 0, description: 'Epochs that have ended.' }),
  epochs_planned: orNull(Type.Integer()),
  best: orNull(Type.Object({ epoch: Type.Integer(), metrics: Metrics })),
  test: Type.Array(KeptFigures, { description: 'Figures of the test, if it was looked at.' }),
  test_looks: Type.Integer({ minimum: 0 }),
  data: orNull(Type.String({ description: 'Hash of the data.' })),
  changed: Type.String({ description: 'When something was last written there.' }),
  servable: Type.Boolean({ description: 'Whether it has weights that could answer.' }),
  flaw: orNull(Type.String({ description: 'Why it cannot be read.' })),
});
export type ExperimentEntry = Static<typeof ExperimentEntry>;

export const ExperimentsAnswer = Type.Object(
  {
    experiments: Type.Array(ExperimentEntry, { description: 'What changed last comes first.' }),
    left_out: Type.Integer({ minimum: 0, description: 'How many more there are.' }),
  },
  { title: 'ExperimentsAnswer' },
);
export type ExperimentsAnswer = Static<typeof ExperimentsAnswer>;

export const Epoch = Type.Object({
  epoch: Type.Integer({ minimum: 1 }),
  losses: Type.Record(Type.String(), orNull(Type.Number()), {
    description: '`loss` is the whole; the others are its parts.',
  }),
  metrics: Metrics,
  learning_rate: orNull(Type.Number()),
  training_seconds: orNull(Type.Number()),
  improved: Type.Boolean(),
  time: orNull(Type.String()),
});
export type Epoch = Static<typeof Epoch>;

export const Curve = Type.Object({
  label: Type.String({ description: 'The row of a comparison; the name of a run.' }),
  seed: Type.Integer(),
  epochs: Type.Array(Epoch),
});
export type Curve = Static<typeof Curve>;

const Interval = Type.Object({
  mean: orNull(Type.Number()),
  half_width: orNull(Type.Number({ description: 'Half of the 95 % interval over seeds; null of one seed.' })),
});

export const ComparisonRow = Type.Object({
  label: Type.String(),
  name: Type.String(),
  model: Type.String(),
  sees: Type.Array(Type.String()),
  seeds: Type.Integer({ minimum: 0 }),
  parameters: orNull(Type.Integer()),
  epochs: orNull(Type.Number()),
  seconds_per_epoch: orNull(Type.Number()),
  validation: Metrics,
  test: orNull(
    Type.Object({
      sampled: Type.Record(Type.String(), Interval),
      full: Type.Record(Type.String(), Interval),
    }),
  ),
  failed: Type.Array(Type.String()),
});
export type ComparisonRow = Static<typeof ComparisonRow>;

export const Comparison = Type.Object({
  users: Type.Integer(),
  items: Type.Integer(),
  candidates: Type.Integer(),
  rows: Type.Array(ComparisonRow),
  missing: Type.Array(Type.String(), { description: 'Rows that have no results yet.' }),
  tests: Type.Array(
    Type.Object({
      protocol: word(['sampled', 'full']),
      metric: Type.String(),
      best: Type.String(),
      runner_up: Type.String(),
      difference: Interval,
      p: orNull(Type.Number({ description: 'Student’s paired t-test over users, corrected by Holm.' })),
    }),
    { description: 'The best row against the runner-up.' },
  ),
});
export type Comparison = Static<typeof Comparison>;

export const ExperimentAnswer = Type.Object(
  {
    ...ExperimentEntry.properties,
    curves: Type.Array(Curve),
    settings: Type.Array(Type.Object({ name: Type.String(), value: Type.String() }), {
      description: 'Of the model and the training, nested ones by dotted names.',
    }),
    command: orNull(Type.String({ description: 'What began a comparison.' })),
    results: Type.Array(KeptFigures),
    comparison: orNull(Comparison),
    environment: orNull(
      Type.Object({
        sesrec: Type.String(),
        node: Type.String(),
        cpu: orNull(Type.String()),
        started: orNull(Type.String()),
        seconds: orNull(Type.Number()),
      }),
    ),
  },
  { title: 'ExperimentAnswer' },
);
export type ExperimentAnswer = Static<typeof ExperimentAnswer>;

/** What comes over `…/live`, as the data of server-sent events: `epoch`, `state`, `end`. */
export const LiveEpoch = Type.Object({ label: Type.String(), seed: Type.Integer(), epoch: Epoch });
export type LiveEpoch = Static<typeof LiveEpoch>;
export const LiveState = Type.Object({ state: State });
export type LiveState = Static<typeof LiveState>;
