/** Which model answers; another one, or the one before, after it was asked twice. Knows the client's writes; does not load anything. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import type { ExperimentsAnswer, ModelsAnswer, SesrecClient } from '../../../client/index.js';
import { announce } from '../../app/announce.js';
import { useAnswer } from '../../app/answer.js';
import { activeIn, learned } from '../../app/answering.js';
import { ask, write } from '../../app/server.js';
import { Failure } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';

const words = texts.operations;
interface Wish {
  readonly kind: keyof typeof ASKED;
  readonly run: string;
}
/** What is asked before a wish comes true, and what makes it so. */
const ASKED = {
  switch: {
    title: words.switchTitle,
    explanation: words.switchExplanation,
    yes: words.yesSwitch,
    act: async (client: SesrecClient, run: string) => client.activateModel(run),
  },
  rollback: {
    title: words.rollbackTo,
    explanation: words.rollbackExplanation,
    yes: words.yesRollback,
    act: async (client: SesrecClient) => client.rollbackModel(),
  },
  endShadow: {
    title: words.endShadowTitle,
    explanation: words.endShadowExplanation,
    yes: words.yesEndShadow,
    act: async (client: SesrecClient) => client.endShadow(),
  },
} as const;

interface ModelsProps {
  readonly models: ModelsAnswer['models'];
  /** Asks which there are now. */
  readonly again: () => void;
}

export function Models({ models, again }: ModelsProps) {
  const [wish, setWish] = useState<Wish | null>(null);
  const [run, setRun] = useState('');
  const runs = useAnswer('servable', async (signal) => ask<ExperimentsAnswer>(PATHS.experiments, undefined, signal));
  const active = activeIn(models);
  /** What a wish would change now, which may be another model than when it was made. */
  const nameOf = ({ kind, run: wished }: Wish): string => {
    const state = kind === 'rollback' ? 'previous' : 'shadow';
    return (kind === 'switch' ? undefined : models.find((model) => model.state === state)?.name) ?? wished;
  };
  const others = (runs.answer?.experiments ?? []).filter(({ servable, name }) => servable && name !== active?.run);
  return (
    <section class="models">
      <h2>{words.models}</h2>
      <div class="table-box" tabIndex={0} role="region" aria-label={words.models}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.model}</th>
              <th scope="col">{words.version}</th>
              <th scope="col">{words.state}</th>
              <th scope="col">
                <span class="heard">{words.rollback}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {models.map(({ name, version, state, run: own }) => (
              <tr key={state}>
                <th scope="row">
                  {state === 'active' ? (
                    <strong>
                      <UserText text={name} />
                    </strong>
                  ) : (
                    <UserText text={name} />
                  )}
                </th>
                <td>
                  <code title={version}>{version.slice(0, 12)}</code>
                </td>
                <td>{words.states[state]}</td>
                <td>
                  {state === 'previous' && (
                    <button
                      type="button"
                      onClick={() => {
                        setWish({ kind: 'rollback', run: own });
                        again(); // it may have been switched elsewhere
                      }}
                    >
                      {words.rollback}
                    </button>
                  )}
                  {state === 'shadow' && (
                    <button type="button" onClick={() => setWish({ kind: 'endShadow', run: own })}>
                      {words.endShadow}
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {runs.error !== null ? (
        <Failure error={runs.error} again={runs.again} />
      ) : runs.answer && others.length === 0 ? (
        <p class="quiet">{words.noRuns}</p>
      ) : (
        <form
          class="switch"
          onSubmit={(event) => {
            event.preventDefault();
            if (run !== '') setWish({ kind: 'switch', run });
          }}
        >
          <label for="switch-run">{words.switchTo}</label>
          <select id="switch-run" value={run} onChange={(event) => setRun(event.currentTarget.value)}>
            <option value="">{words.chooseRun}</option>
            {others.map(({ name, model, preset }) => (
              <option key={name} value={name}>
                {`${name} (${model ?? ''} ${preset ?? ''})`}
              </option>
            ))}
          </select>
          <button type="submit" disabled={run === ''}>
            {words.switch}
          </button>
        </form>
      )}
      {wish && (
        <Confirmation
          wish={wish}
          name={nameOf(wish)}
          onEnd={(isDone) => {
            setWish(null);
            if (!isDone) return;
            setRun('');
            again();
          }}
        />
      )}
    </section>
  );
}

interface ConfirmationProps {
  readonly wish: Wish;
  readonly name: string;
  readonly onEnd: (isDone: boolean) => void;
}

function Confirmation({ wish: { kind, run }, name, onEnd }: ConfirmationProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isWorking, setWorking] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => dialog.current!.showModal(), []);
  const asked = ASKED[kind];
  const act = async (): Promise<void> => {
    setWorking(true);
    setError(null);
    try {
      const { models } = learned(await write(async (client) => asked.act(client, run)));
      announce(kind === 'endShadow' ? words.shadowEnded(name) : words.switched(activeIn(models)?.name ?? name));
      dialog.current?.close();
      onEnd(true);
    } catch (failure) {
      setError(failure);
    } finally {
      setWorking(false);
    }
  };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="confirm-title"
      onCancel={(event) => {
        if (isWorking) event.preventDefault();
      }}
      onClose={() => onEnd(false)}
    >
      <h2 id="confirm-title">{asked.title(name)}</h2>
      <p>{asked.explanation}</p>
      {error !== null && <Failure error={error} again={() => void act()} />}
      <p class="dialog-buttons">
        <button type="button" disabled={isWorking} onClick={() => dialog.current?.close()}>
          {words.no}
        </button>
        <button type="button" class="strong" disabled={isWorking} onClick={() => void act()}>
          {isWorking && kind !== 'endShadow' ? words.switching : asked.yes}
        </button>
      </p>
    </dialog>
  );
}
