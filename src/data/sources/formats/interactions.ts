/** A plain table of user, item and time, in the order of events, with tables of items and users beside it. Knows how columns are chosen; nothing else. */
import type { TimeUnit } from '../times.js';
import { IGNORED_NAMES } from './event-names.js';
import type { Condition, MappedFormat, Table } from './format.js';

/** Which columns are which. */
export interface InteractionColumns {
  readonly userColumn: string;
  readonly itemColumn: string;
  /** `none` when the file has no times. */
  readonly timeColumn: string;
  readonly timeUnit: TimeUnit;
  /** Null: every event is an `interaction`. */
  readonly typeColumn: string | null;
}

/** The format with these columns: tables `interactions`, `items` and `users`. */
export function interactionsWith(columns: InteractionColumns): MappedFormat {
  const [user, item] = [{ path: [columns.userColumn] }, { path: [columns.itemColumn] }];
  const type = columns.typeColumn === null ? null : { path: [columns.typeColumn] };
  const ignored: Condition | null = type && { value: { folded: type }, is: IGNORED_NAMES };
  const attributes = (kind: 'item' | 'user', column: string): Table => ({
    name: `${kind}s`,
    recognise: { fields: [column] },
    entries: [{ kind, key: { path: [column] }, attributes: 'columns' }],
  });
  return {
    name: 'interactions',
    about: 'a table of user, item and time, in the order of events',
    specification: 'docs/events.md',
    order: 'file',
    repeated: 'reject',
    tables: [
      {
        name: 'interactions',
        recognise: { fields: [columns.userColumn, columns.itemColumn] },
        entries: [
          {
            kind: 'action',
            user,
            item,
            type: type ?? { constant: 'interaction' },
            ...(ignored ? { when: { not: ignored } } : {}),
            ...(columns.timeColumn === 'none'
              ? {}
              : { time: { value: { path: [columns.timeColumn] }, unit: columns.timeUnit } }),
          },
          ...(ignored ? [{ kind: 'ignored', when: ignored } as const] : []),
        ],
      },
      attributes('item', columns.itemColumn),
      attributes('user', columns.userColumn),
    ],
  };
}
