/** What a component asked for, as it comes: loading, there, failed. Knows promises; does not know servers. */
import { useEffect, useState } from 'preact/hooks';
import { returns } from './server.js';

export interface Asked<Answer> {
  /** The newest answer; while another is loading, the one before. */
  readonly answer: Answer | null;
  readonly error: unknown;
  readonly isLoading: boolean;
  readonly again: () => void;
}

/**
 * Asks when the component appears and whenever `key` changes; what is under way is given up then. A key of null asks nothing. What failed is
 * asked again when the server is back.
 * @param keep whether the answer to the key before is shown while the next is loading
 */
export function useAnswer<Answer>(
  key: string | null,
  question: (signal: AbortSignal) => Promise<Answer>,
  { keep = true }: { readonly keep?: boolean } = {},
): Asked<Answer> {
  const [state, setState] = useState<{ key: string | null; answer: Answer | null; error: unknown; isLoading: boolean }>(
    {
      key,
      answer: null,
      error: null,
      isLoading: key !== null,
    },
  );
  const [tries, setTries] = useState(0);
  const { value: returned } = returns;
  const [askedAt, setAskedAt] = useState(returned);
  useEffect(() => {
    if (returned !== askedAt && state.error !== null) setTries(tries + 1);
    setAskedAt(returned);
  }, [returned]);
  useEffect(() => {
    if (key === null) {
      setState({ key, answer: null, error: null, isLoading: false });
      return;
    }
    const stop = new AbortController();
    setState((before) => ({
      key,
      answer: keep || before.key === key ? before.answer : null,
      error: null,
      isLoading: true,
    }));
    question(stop.signal).then(
      (answer) => stop.signal.aborted || setState({ key, answer, error: null, isLoading: false }),
      (error: unknown) => stop.signal.aborted || setState({ key, answer: null, error, isLoading: false }),
    );
    return () => stop.abort();
  }, [key, tries]);
  const isFor = state.key === key;
  return {
    answer: isFor || keep ? state.answer : null,
    error: isFor ? state.error : null,
    isLoading: isFor ? state.isLoading : key !== null,
    again: () => setTries(tries + 1),
  };
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
