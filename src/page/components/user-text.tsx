/** Text that people wrote: shown as text, in its own direction, and never wider than its place. */

/** @param lines how many lines at most; the whole is in the title */
export function UserText({ text, lines = 1 }: { readonly text: string; readonly lines?: 1 | 2 | 3 }) {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  return (
    <bdi class={`user-text lines-${lines}`} dir="auto" title={text.length > SHORT ? shown : undefined}>
      {shown}
    </bdi>
  );
}

/** More is never seen, and costs layout. */
const LONGEST = 600;
const SHORT = 24;
