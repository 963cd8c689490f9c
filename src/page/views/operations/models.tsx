/** Which model answers; another one, or the one before, after it was asked twice. Knows the client's writes; does not load anything. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import type { ExperimentsAnswer, ModelsAnswer } from '../../../client/index.js';
import { announce } from '../../app/announce.js';
import { useAnswer } from '../../app/answer.js';
import { activeIn, learned } from '../../app/answering.js';
import { ask, write } from '../../app/server.js';
import { Failure } from '../../components/states.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';

const words = texts.operations;
type Wish = { readonly kind: 'switch'; readonly run: string } | { readonly kind: 'rollback'; readonly run: string };

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
  const previous = models.find(({ state }) => state === 'previous');
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
          name={wish.kind === 'rollback' ? (previous?.name ?? wish.run) : wish.run}
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

function Confirmation({ wish, name, onEnd }: ConfirmationProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isWorking, setWorking] = useState(false);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => dialog.current!.showModal(), []);
  const isSwitch = wish.kind === 'switch';
  const act = async (): Promise<void> => {
    setWorking(true);
    setError(null);
    try {
      const { models } = learned(
        await write(async (client) => (isSwitch ? client.activateModel(wish.run) : client.rollbackModel())),
      );
      announce(words.switched(activeIn(models)?.name ?? name));
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
      <h2 id="confirm-title">{isSwitch ? words.switchTitle(name) : words.rollbackTo(name)}</h2>
      <p>{isSwitch ? words.switchExplanation : words.rollbackExplanation}</p>
      {error !== null && <Failure error={error} again={() => void act()} />}
      <p class="dialog-buttons">
        <button type="button" disabled={isWorking} onClick={() => dialog.current?.close()}>
          {words.no}
        </button>
        <button type="button" class="strong" disabled={isWorking} onClick={() => void act()}>
          {isWorking ? words.switching : isSwitch ? words.yesSwitch : words.yesRollback}
        </button>
      </p>
    </dialog>
  );
}
