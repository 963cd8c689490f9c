/** Starting over, and keeping what was only imagined: the one thing in the view that writes, so it asks once more. Knows drafts; asks nothing. */
import { signal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { EventsAnswer } from '../../../serve/schemas/index.js';
import { reasonOf } from '../../../serve/schemas/rejections.js';
import { announce } from '../../app/announce.js';
import { write } from '../../app/server.js';
import { Failure } from '../../components/states.js';
import { SteadyButton } from '../../components/steady-button.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { type Draft, type Step, NOTHING, change, eventsOf, isNothing, textOf } from './draft.js';

/** Counts what was stored from here: what was answered before is asked anew. */
export const stores = signal(0);

/** Stores steps of somebody's draft. What is stored leaves it; what is refused, and what was imagined meanwhile, stays. */
async function store(user: string, steps: readonly Step[]): Promise<void> {
  const ids = new Set(steps.map(({ id }) => id));
  change(user, (draft) => ({ ...draft, keeping: { state: 'storing', ids } }));
  try {
    const { rejected } = await write<EventsAnswer>(async (client) => client.sendEvents(eventsOf(user, steps)));
    const why = new Map(rejected.map((rejection) => [steps[rejection.index]?.id ?? '', reasonOf(rejection)]));
    const stored = steps.length - why.size;
    change(user, (draft) => ({
      ...draft,
      added: draft.added.filter(({ id }) => !ids.has(id) || why.has(id)),
      keeping: why.size === 0 ? null : { state: 'refused', stored, why },
    }));
    stores.value++;
    announce(texts.whatIf.kept(stored));
  } catch (error) {
    change(user, (draft) => ({ ...draft, keeping: { state: 'failed', ids, error } }));
  }
}

export function Keep({ user, draft }: { readonly user: string | null; readonly draft: Draft }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const { added, without, keeping } = draft;
  const isStoring = keeping?.state === 'storing';
  const words = texts.whatIf;
  const keep = (steps: readonly Step[]): void => {
    dialog.current?.close();
    if (user !== null && steps.length > 0 && !isStoring) void store(user, steps);
  };
  return (
    <div class="keep" aria-busy={isStoring}>
      <SteadyButton isIdle={isNothing(draft) || isStoring} onClick={() => change(user, () => NOTHING)}>
        {words.startOver}
      </SteadyButton>
      <SteadyButton
        isIdle={user === null || added.length === 0 || isStoring}
        onClick={() => dialog.current?.showModal()}
      >
        {words.keep}
      </SteadyButton>
      <p class="quiet small" role="status">
        {isStoring ? words.storing : words.nothingStored}
      </p>
      <Outcome draft={draft} again={keep} />
      <dialog ref={dialog} aria-labelledby="keep-title">
        <h2 id="keep-title">{words.keepTitle(added.length)}</h2>
        <p>
          {words.keepMore} {without.size > 0 && words.keepNotRemoved}
        </p>
        <div class="keep">
          <button type="button" class="strong" onClick={() => keep(added)}>
            {words.keepYes}
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            {words.keepNo}
          </button>
        </div>
      </dialog>
    </div>
  );
}

/** What was not stored, and why. Said of what is still there only; trying again is about what somebody agreed to, and nothing else. */
function Outcome({
  draft: { added, keeping },
  again,
}: {
  readonly draft: Draft;
  readonly again: (steps: readonly Step[]) => void;
}) {
  if (keeping?.state === 'failed') {
    const steps = added.filter(({ id }) => keeping.ids.has(id));
    return steps.length > 0 ? <Failure error={keeping.error} again={() => again(steps)} /> : null;
  }
  if (keeping?.state !== 'refused') return null;
  const { stored, why } = keeping;
  const refused = added.filter(({ id }) => why.has(id));
  if (refused.length === 0) return null;
  return (
    <div class="failure" role="alert">
      <p class="empty-title">{texts.whatIf.refused(stored, refused.length)}</p>
      <ul>
        {refused.map((step) => (
          <li key={step.id}>
            <UserText text={textOf(step)} />
            <span class="small" dir="auto">
              {why.get(step.id)}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
