/**
 * What a component asked for, as it comes: loading, there, failed; and asked for again where it changes by itself. Knows promises and time; of
 * servers only whether there is one.
 */
import { useEffect, useState } from 'preact/hooks';
import { isAskable, returns } from './server.js';

export interface Asked<Answer> {
  /** The newest answer; while another is loading, or when asking again fails, the one before. */
  readonly answer: Answer | null;
  readonly error: unknown;
  /** Whether the answer that is wanted is still to come. */
  readonly isLoading: boolean;
  readonly again: () => void;
}

interface Options<Answer> {
  /** Whether the answer to the key before is shown while the next is loading. */
  readonly keep?: boolean;
  /** Milliseconds from an answer, or a failure, to the next time; null for no next time. The answer is null where there is none yet. */
  readonly askAgain?: (answer: Answer | null) => number | null;
}

interface State<Answer> {
  readonly key: string | null;
  /** An answer, and to which key. */
  readonly found: { readonly key: string; readonly answer: Answer } | null;
  readonly error: unknown;
  readonly isAsking: boolean;
}

/**
 * Asks when the component appears and whenever `key` changes; what is under way is given up then. A key of null asks nothing. What failed is
 * asked again when the server is back.
 */
export function useAnswer<Answer>(
  key: string | null,
  question: (signal: AbortSignal) => Promise<Answer>,
  { keep = true, askAgain = () => null }: Options<Answer> = {},
): Asked<Answer> {
  const [state, setState] = useState<State<Answer>>({ key, found: null, error: null, isAsking: key !== null });
  const [tries, setTries] = useState(0);
  const ask = (): void => setTries((before) => before + 1);
  const again = (): void => {
    setState((before) => ({ ...before, error: null }));
    ask();
  };
  const { value: returned } = returns;
  const [askedAt, setAskedAt] = useState(returned);
  useEffect(() => {
    if (returned !== askedAt && state.error !== null) again();
    setAskedAt(returned);
  }, [returned]);
  useEffect(() => {
    if (key === null) {
      setState({ key, found: null, error: null, isAsking: false });
      return;
    }
    const stop = new AbortController();
    setState((before) =>
      before.key === key
        ? { ...before, isAsking: true } // a failure is told until an answer comes
        : { key, found: keep ? before.found : null, error: null, isAsking: true },
    );
    question(stop.signal).then(
      (answer) => stop.signal.aborted || setState({ key, found: { key, answer }, error: null, isAsking: false }),
      (error: unknown) =>
        stop.signal.aborted ||
        setState(({ found }) => ({ key, found: found?.key === key ? found : null, error, isAsking: false })),
    );
    return () => stop.abort();
  }, [key, tries]);
  const isFor = state.key === key;
  const isAsking = isFor ? state.isAsking : key !== null;
  const answer = isFor || keep ? (state.found?.answer ?? null) : null;
  useAgain(key === null || isAsking ? null : askAgain(answer), ask);
  return { answer, error: isFor ? state.error : null, isLoading: isAsking && state.found?.key !== key, again };
}

/** Asks every so many milliseconds while the tab is seen, and as soon as it is seen again; never for null. */
function useAgain(milliseconds: number | null, ask: () => void): void {
  useEffect(() => {
    if (milliseconds === null) return;
    const askIfSeen = (): void => {
      if (document.visibilityState === 'visible' && isAskable()) ask();
    };
    const timer = setInterval(askIfSeen, milliseconds);
    document.addEventListener('visibilitychange', askIfSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', askIfSeen);
    };
  }, [milliseconds]);
}

/** A value that has not changed for a while: what is typed is asked for when the typing pauses. */
export function useSettled<Value>(value: Value, milliseconds = 150): Value {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
