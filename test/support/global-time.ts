/** A small log, divided by hand: training before 100, validation before 200, then the test. Knows events; draws nothing. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dataset, importEvents, loadDataset } from '../../src/data/index.js';

const view = (user: string, time: number, item: string) => ({ type: 'view', user, time, item });
const search = (user: string, time: number, query: string, source?: string) => ({
  type: 'search',
  id: query,
  user,
  time,
  query,
  source,
});
const click = (user: string, time: number, item: string, led: string) => ({
  type: 'click',
  user,
  time,
  item,
  search: led,
});

/** ann lives through everything; bob clicks too late; cat and eve are new; dan had only searched. */
export const globalTimeLog: readonly Readonly<Record<string, unknown>>[] = [
  view('ann', 10, 'a'),
  search('ann', 20, 'tea', 'typed'),
  click('ann', 30, 'b', 'tea'),
  view('ann', 90, 'a'),
  view('ann', 110, 'c'), // nobody met c before the cut
  view('ann', 120, 'a'),
  view('ann', 210, 'b'),
  view('bob', 50, 'd'),
  search('bob', 95, 'hat'),
  click('bob', 105, 'e', 'hat'),
  view('bob', 205, 'd'),
  view('bob', 220, 'a'),
  search('cat', 150, 'sock', 'history'),
  view('cat', 160, 'a'),
  search('dan', 40, 'cup', 'typed'),
  view('dan', 250, 'a'),
  view('eve', 230, 'a'),
  { type: 'item', item: 'a', fields: { colour: 'red' } },
  { type: 'item', item: 'z', fields: { colour: 'green' } },
  { type: 'item', item: 'c', fields: { colour: 'blue' } },
  { type: 'user', user: 'ann', fields: { country: 'NL' } },
  { type: 'user', user: 'bob', fields: { country: 'BE' } },
  { type: 'user', user: 'cat', fields: { country: 'NL' } },
  { type: 'user', user: 'eve', fields: { country: 'FR' } },
];

/** The log, imported into a folder and loaded. */
export async function importGlobalTime(folder: string, also: { readonly newItems?: boolean } = {}): Promise<Dataset> {
  const [log, out] = [join(folder, 'log.jsonl'), join(folder, 'data')];
  await writeFile(log, globalTimeLog.map((event) => `${JSON.stringify(event)}\n`).join(''));
  const split = { strategy: 'global-time', validationFrom: 100, testFrom: 200, ...also } as const;
  await importEvents({ files: [log], out, split });
  return loadDataset(out);
}
