/** Why an item is recommended to somebody as things are now. Asks "what if" with nothing changed, which stores nothing. */
import { PATHS } from '../../../serve/schemas/paths.js';
import type { WhatIfAnswer } from '../../../client/index.js';
import { useAnswer } from '../../app/answer.js';
import { ask } from '../../app/server.js';
import { SideMark } from '../../components/side-mark.js';
import { Shown } from '../../components/states.js';
import { figureText, texts } from '../../texts/index.js';

const words = texts.catalogue;
const [LEAST, MOST] = [10, 50];

export function Why({ user, item, rank }: { readonly user: string; readonly item: string; readonly rank: number }) {
  const k = Math.min(MOST, Math.max(LEAST, rank));
  const asked = useAnswer(`why ${user} ${item}`, async (signal) =>
    ask<WhatIfAnswer>(PATHS.whatIf, { user, k, explain: true }, signal),
  );
  return (
    <Shown asked={asked} lines={2}>
      {({ items }) => {
        const found = items.find((other) => other.item === item);
        if (!found) return <p class="quiet">{words.whyGone(k)}</p>;
        const because = found.because ?? [];
        return (
          <div class="why">
            <p>{words.whyNow(found.rank)}</p>
            {because.length === 0 ? (
              <p class="quiet">{words.whyNothing}</p>
            ) : (
              <ul>
                {because.map(({ ordinal, side, text, weight }) => (
                  <li key={ordinal}>
                    <SideMark side={side} isNamed />
                    <bdi dir="auto">{text}</bdi>
                    <small class="quiet">{figureText(weight)}</small>
                  </li>
                ))}
              </ul>
            )}
          </div>
        );
      }}
    </Shown>
  );
}
