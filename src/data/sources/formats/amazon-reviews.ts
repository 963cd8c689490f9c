/**
 * Amazon's reviews of 2014 (JSON lines) and the metadata of their products (Python literals), with searches made of the
 * products' categories as Ai et al. 2017 do. Knows both kinds of line; how a query is made is said in `category-queries.ts`.
 *
 * A product has a query for every hierarchy of its categories. The first is the search that led to the review; the others are
 * searches made after it, with a click on the product: were they before it, the last search before a purchase would tell what is
 * bought.
 */
import { categoryQuery } from './category-queries.js';
import type { FormatParser, ParsedFormat, Staging } from './format.js';
import { openFile, type OpenedFile } from './opened-file.js';
import { PythonLiteralError, parsePythonLiteral, type PythonValue } from './python-literal.js';
import { idOf, parseRecord, type Fields } from './record.js';

type Queries = ReadonlyMap<string, readonly string[]>;

const parse: FormatParser = async (files, staging) => {
  const reviews: OpenedFile[] = [];
  const queries = new Map<string, readonly string[]>();
  for (const file of files) {
    const opened = await openFile(file);
    if (opened.first !== null && isReview(opened.first.text)) reviews.push(opened);
    else await readProducts(opened, staging, queries);
  }
  for (const file of reviews) await readReviews(file, staging, queries);
};

const isReview = (text: string): boolean => /^\s*\{\s*"/.test(text) && text.includes('"reviewerID"');

async function readProducts(
  { records }: OpenedFile,
  staging: Staging,
  queries: Map<string, readonly string[]>,
): Promise<void> {
  for await (const batch of records()) {
    for (const record of batch) {
      let product: PythonValue;
      try {
        product = parsePythonLiteral(record.text);
      } catch (error) {
        if (!(error instanceof PythonLiteralError)) throw error;
        staging.reject(record, `it is no Python literal: ${error.message}`);
        continue;
      }
      const fields =
        typeof product === 'object' && product !== null && !Array.isArray(product) ? (product as Fields) : {};
      const item = idOf(fields, 'asin');
      if (item === null) {
        staging.reject(record, 'it is no product: there is no asin');
        continue;
      }
      const hierarchies = hierarchiesOf(fields['categories']);
      queries.set(
        item,
        [...new Set(hierarchies.map(categoryQuery))].filter((query) => query !== ''),
      );
      const texts = {
        title: fields['title'],
        brand: fields['brand'],
        category: hierarchies[0]?.join(' > '),
      };
      const attributes: Record<string, string> = {};
      for (const [name, value] of Object.entries(texts))
        if (typeof value === 'string' && value.trim() !== '') attributes[name] = value;
      staging.entry(record, { kind: 'item', item, attributes });
    }
  }
}

function hierarchiesOf(categories: unknown): string[][] {
  if (!Array.isArray(categories)) return [];
  return (categories as unknown[])
    .filter((names) => Array.isArray(names))
    .map((names) => (names as unknown[]).filter((name) => typeof name === 'string'));
}

async function readReviews({ records }: OpenedFile, staging: Staging, queries: Queries): Promise<void> {
  for await (const batch of records()) {
    for (const record of batch) {
      const fields = parseRecord(record.text);
      if (typeof fields === 'string') {
        staging.reject(record, fields);
        continue;
      }
      const user = idOf(fields, 'reviewerID');
      const item = idOf(fields, 'asin');
      const seconds = fields['unixReviewTime'];
      if (user === null || item === null || typeof seconds !== 'number') {
        staging.reject(record, 'it is no review: reviewerID, asin or unixReviewTime is missing');
        continue;
      }
      const time = seconds * 1000;
      const id = `${user} ${item} ${seconds}`;
      const [first, ...others] = queries.get(item) ?? [];
      const search = (query: string, hierarchy: number): string => {
        const searchId = `${id} ${hierarchy}`;
        staging.entry(record, { kind: 'search', id: searchId, user, time, query, source: 'constructed' });
        return searchId;
      };
      const led = first === undefined ? null : search(first, 0);
      staging.entry(record, { kind: 'action', id, user, time, item, type: 'rate', search: led });
      for (const [hierarchy, query] of others.entries()) {
        const made = search(query, hierarchy + 1);
        staging.entry(record, { kind: 'action', user, time, item, type: 'click', search: made });
      }
    }
  }
}

export const amazonReviews: ParsedFormat = {
  name: 'amazon-reviews',
  about: "Amazon's reviews of 2014 and their products, with searches made of categories: REVIEWS… META…",
  specification: 'https://cseweb.ucsd.edu/~jmcauley/datasets/amazon/links.html',
  order: 'time',
  readsJson: true,
  caveat:
    'times are days: reviews of one day keep the order of the file, which is by product; searches are made of categories',
  recognise: (first) => {
    return isReview(first) || /^\{'asin'|^\{.*'asin':/.test(first);
  },
  parse,
};
