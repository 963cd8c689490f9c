/** What a server works out when it is first asked for it: asked again until it is there. Knows time; does not know what it is. */
import { useState } from 'preact/hooks';
import { type Asked, useAnswer } from './answer.js';
import { useTicks } from './asking-again.js';

const SOON = 1500;

/** `useAnswer`, again and again while an answer says that it is not the last one. */
export function useWorkedOut<Answer>(
  key: string,
  question: (signal: AbortSignal) => Promise<Answer>,
  isWorking: (answer: Answer) => boolean,
): Asked<Answer> {
  const [again, setAgain] = useState(false);
  const ticks = useTicks(again ? SOON : null);
  return useAnswer(`${key} ${ticks}`, async (signal) => {
    const answer = await question(signal);
    setAgain(isWorking(answer));
    return answer;
  });
}
