/** Actions in words. Knows entries of a timeline; does not know where they are shown. */
import type { TimelineEntry } from '../../../serve/schemas/index.js';
import { figureText, momentText, texts } from '../../texts/index.js';

type Action = Pick<TimelineEntry, 'type' | 'query' | 'items' | 'titles'>;

/** What it was about: the query, or the title of what was met. */
export const labelOf = ({ type, query, titles, items }: Action): string =>
  type === 'search' ? (query ?? texts.people.blankQuery) : (titles[0] ?? items[0] ?? '');

/** All of it, as it is read aloud. */
export function spokenOf(entry: TimelineEntry): string {
  const { type, side, weight, time, seen } = entry;
  return [
    `${texts.people.lanes[type]}: ${labelOf(entry).slice(0, 200)}`,
    momentText(time),
    seen ? texts.sides[side ?? 'none'] : texts.people.notSeen,
    weight === null ? '' : texts.people.weight(figureText(weight)),
  ]
    .filter((part) => part !== '')
    .join(', ');
}
