/** What a view shows when it has nothing to show: still loading, empty, failed. */
import type { ComponentChildren } from 'preact';
import { SesrecError } from '../../client/errors.js';
import { absenceIn, keyWanted, presence } from '../app/server.js';
import { texts } from '../texts/index.js';
import type { Asked } from '../app/answer.js';

/** Grey lines where text will be. */
export function Skeleton({ lines = 3 }: { readonly lines?: number }) {
  return (
    <div class="skeleton" role="status" aria-label={texts.states.loading}>
      {Array.from({ length: lines }, (_, i) => (
        <span key={i} aria-hidden="true" />
      ))}
    </div>
  );
}

/** Says what is missing, and what to do about it. */
export function Empty({ title, children }: { readonly title: string; readonly children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** Says what went wrong, in the server's own words where there are any, and offers to try again. */
export function Failure({
  error,
  again,
  isBeside = false,
}: {
  readonly error: unknown;
  readonly again: () => void;
  /** Whether what was there before is still shown. */
  readonly isBeside?: boolean;
}) {
  const isOffline = absenceIn(error) === 'away';
  const isForbidden = error instanceof SesrecError && error.status === 403;
  const text = error instanceof Error ? error.message : String(error);
  return (
    <div class="failure" role="alert">
      <p class="empty-title">{isOffline ? texts.states.offline : texts.states.failed}</p>
      <p dir="auto">{isOffline ? texts.states.willReturn : text}</p>
      {isBeside && <p>{texts.states.beside}</p>}
      <button type="button" onClick={again}>
        {texts.states.again}
      </button>
      {isForbidden && (
        <button type="button" onClick={() => (keyWanted.value = { why: text, isRefused: false })}>
          {texts.key.another}
        </button>
      )}
    </div>
  );
}

/**
 * The usual order of things: failed, loading for the first time, there. While the next answer is loading the one before stays; where asking
 * again fails it stays, too, below what went wrong. Of a server that has gone the shell tells.
 */
export function Shown<Answer>({
  asked,
  lines,
  children,
}: {
  readonly asked: Asked<Answer>;
  readonly lines?: number;
  readonly children: (answer: Answer) => ComponentChildren;
}) {
  const { answer, error, isLoading, again } = asked;
  const failure = error !== null && <Failure error={error} again={again} isBeside={answer !== null} />;
  if (answer === null && failure) return failure;
  if (answer === null) return isLoading ? <Skeleton {...(lines === undefined ? {} : { lines })} /> : null;
  return (
    <div class={isLoading && presence.value === 'there' ? 'shown loading' : 'shown'} aria-busy={isLoading}>
      {absenceIn(error) === null && failure}
      {children(answer)}
    </div>
  );
}
