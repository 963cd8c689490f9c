/** How a side looks: a colour and a shape, so that it does not take colours to tell them apart. The same everywhere. */
import { texts } from '../texts/index.js';

export type Side = 'similar' | 'dissimilar' | null;

/** A circle for similar, a diamond for dissimilar, a ring for neither. With `isNamed` a screen reader says which. */
export function SideMark({ side, isNamed = false }: { readonly side: Side; readonly isNamed?: boolean }) {
  const name = side ?? 'none';
  return isNamed ? (
    <span class={`side ${name}`} role="img" aria-label={texts.sides[name]} title={texts.sides[name]} />
  ) : (
    <span class={`side ${name}`} aria-hidden="true" />
  );
}
