/** The timeline as a table, the newest first: what the lanes show, for those who read rather than look. */
import { useState } from 'preact/hooks';
import type { TimelineEntry } from '../../../serve/schemas/index.js';
import { SideMark } from '../../components/side-mark.js';
import { UserText } from '../../components/user-text.js';
import { figureText, texts, timeText } from '../../texts/index.js';
import { labelOf } from './action-text.js';
import type { Agreements } from './agreements.js';

const AT_ONCE = 100;

export function TimelineTable({
  timeline,
  agreements,
}: {
  readonly timeline: readonly TimelineEntry[];
  readonly agreements: Agreements;
}) {
  const [count, setCount] = useState(AT_ONCE);
  const entries = timeline.toSorted((a, b) => b.ordinal - a.ordinal);
  const byOrdinal = new Map(timeline.map((entry) => [entry.ordinal, entry]));
  const columns = texts.people.columns;
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={texts.people.timeline}>
      <table class="timeline-table">
        <thead>
          <tr>
            {Object.values(columns).map((column) => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.slice(0, count).map((entry) => {
            const [most] = agreements.of(entry.ordinal);
            const other = most && most.value > 0 ? byOrdinal.get(most.ordinal) : undefined;
            return (
              <tr key={entry.ordinal}>
                <td class="when">{timeText(entry.time)}</td>
                <td>{texts.people.lanes[entry.type]}</td>
                <th scope="row">
                  <UserText text={labelOf(entry)} lines={2} />
                </th>
                <td class="when">
                  <SideMark side={entry.side} /> {entry.seen ? texts.sides[entry.side ?? 'none'] : texts.people.unseen}
                </td>
                <td class="number">{entry.weight === null ? '' : figureText(entry.weight)}</td>
                <td>{other ? <UserText text={labelOf(other)} /> : ''}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {entries.length > count && (
        <button type="button" onClick={() => setCount(count + AT_ONCE)}>
          {texts.people.more(Math.min(AT_ONCE, entries.length - count))}
        </button>
      )}
    </div>
  );
}
