/** A list of any length of which only what is seen is in the document. Rows are equally high. */
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

interface VirtualListProps {
  readonly count: number;
  /** Of a row, in pixels. */
  readonly rowHeight: number;
  readonly label: string;
  readonly id?: string;
  readonly class?: string;
  /** The row that the keyboard is at; null for none. It is kept in view. */
  readonly active: number | null;
  readonly onActive: (row: number) => void;
  readonly onChoice: (row: number) => void;
  /** What is in a row. */
  readonly row: (row: number) => ComponentChildren;
  readonly chosen?: number | null;
  /** Tells which rows are wanted, for lists that are loaded in pieces. */
  readonly onRange?: (from: number, to: number) => void;
  /** Whether the list takes the keyboard itself; an input that it belongs to may have it instead. */
  readonly isFocusable?: boolean;
}

const MARGIN = 6;

export function VirtualList(props: VirtualListProps) {
  const {
    count,
    rowHeight,
    label,
    id,
    active,
    chosen = null,
    onActive,
    onChoice,
    row,
    onRange,
    isFocusable = true,
  } = props;
  const box = useRef<HTMLUListElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const from = Math.max(0, Math.floor(view.top / rowHeight) - MARGIN);
  const to = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + MARGIN);
  useLayoutEffect(() => {
    const element = box.current!;
    const look = (): void => setView({ top: element.scrollTop, height: element.clientHeight });
    look();
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      watcher.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  useEffect(() => onRange?.(from, to), [from, to, count]);
  useLayoutEffect(() => {
    const element = box.current!;
    if (active === null) return;
    const top = active * rowHeight;
    if (top < element.scrollTop) element.scrollTop = top;
    else if (top + rowHeight > element.scrollTop + element.clientHeight)
      element.scrollTop = top + rowHeight - element.clientHeight;
  }, [active, count]);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      if (active !== null) onChoice(active);
      return;
    }
    const next = moved(event.key, active, count, Math.max(1, Math.floor(view.height / rowHeight) - 1));
    if (next === null) return;
    event.preventDefault();
    onActive(next);
  };
  const rowId = (i: number): string | undefined => (id === undefined ? undefined : `${id}-${i}`);
  return (
    <ul
      ref={box}
      id={id}
      class={`virtual ${props.class ?? ''}`}
      role="listbox"
      aria-label={label}
      tabIndex={isFocusable ? 0 : -1}
      aria-activedescendant={
        isFocusable && active !== null && active >= from && active < to ? rowId(active) : undefined
      }
      onKeyDown={isFocusable ? onKeyDown : undefined}
      onFocus={() => active === null && isFocusable && count > 0 && onActive(chosen ?? 0)}
    >
      <li class="before" role="presentation" style={{ blockSize: `${from * rowHeight}px` }} />
      {Array.from({ length: Math.max(0, to - from) }, (_, at) => {
        const i = from + at;
        return (
          <li
            key={i}
            id={rowId(i)}
            role="option"
            class={i === active ? 'active' : ''}
            aria-selected={i === chosen}
            aria-posinset={i + 1}
            aria-setsize={count}
            style={{ blockSize: `${rowHeight}px` }}
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => {
              onActive(i);
              onChoice(i);
            }}
          >
            {row(i)}
          </li>
        );
      })}
      <li class="after" role="presentation" style={{ blockSize: `${Math.max(0, count - to) * rowHeight}px` }} />
    </ul>
  );
}

/** Where a key leads to in a list; null for keys that lead nowhere. */
export function moved(key: string, active: number | null, count: number, page = 10): number | null {
  if (count === 0) return null;
  const at = active ?? -1;
  const to = {
    ArrowDown: at + 1,
    ArrowUp: active === null ? count - 1 : at - 1,
    Home: 0,
    End: count - 1,
    PageDown: at + page,
    PageUp: at - page,
  }[key];
  return to === undefined ? null : Math.max(0, Math.min(count - 1, to));
}
