/** What a server works out when it is first asked for it: asked again until it is there. Knows time; does not know what it is. */
import { type Asked, useAnswer } from './answer.js';

const SOON = 1500;

/** `useAnswer`, again and again while an answer says that it is not the last one. */
export const useWorkedOut = <Answer>(
  key: string,
  question: (signal: AbortSignal) => Promise<Answer>,
  isWorking: (answer: Answer) => boolean,
): Asked<Answer> =>
  useAnswer(key, question, { askAgain: (answer) => (answer !== null && isWorking(answer) ? SOON : null) });
