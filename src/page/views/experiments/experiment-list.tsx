/** Runs and comparisons, what changed last first. Knows the route; asks again while something trains. */
import { PATHS } from '../../../serve/schemas/paths.js';
import type { ExperimentEntry, ExperimentsAnswer } from '../../../client/index.js';
import { useAnswer } from '../../app/answer.js';
import { hrefOf } from '../../app/routing.js';
import { ask } from '../../app/server.js';
import { Bar } from '../../components/bar.js';
import { Empty, Shown } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts, timeText } from '../../texts/index.js';
import { metricFigure } from './metrics.js';
import { StateMark } from './state-mark.js';

const words = texts.experiments;
const [WHILE_TRAINING, OTHERWISE] = [5000, 30_000];

export function ExperimentList() {
  const asked = useAnswer(
    'experiments',
    async (signal) => ask<ExperimentsAnswer>(PATHS.experiments, undefined, signal),
    {
      askAgain: (answer) =>
        answer?.experiments.some(({ state }) => state === 'running') === true ? WHILE_TRAINING : OTHERWISE,
    },
  );
  return (
    <div class="experiments">
      <header>
        <h1>{texts.views.experiments}</h1>
        <p class="quiet">{words.lead}</p>
      </header>
      <Shown asked={asked} lines={8}>
        {({ experiments, left_out: leftOut }) =>
          experiments.length === 0 ? (
            <Empty title={words.none}>
              <p>{words.noneHint}</p>
            </Empty>
          ) : (
            <>
              <div class="table-box" tabIndex={0} role="region" aria-label={texts.views.experiments}>
                <table class="wide">
                  <thead>
                    <tr>
                      <th scope="col">{words.name}</th>
                      <th scope="col">{words.what}</th>
                      <th scope="col">{words.state}</th>
                      <th scope="col">{words.epochs}</th>
                      <th scope="col" class="number">
                        {words.validationMetric('MRR')}
                      </th>
                      <th scope="col" class="number">
                        {words.test}, NDCG@10
                      </th>
                      <th scope="col">{words.changed}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {experiments.map((entry) => (
                      <Row key={entry.name} entry={entry} />
                    ))}
                  </tbody>
                </table>
              </div>
              {leftOut > 0 && <p class="quiet">{words.leftOut(leftOut)}</p>}
            </>
          )
        }
      </Shown>
    </div>
  );
}

function Row({ entry }: { readonly entry: ExperimentEntry }) {
  const {
    name,
    kind,
    model,
    preset,
    models,
    state,
    epochs,
    epochs_planned: planned,
    best,
    test,
    changed,
    flaw,
  } = entry;
  return (
    <tr>
      <th scope="row">
        <a href={hrefOf('experiments', [name])}>
          <UserText text={name} />
        </a>
      </th>
      {flaw !== null ? (
        <td colSpan={5}>
          <strong>{words.flaw}:</strong> <bdi dir="auto">{flaw}</bdi>
        </td>
      ) : (
        <>
          <td>{kind === 'comparison' ? words.comparison(models.length) : `${model} ${preset}`}</td>
          <td>
            <StateMark state={state} />
          </td>
          <td>
            {kind === 'run' && (
              <span class="epochs">
                <Bar share={planned === null ? 0 : epochs / planned} />
                {words.epochsOf(epochs, planned)}
              </span>
            )}
          </td>
          <td class="number">{best ? metricFigure(best.metrics['mrr']) : '–'}</td>
          <td class="number">
            {test.length === 0
              ? '–'
              : test.map(({ metrics, candidates, protocol }) => (
                  <div key={`${protocol} ${candidates}`}>
                    {metricFigure(metrics['ndcg@10'])} <small class="quiet">{words.among(candidates)}</small>
                  </div>
                ))}
          </td>
        </>
      )}
      <td>{timeText(changed)}</td>
    </tr>
  );
}
