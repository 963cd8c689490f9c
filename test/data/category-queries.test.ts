/** Queries made of categories, and how far they agree with published ones. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { categoryQuery, singular } from '../../src/data/sources/formats/category-queries.js';

const SHARED = join(import.meta.dirname, '../../../../shared/data');
const linesOf = (path: string): string[] => gunzipSync(readFileSync(path)).toString('utf8').trim().split('\n');

test('the published example of Ai et al.', () => {
  assert.equal(
    categoryQuery(['Cell Phones & Accessories', 'Accessories', 'Car Accessories', 'Car Speakerphones']),
    'cell phone accessory car speakerphone',
  );
});

test('names are joined, cleaned, made singular, and of repeated words the last is kept', () => {
  assert.equal(categoryQuery(['Toys & Games', "Kids' Puzzles", 'Puzzles for Ages 3-4']), 'toy game kid puzzle age');
  assert.equal(categoryQuery(['Books', 'No-Contract 2013']), 'book nocontract');
  assert.equal(categoryQuery(['Books']), '', 'a hierarchy of a single level');
  assert.equal(categoryQuery(['本', '小説']), '', 'nothing is left');
});

test('singulars', () => {
  const words = {
    batteries: 'battery',
    cases: 'case',
    brushes: 'brush',
    watches: 'watch',
    boxes: 'box',
    glosses: 'gloss',
    ties: 'tie',
    gps: 'gps',
    glass: 'glass',
    bus: 'bus',
    basis: 'basis',
    cars: 'car',
    electronics: 'electronics',
    lens: 'lens',
  };
  for (const [plural, one] of Object.entries(words)) assert.equal(singular(plural), one);
});

test('agreement with the queries of Ai et al.: words of theirs that ours would leave as they are', (t) => {
  const path = join(SHARED, 'amazon-product-search', 'query_text.txt.gz');
  if (!existsSync(path)) return t.skip(`${path} is not here`);
  const queries = linesOf(path);
  const words = [...new Set(queries.join(' ').split(' '))];
  const same = (word: string): boolean => categoryQuery([word, '']) === word;
  const kept = words.filter(same);
  const whole = queries.filter((query) => query.split(' ').every(same));
  t.diagnostic(`${kept.length} of ${words.length} words, ${whole.length} of ${queries.length} queries`);
  t.diagnostic(`others: ${words.filter((word) => !same(word)).join(' ')}`);
  assert.deepEqual([words.length, queries.length], [211, 165]);
  assert.ok(kept.length >= 190, `${kept.length} words`); // docs/import-formats.md has the number
  return undefined;
});

test('agreement with the queries of the Beauty file, whose plurals are cut by their s alone', (t) => {
  const path = join(SHARED, 'amazon-beauty', 'items.tsv.gz');
  if (!existsSync(path)) return t.skip(`${path} is not here`);
  const published = new Map(
    linesOf(path)
      .slice(1)
      .map((line) => line.split('\t'))
      .map(([, , categories, , query]) => [categories as string, query as string]),
  );
  const agree = [...published].filter(([categories, query]) => categoryQuery(categories.split(' > ')) === query);
  t.diagnostic(`${agree.length} of ${published.size} hierarchies`);
  assert.equal(published.size, 254);
  assert.ok(agree.length >= 225, `${agree.length}`);
  return undefined;
});
