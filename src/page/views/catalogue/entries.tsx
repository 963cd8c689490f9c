/** A list of things with a number each, drawn as a bar beside it. Knows how it looks; does not know what is counted. */
import { useId } from 'preact/hooks';
import { Bar } from '../../components/bar.js';
import { UserText } from '../../components/user-text.js';

export interface Entry {
  readonly text: string;
  /** Shown below the text. */
  readonly id: string | null;
  readonly href: string;
  /** What the bar is as long as; 0 or less has none. */
  readonly value: number;
  /** The number as it is said. */
  readonly told: string;
  readonly isCurrent?: boolean;
}

interface EntriesProps {
  readonly title: string;
  readonly note?: string;
  /** What is said where there is none. */
  readonly empty: string;
  readonly entries: readonly Entry[];
  /** The value of a whole bar; the largest unless told. */
  readonly whole?: number;
}

export function Entries({ title, note, empty, entries, whole }: EntriesProps) {
  const id = useId();
  const full = whole ?? Math.max(...entries.map(({ value }) => value), 1e-12);
  return (
    <>
      <h2 id={id} class="entries-title">
        {title} {note !== undefined && <small class="quiet">{note}</small>}
      </h2>
      {entries.length === 0 ? (
        <p class="quiet">{empty}</p>
      ) : (
        <ul class="entries" aria-labelledby={id}>
          {entries.map(({ text, id: own, href, value, told, isCurrent }) => (
            <li key={href}>
              <a href={href} aria-current={isCurrent ? 'true' : undefined}>
                <span class="entries-text">
                  <UserText text={text} />
                  {own !== null && (
                    <small class="quiet">
                      <UserText text={own} />
                    </small>
                  )}
                </span>
                <span class="entries-value">
                  <small>{told}</small>
                  <Bar share={value / full} />
                </span>
              </a>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
