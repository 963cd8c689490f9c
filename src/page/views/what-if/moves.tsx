/**
 * Two lists and what moved between them: as things are on one side, as they would be on the other. Knows ranks; does not know what was
 * changed.
 */
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { TimelineEntry, WhatIfAnswer, WhatIfItem } from '../../../serve/schemas/index.js';
import { SideMark } from '../../components/side-mark.js';
import { UserText } from '../../components/user-text.js';
import { numberText, texts } from '../../texts/index.js';
import { labelOf } from '../people/action-text.js';

interface MovesProps {
  readonly answer: WhatIfAnswer;
  /** How long the lists are. */
  readonly k: number;
  readonly onClick: (item: string, title: string) => void;
  /** What is known of an action that is a reason; undefined for what is imagined. */
  readonly entryOf: (ordinal: number) => TimelineEntry | undefined;
}

interface Before {
  readonly item: string;
  readonly title: string;
  readonly rank: number;
  /** Where it is now; null: not in the list. */
  readonly now: number | null;
}

/** Of a row, in pixels: both lists have the same, so that lines between them are straight. */
const ROW = 52;

export function Moves({ answer, k, onClick, entryOf }: MovesProps) {
  const { items, fallen } = answer;
  const before = listBefore(answer, k);
  const list = useSlide(items);
  const heading = useRef<HTMLHeadingElement>(null);
  const words = texts.whatIf;
  return (
    <div class="moves" style={{ '--row': `${ROW}px` }}>
      <section class="as-is" aria-labelledby="as-is">
        <h2 id="as-is">{words.asIs}</h2>
        <ol>
          {before.map(({ item, title, rank, now }) => (
            <li key={item} class={now === null ? 'gone' : ''} style={{ gridRow: rank }}>
              <span class="rank">{rank}</span>
              <UserText text={title} />
            </li>
          ))}
        </ol>
      </section>
      <Lines items={items} before={before} k={k} />
      <section class="would-be" aria-labelledby="would-be">
        <h2 id="would-be" ref={heading} tabIndex={-1}>
          {words.wouldBe}
        </h2>
        <ol ref={list}>
          {items.map((item) => (
            <li key={item.item} data-item={item.item}>
              <span class="rank">{item.rank}</span>
              <div class="what">
                <UserText text={item.title} />
                <Why item={item} entryOf={entryOf} />
              </div>
              {answer.changed && <Change item={item} />}
              <button
                type="button"
                class="click"
                aria-label={words.clickOn(item.title.slice(0, 100))}
                onClick={() => {
                  onClick(item.item, item.title);
                  heading.current?.focus({ preventScroll: true }); // what was met leaves the list, and its button with it
                }}
              >
                {words.click}
              </button>
            </li>
          ))}
        </ol>
      </section>
      {fallen.length > 0 && (
        <section class="fallen" aria-labelledby="fallen">
          <h3 id="fallen">{words.fallen}</h3>
          <ul>
            {fallen.map(({ item, title, rank, rank_before: rankBefore, met }) => (
              <li key={item}>
                <UserText text={title} />
                <span class="quiet small">{met ? words.metNow(rankBefore) : words.wentTo(rankBefore, rank)}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function listBefore({ items, fallen }: WhatIfAnswer, k: number): Before[] {
  const stayed = items.flatMap(({ item, title, rank, rank_before: was }): Before[] =>
    was !== null && was <= k ? [{ item, title, rank: was, now: rank }] : [],
  );
  const gone = fallen.map(({ item, title, rank_before: rank }): Before => ({ item, title, rank, now: null }));
  return [...stayed, ...gone].sort((a, b) => a.rank - b.rank);
}

/** The strongest reason. */
function Why({ item: { because = [] }, entryOf }: { readonly item: WhatIfItem } & Pick<MovesProps, 'entryOf'>) {
  const [first] = because;
  if (!first) return null;
  return (
    <span class="why quiet small" title={first.text}>
      <SideMark side={first.side} isNamed />
      <UserText text={labelOf(entryOf(first.ordinal) ?? { titles: [], ...first })} />
    </span>
  );
}

/** How many places up or down, said and drawn. */
function Change({ item: { rank, rank_before: was } }: { readonly item: WhatIfItem }) {
  const words = texts.whatIf;
  if (was === null)
    return (
      <span class="change up">
        <span aria-hidden="true">▲</span> <span class="small">{words.isNew}</span>
      </span>
    );
  const by = was - rank;
  const [kind, sign, spoken] =
    by > 0 ? ['up', '▲', words.up(by)] : by < 0 ? ['down', '▼', words.down(-by)] : ['same', '', words.same];
  return (
    <span class={`change ${kind}`} title={spoken}>
      <span class="heard">{spoken}</span>
      <span aria-hidden="true">{by === 0 ? '=' : `${sign} ${numberText(Math.abs(by))}`}</span>
    </span>
  );
}

/** From where each item was to where it is; what came from below the list, or went there, comes from and goes below. */
function Lines({
  items,
  before,
  k,
}: {
  readonly items: readonly WhatIfItem[];
  readonly before: readonly Before[];
  readonly k: number;
}) {
  const height = Math.max(items.length, before.at(-1)?.rank ?? 0, 1) * ROW;
  const y = (rank: number): number => (rank - 0.5) * ROW;
  const line = (key: string, kind: string, from: number, to: number) => (
    <path key={key} class={kind} d={`M0 ${from}C40 ${from} 60 ${to} 100 ${to}`} vector-effect="non-scaling-stroke" />
  );
  return (
    <svg
      class="lines"
      viewBox={`0 0 100 ${height + ROW / 2}`}
      preserveAspectRatio="none"
      aria-hidden="true"
      style={{ blockSize: `${height + ROW / 2}px` }}
    >
      {before.map(({ item, rank, now }) => (now === null ? line(item, 'gone', y(rank), height + ROW / 2) : null))}
      {items.map(({ item, rank, rank_before: was }) => {
        if (was === null || was > k) return line(item, 'came', height + ROW / 2, y(rank));
        return line(item, was > rank ? 'up' : was < rank ? 'down' : 'same', y(was), y(rank));
      })}
    </svg>
  );
}

/** Rows slide to their new places, unless less motion is wanted. */
function useSlide(items: readonly WhatIfItem[]) {
  const list = useRef<HTMLOListElement>(null);
  const ranks = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    const old = ranks.current;
    ranks.current = new Map(items.map(({ item, rank }) => [item, rank]));
    if (isCalm || old.size === 0) return;
    for (const row of list.current!.querySelectorAll<HTMLElement>(':scope > li')) {
      const item = row.dataset['item'] ?? '';
      const [from, to] = [old.get(item), ranks.current.get(item)];
      if (from === to || to === undefined) continue;
      const start = from === undefined ? { opacity: 0 } : { transform: `translateY(${(from - to) * ROW}px)` };
      row.animate([start, { opacity: 1, transform: 'none' }], { duration: 420, easing: 'cubic-bezier(.2, .7, .2, 1)' });
    }
  }, [items]);
  return list;
}
