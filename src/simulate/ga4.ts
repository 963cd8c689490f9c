/**
 * A simulated log as the BigQuery export of Google Analytics 4 would have it: for trying the import. Knows the log's lines and the
 * export's fields; does not know how a site is made up. Nothing is lost, except that GA4 does not say which search an event came
 * from: that is what an importer has to find out.
 */
import type { LogLine } from './simulate.js';

const SESSION_GAP = 30 * 60_000; // after that GA4 begins a new session
const SEARCH_LIST = { item_list_id: 'search_results', item_list_name: 'Search results' };
const FEED_LIST = { item_list_id: 'for_you', item_list_name: 'For you' };
const EVENTS: Readonly<Record<string, string>> = {
  view: 'view_item',
  click: 'select_item',
  cart: 'add_to_cart',
  purchase: 'purchase',
  like: 'add_to_wishlist',
};

/** A row of a day's table. */
export type Ga4Row = Readonly<Record<string, unknown>>;

interface Visit {
  session: number;
  last: number;
  known: boolean;
}

/** The rows of every day, by the name of the day's table. */
export function ga4Export(log: readonly LogLine[]): Map<string, Ga4Row[]> {
  const items = new Map<string, Ga4Row>();
  const visits = new Map<string, Visit>();
  const tables = new Map<string, Ga4Row[]>();
  for (const line of log) {
    if (line['type'] === 'item') items.set(line['item'] as string, itemOf(line));
    if (typeof line['time'] !== 'string') continue;
    const time = Date.parse(line['time']);
    const visit = visitOf(visits, line['user'] as string, time);
    // People sign in when they buy, and stay so on their device.
    visit.known ||= line['type'] === 'purchase';
    const write = (name: string, at: number, parameters: Row, shown: readonly Row[]): void => {
      const day = new Date(at).toISOString().slice(0, 10).replaceAll('-', '');
      const table = `events_${day}`;
      const rows = tables.get(table) ?? [];
      tables.set(table, rows);
      rows.push(rowOf(name, at, day, line['user'] as string, visit, parameters, shown));
    };
    const item = items.get(line['item'] as string);
    if (line['type'] === 'search') {
      write('search', time, { search_term: line['query'] }, []);
      write('view_search_results', time, { search_term: line['query'] }, []); // enhanced measurement says so, too
    } else if (item && line['search'] !== undefined) {
      write('select_item', line['type'] === 'click' ? time : time - 1, SEARCH_LIST, [{ ...item, ...SEARCH_LIST }]);
      if (line['type'] !== 'click') write(EVENTS[line['type'] as string] ?? 'view_item', time, {}, [item]);
    } else if (item) {
      write('view_item_list', time - 2, FEED_LIST, [{ ...item, ...FEED_LIST }]);
      if (line['type'] === 'click') write('select_item', time, FEED_LIST, [{ ...item, ...FEED_LIST }]);
      else write(EVENTS[line['type'] as string] ?? 'view_item', time, {}, [item]);
    }
  }
  return tables;
}

type Row = Readonly<Record<string, unknown>>;

function visitOf(visits: Map<string, Visit>, user: string, time: number): Visit {
  const visit = visits.get(user) ?? { session: 0, last: -Infinity, known: false };
  if (time - visit.last > SESSION_GAP) visit.session = Math.floor(time / 1000);
  visit.last = time;
  visits.set(user, visit);
  return visit;
}

function itemOf({ item, fields }: LogLine): Row {
  const { title, category, department, brand, price } = fields as Record<string, unknown>;
  return {
    item_id: item,
    item_name: title,
    item_brand: brand,
    item_category: department,
    item_category2: category,
    price,
  };
}

/** Numbers of 64 bits are texts in BigQuery's JSON. */
function rowOf(
  name: string,
  time: number,
  day: string,
  user: string,
  { session, known }: Visit,
  parameters: Row,
  items: readonly Row[],
): Ga4Row {
  const parameter = (key: string, value: unknown): Row => ({
    key,
    value: typeof value === 'number' ? { int_value: String(value) } : { string_value: value },
  });
  return {
    event_date: day,
    event_timestamp: String(time * 1000),
    event_name: name,
    event_params: [
      parameter('ga_session_id', session),
      ...Object.entries(parameters).map(([key, value]) => parameter(key, value)),
    ],
    ...(known ? { user_id: user } : {}),
    user_pseudo_id: `GA1.${user}`,
    platform: 'WEB',
    items,
  };
}
