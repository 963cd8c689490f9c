/** What is recommended, and the actions behind each item: a reason that has the pointer or the keyboard lights its action up. */
import type { TimelineEntry, WhatIfAnswer } from '../../../serve/schemas/index.js';
import { Empty } from '../../components/states.js';
import { SideMark } from '../../components/side-mark.js';
import { UserText } from '../../components/user-text.js';
import { texts } from '../../texts/index.js';
import { labelOf } from './action-text.js';

interface RecommendationsProps {
  readonly answer: WhatIfAnswer;
  readonly entryOf: (ordinal: number) => TimelineEntry | undefined;
  readonly lit: ReadonlySet<number>;
  readonly onLight: (ordinals: ReadonlySet<number>) => void;
}

const NOTHING: ReadonlySet<number> = new Set();

export function Recommendations({ answer, entryOf, lit, onLight }: RecommendationsProps) {
  const { items, notes, source } = answer;
  if (items.length === 0) return <Empty title={texts.people.nothingRecommended} />;
  return (
    <>
      {source !== 'model' && <p class="quiet small">{texts.people.sources[source]}</p>}
      {notes.map(({ code, message }) => (
        <p key={code} class="quiet small">
          {message}
        </p>
      ))}
      <ol class="ranked">
        {items.map(({ item, title, rank, because = [] }) => {
          const ordinals = because.map(({ ordinal }) => ordinal);
          const isLit = ordinals.length > 0 && lit.size > 0 && ordinals.every((ordinal) => lit.has(ordinal));
          return (
            <li
              key={item}
              class={isLit ? 'lit' : ''}
              onPointerEnter={() => ordinals.length > 0 && onLight(new Set(ordinals))}
              onPointerLeave={() => onLight(NOTHING)}
            >
              <span class="rank" aria-hidden="true">
                {rank}
              </span>
              <div>
                <UserText text={title} lines={2} />
                {because.length > 0 && (
                  <ul class="reasons" aria-label={texts.people.reasons}>
                    {because.map((reason) => (
                      <li key={reason.ordinal}>
                        <button
                          type="button"
                          class="reason"
                          title={reason.text}
                          onFocus={() => onLight(new Set([reason.ordinal]))}
                          onBlur={() => onLight(NOTHING)}
                          onPointerEnter={() => onLight(new Set([reason.ordinal]))}
                          onPointerLeave={() => onLight(new Set(ordinals))}
                        >
                          <SideMark side={reason.side} isNamed />
                          <UserText text={labelOf(entryOf(reason.ordinal) ?? { titles: [], ...reason })} />
                        </button>
                      </li>
                    ))}
                  </ul>
                )}
              </div>
            </li>
          );
        })}
      </ol>
    </>
  );
}
