/** The frame around every view: navigation, theme, key, what is wrong with the server, and what is said aloud. Does not know any view. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { PATHS } from '../../serve/schemas/paths.js';
import type { ModelsAnswer } from '../../client/index.js';
import { Choice } from '../components/choice.js';
import { Failure, Skeleton } from '../components/states.js';
import { UserText } from '../components/user-text.js';
import { texts } from '../texts/index.js';
import { announcement } from './announce.js';
import { useAnswer } from './answer.js';
import { answering, learned } from './answering.js';
import { KeyForm } from './key-form.js';
import { hrefOf, place } from './routing.js';
import { ask, keyWanted, load, presence, reload, returns } from './server.js';
import { THEMES, theme } from './theme.js';
import type { View } from './view.js';
import { VIEWS } from './views.js';

const ASK_AGAIN = 30_000;

export function Shell() {
  const view = VIEWS.find(({ id }) => id === place.value.view) ?? VIEWS[0]!;
  const title = texts.views[view.id];
  const main = useRef<HTMLElement>(null);
  const nav = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${title} · sesrec`;
    if (!first.current) main.current?.focus(); // who cannot see learns that another view is there
    first.current = false;
    nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });
  }, [view]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault(); // what is behind # says which view is shown
          main.current?.focus();
        }}
      >
        {texts.shell.skip}
      </a>
      <header class="top">
        <a class="wordmark" href={hrefOf(VIEWS[0]!.id)} aria-label={texts.shell.home}>
          <Mark />
          sesrec
        </a>
        <nav ref={nav} aria-label={texts.shell.navigation}>
          <ul>
            {VIEWS.map(({ id, about }) => (
              <li key={id}>
                <a
                  href={hrefOf(id, about !== undefined && about === view.about ? place.value.rest : [])}
                  aria-current={id === view.id ? 'page' : undefined}
                >
                  {texts.views[id]}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <Model view={view} />
        <Choice
          label={texts.shell.theme}
          isLabelHidden
          value={theme.value}
          choices={THEMES.map((value) => ({ value, label: texts.shell.themes[value] }))}
          onChoice={(value) => (theme.value = value)}
        />
      </header>
      {presence.value !== 'there' && (
        <p class="banner" role="alert">
          {texts.shell[presence.value]}
        </p>
      )}
      <main id="main" ref={main} tabIndex={-1} aria-label={title}>
        {keyWanted.value === null ? <Loaded key={view.id} view={view} /> : <KeyForm wish={keyWanted.value} />}
      </main>
      <p class="heard" role="status" aria-live="polite">
        {announcement.value}
      </p>
    </>
  );
}

/** A view, once its script is here. One that did not come is loaded with the page: browsers keep what failed, and a server may have new scripts. */
function Loaded({ view }: { readonly view: View }) {
  const { answer, error } = useAnswer(view.id, async () => load(view.load));
  const { value: returned } = returns;
  const [begunAt] = useState(returned);
  useEffect(() => {
    if (error !== null && returned !== begunAt) location.reload();
  }, [returned]);
  const Component = answer?.default;
  if (error !== null) return <Failure error={error} again={() => void reload().catch(() => null)} />;
  return Component ? <Component place={place.value} /> : <Skeleton lines={8} />;
}

/** What answers: asked with every view, and now and then, since it can be switched elsewhere. */
function Model({ view }: { readonly view: View }) {
  useAnswer(`models ${view.id}`, async (signal) => learned(await ask<ModelsAnswer>(PATHS.models, undefined, signal)), {
    askAgain: () => ASK_AGAIN,
  });
  const { value: active } = answering;
  if (!active) return null;
  return (
    <p class="model" title={texts.shell.model(active.name, active.version)}>
      <UserText text={active.name} /> <code>{active.version.slice(0, 7)}</code>
    </p>
  );
}

/** Two lanes and what joins them. */
function Mark() {
  return (
    <svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true">
      <path class="lanes" d="M2 6h20M2 18h20" />
      <path class="joins" d="M6 6c0 7 11 5 11 12" />
      <circle class="similar" cx="6" cy="6" r="3" />
      <circle class="similar" cx="17" cy="18" r="3" />
      <path class="dissimilar" d="M17 2.6 20.4 6 17 9.4 13.6 6z" />
    </svg>
  );
}
