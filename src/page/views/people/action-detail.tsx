/** What is known of one action, and what of the other lane it agrees with. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TimelineEntry } from '../../../serve/schemas/index.js';
import { Bar } from '../../components/bar.js';
import { SideMark } from '../../components/side-mark.js';
import { UserText } from '../../components/user-text.js';
import { figureText, momentText, texts } from '../../texts/index.js';
import { labelOf } from './action-text.js';
import type { Agreement } from './agreements.js';

interface ActionDetailProps {
  readonly entry: TimelineEntry;
  readonly agreements: readonly Agreement[];
  readonly entryOf: (ordinal: number) => TimelineEntry | undefined;
  readonly onFocus: (ordinal: number) => void;
}

const MOST = 6;

export function ActionDetail({ entry, agreements, entryOf, onFocus }: ActionDetailProps) {
  const { type, side, weight, time, titles, seen } = entry;
  const agreeing = agreements.filter(({ value }) => value > 0);
  const most = agreeing[0]?.value ?? 1;
  const heading = useRef<HTMLHeadingElement>(null);
  const wasChosen = useRef(false);
  useLayoutEffect(() => {
    if (wasChosen.current) heading.current?.focus({ preventScroll: true }); // what was pressed is gone
    wasChosen.current = false;
  }, [entry]);
  const choose = (ordinal: number): void => {
    wasChosen.current = true;
    onFocus(ordinal);
  };
  return (
    <>
      <p class="quiet small">
        {[texts.people.kinds[type], momentText(time)].filter((part) => part !== '').join(' · ')}
      </p>
      <h2 class="action-name" ref={heading} tabIndex={-1}>
        <SideMark side={side} />
        <UserText text={labelOf(entry)} lines={3} />
      </h2>
      {type === 'search' && titles.length > 0 && (
        <p class="small">
          {texts.people.clicked} <UserText text={titles.join(' · ')} lines={2} />
        </p>
      )}
      <p class="small">
        {seen ? texts.people.sideText[side ?? 'none'] : texts.people.notSeen}
        {weight === null ? '' : ` ${texts.people.weightMore(figureText(weight))}`}
      </p>
      {seen && (
        <>
          <h3>{texts.people.agreesWith[type]}</h3>
          {agreeing.length === 0 && <p class="quiet small">{texts.people.agreesWithNone}</p>}
          <ul class="agreeing">
            {agreeing.slice(0, MOST).map(({ ordinal, value }) => {
              const other = entryOf(ordinal);
              if (!other) return null;
              return (
                <li key={ordinal}>
                  <button type="button" class="plain" onClick={() => choose(ordinal)}>
                    <SideMark side={other.side} isNamed />
                    <UserText text={labelOf(other)} />
                    <Bar share={value / most} />
                    <span class="small number">{figureText(value)}</span>
                  </button>
                </li>
              );
            })}
          </ul>
        </>
      )}
    </>
  );
}
