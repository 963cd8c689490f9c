/**
 * JDsearch (Liu et al., SIGIR 2023): one line per user, whose lists hold what they did, and a table of products. Knows those
 * lines. The data has no clock, only how long after one another things happened, so events have an order and no time.
 */
import type { FormatParser, ParsedFormat, StagedEntry, Staging } from './format.js';
import { openFile, type OpenedFile } from './opened-file.js';

const FIELDS = 7;
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
  for (const file of files) {
    const opened = await openFile(file);
    const columns = opened.first?.text.split('\t').length ?? 0;
    if (columns === PRODUCT.length) await readProducts(opened, staging);
    else await readUsers(opened, files.length, staging);
  }
};

async function readProducts({ records }: OpenedFile, staging: Staging): Promise<void> {
  for await (const batch of records()) {
    for (const record of batch) {
      const cells = record.text.split('\t');
      if (cells[0] === PRODUCT[0]) staging.entry(record, { kind: 'ignored', type: 'header' });
      else if (cells.length !== PRODUCT.length) {
        staging.reject(record, `${cells.length} fields where a product has ${PRODUCT.length}`);
      } else {
        const attributes: Record<string, string> = {};
        for (const [position, name] of PRODUCT.entries())
          if (position > 0) attributes[name] = wordsOf(cells[position] as string);
        staging.entry(record, { kind: 'item', item: cells[0] as string, attributes });
      }
    }
  }
}

async function readUsers({ records }: OpenedFile, files: number, staging: Staging): Promise<void> {
  for await (const batch of records()) {
    for (const record of batch) {
      const { file, line, text } = record;
      const user = files > 2 ? `${file}:${line}` : String(line); // two files are products and users
      const read = readUser(text, user);
      if (read === 'header') staging.entry(record, { kind: 'ignored', type: 'header' });
      else if (typeof read === 'string') staging.reject(record, read);
      else for (const entry of read) staging.entry(record, entry);
    }
  }
}

/** What one user did, in order; a text says why the line is no user's. */
function readUser(text: string, user: string): StagedEntry[] | string {
  const cells = text.split('\t');
  if (cells.length !== FIELDS) return `${cells.length} fields where a user has ${FIELDS}`;
  if (cells[0] === 'query' && cells[1] === 'candidate_wid_list') return 'header';
  const [query, items, labels, pastQueries, pastItems, pastTypes] = cells as [string, ...string[]];
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
  caveat:
    'the data has no clock: what a user did is in order, and events of different users cannot be compared in time',
  recognise: (first) => {
    const cells = first.split('\t');
    const numbers = /^\d+(?:\.0)?(?:_\d+(?:\.0)?)*$/;
    return (
      (cells.length === FIELDS && (cells[1] === 'candidate_wid_list' || numbers.test(cells[2] ?? ''))) ||
      (cells.length === PRODUCT.length && cells[0] === PRODUCT[0])
    );
  },
  parse,
};
