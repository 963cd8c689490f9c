/**
 * The files of Ai et al. 2017, a benchmark of personalised product search: relevance triples, `REVIEWER_QUERY 0 ASIN 1`, and the
 * texts of the queries, one a line. Knows those lines; does not know how they were made (`category-queries.ts`).
 *
 * A triple becomes a search of which the item was clicked; a purchase is told once per user and item, on the first of its lines,
 * because an item has a line for each of its queries. Nothing has a time, and lines are in no order. The pairs of users and
 * items that were met are kept in memory.
 */
import type { FormatParser, ParsedFormat } from './format.js';
import { openFile, type OpenedFile } from './opened-file.js';

const TRIPLE = /^(\S+)_(\d{1,15})\s+\S+\s+(\S+)\s+(-?\d+(?:\.\d+)?)\s*$/;

const parse: FormatParser = async (files, staging) => {
  const triples: OpenedFile[] = [];
  const queries = new Map<number, string>(); // line k of the file, from 0 on, is query k
  for (const file of files) {
    const opened = await openFile(file);
    if (opened.first !== null && TRIPLE.test(opened.first.text)) triples.push(opened);
    else {
      for await (const batch of opened.records()) {
        for (const { text, line } of batch) queries.set(line - 1, text);
      }
    }
  }
  const bought = new Set<string>();
  for (const { records } of triples) {
    for await (const batch of records()) {
      for (const record of batch) {
        const [, user, query, item, relevance] = TRIPLE.exec(record.text) ?? [];
        if (user === undefined || item === undefined) {
          staging.reject(record, 'it is no line REVIEWER_QUERY 0 ASIN 1');
          continue;
        }
        const words = queries.get(Number(query));
        if (words === undefined) {
          staging.reject(record, `the file of queries has no line for query ${query}`);
          continue;
        }
        if (!(Number(relevance) > 0)) {
          staging.entry(record, { kind: 'ignored', type: 'not relevant' });
          continue;
        }
        const id = `${user} ${query} ${item}`;
        staging.entry(record, { kind: 'search', id, user, query: words, source: 'constructed' });
        const pair = `${user} ${item}`;
        const type = bought.has(pair) ? 'click' : 'purchase';
        bought.add(pair);
        staging.entry(record, { kind: 'action', user, item, type, search: id });
      }
    }
  }
};

export const productSearch: ParsedFormat = {
  name: 'product-search',
  about: 'relevance triples and query texts of Ai et al. 2017: QRELS… QUERIES',
  specification: 'https://github.com/QingyaoAi/Hierarchical-Embedding-Model-for-Personalized-Product-Search',
  order: 'file',
  caveat:
    'the lines are in no order in time: good for matching queries and items, not for evaluating the prediction of a next item',
  recognise: (first) => {
    return TRIPLE.test(first) || (/^[a-z]+(?: [a-z]+)*$/.test(first) && 'perhaps');
  },
  parse,
};
