/**
 * JDsearch (Liu et al., SIGIR 2023): one line per user, whose lists hold what they did, and a table of products. Knows those
 * lines. The data has no clock, only how long after one another things happened, so events have an order and no time.
 */
import type { FormatParser, ParsedFormat, StagedEntry, Staging } from './format.js';
import { openFile, type OpenedFile } from './opened-file.js';

const USER = [
  'query',
  'candidate_wid_list',
  'candidate_label_list',
  'history_qry_list',
  'history_wid_list',
  'history_type_list',
  'history_time_list',
];
const ACTIONS: ReadonlyMap<string, string> = new Map([
  ['CLICK', 'click'],
  ['CART', 'cart'],
  ['ORD', 'purchase'],
  ['FLW', 'follow'],
]);
/** Of the results of the last query. */
const LABELS: ReadonlyMap<number, string> = new Map([
  [1, 'click'],
  [2, 'cart'],
  [3, 'purchase'],
]);
const PRODUCT = [
  'wid',
  'name',
  'brand_id',
  'brand_name',
  ...[1, 2, 3, 4].flatMap((level) => [`cate_id_${level}`, `cate_name_${level}`]),
  'shop_id',
];

const listOf = (text: string): string[] => (text === '' ? [] : text.split('_'));
/** The terms of a text, which are joined by the character 030. */
const wordsOf = (text: string): string => text.replaceAll('\u0018', ' ').trim();

const parse: FormatParser = async (files, staging) => {
  const opened: OpenedFile[] = [];
  for (const file of files) opened.push(await openFile(file));
  const isOfProducts = ({ first }: OpenedFile): boolean => first?.text.split('\t').length === PRODUCT.length;
  const ofUsers = opened.filter((file) => file.first && !isOfProducts(file)).length;
  for (const file of opened) {
    if (isOfProducts(file)) await readProducts(file, staging);
    else await readUsers(file, ofUsers, staging);
  }
};

/** Whether a line names its columns, in whatever order. */
const isHeader = (cells: readonly string[], names: readonly string[]): boolean =>
  cells.length === names.length && names.every((name) => cells.includes(name));

/** Records with their cells in the order of `names`, which that of the last header says; a header or another line has none. */
async function* rowsOf({ records }: OpenedFile, names: readonly string[], what: string, staging: Staging) {
  let places: readonly number[] = [...names.keys()];
  for await (const batch of records())
    for (const record of batch) {
      const cells = record.text.split('\t');
      if (isHeader(cells, names)) {
        places = names.map((name) => cells.indexOf(name));
        staging.entry(record, { kind: 'ignored', type: 'header' });
      } else if (cells.length !== names.length)
        staging.reject(record, `${cells.length} fields where a ${what} has ${names.length}`);
      else yield { record, cells: places.map((place) => cells[place] as string) };
    }
}

async function readProducts(file: OpenedFile, staging: Staging): Promise<void> {
  for await (const { record, cells } of rowsOf(file, PRODUCT, 'product', staging)) {
    const attributes: Record<string, string> = {};
    for (const [position, name] of PRODUCT.entries())
      if (position > 0) attributes[name] = wordsOf(cells[position] as string);
    staging.entry(record, { kind: 'item', item: cells[0] as string, attributes });
  }
}

/** @param files how many have users: the same line of another file is somebody else */
async function readUsers(opened: OpenedFile, files: number, staging: Staging): Promise<void> {
  for await (const { record, cells } of rowsOf(opened, USER, 'user', staging)) {
    const { file, line } = record;
    const read = readUser(cells, files > 1 ? `${file}:${line}` : String(line));
    if (typeof read === 'string') staging.reject(record, read);
    else for (const entry of read) staging.entry(record, entry);
  }
}

/** What one user did, in order; a text says why the line is no user's. */
function readUser(cells: readonly string[], user: string): StagedEntry[] | string {
  const [query, items, labels, pastQueries, pastItems, pastTypes] = cells as readonly [string, ...string[]];
  const past = { queries: listOf(pastQueries ?? ''), items: listOf(pastItems ?? ''), types: listOf(pastTypes ?? '') };
  if (past.queries.length !== past.items.length || past.items.length !== past.types.length)
    return 'the lists of the history differ in length';
  const results = { items: listOf(items ?? ''), labels: listOf(labels ?? '') };
  if (results.items.length !== results.labels.length) return 'there is not one label for every candidate';
  const entries: StagedEntry[] = [];
  let searches = 0;
  const search = (terms: string): string => {
    const id = `${user}/${searches++}`;
    entries.push({ kind: 'search', id, user, query: wordsOf(terms) });
    return id;
  };
  let id: string | null = null;
  for (const [i, item] of past.items.entries()) {
    const terms = past.queries[i] as string;
    const type = ACTIONS.get(past.types[i] as string);
    if (type === undefined) return `there is no interaction level ${JSON.stringify(past.types[i])}`;
    if (terms === '-1') id = null;
    else if (i === 0 || past.queries[i - 1] !== terms) id = search(terms); // actions of one search follow one another
    entries.push({ kind: 'action', user, item, type, search: id });
  }
  if (query === '' || query === '-1') return entries;
  const last = search(query);
  for (const [i, item] of results.items.entries()) {
    const label = Number(results.labels[i]);
    const type = LABELS.get(label);
    if (type === undefined && label !== 0) return `there is no label ${JSON.stringify(results.labels[i])}`;
    entries.push(
      type === undefined ? { kind: 'ignored', type: 'impression' } : { kind: 'action', user, item, type, search: last },
    );
  }
  return entries;
}

export const jdsearch: ParsedFormat = {
  name: 'jdsearch',
  about: 'JDsearch: user_behavior_data.txt and product_meta_data.txt',
  specification: 'https://github.com/rucliujn/JDsearch',
  order: 'file',
  namesNobody: true,
  caveat:
    'the data has no clock: what a user did is in order, and events of different users cannot be compared in time',
  recognise: (first) => {
    const cells = first.split('\t');
    const numbers = /^\d+(?:\.0)?(?:_\d+(?:\.0)?)*$/;
    return (
      isHeader(cells, USER) ||
      (cells.length === USER.length && numbers.test(cells[2] ?? '')) ||
      isHeader(cells, PRODUCT)
    );
  },
  parse,
};
