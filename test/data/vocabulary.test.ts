import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { PADDING, UNKNOWN, normaliseQuery, splitWords, vocabularyOf } from '../../src/data/index.js';

test('a vocabulary gives indices from 2 on, and back', () => {
  const vocabulary = vocabularyOf(['b', '__proto__', 'a']);
  assert.deepEqual(vocabulary.ids, ['', '', 'b', '__proto__', 'a']);
  assert.equal(vocabulary.index('__proto__'), 3);
  assert.equal(vocabulary.index('constructor'), UNKNOWN);
  assert.equal(vocabulary.index(''), UNKNOWN);
  assert.equal(vocabulary.has('a'), true);
  assert.equal(vocabulary.has(''), false);
  assert.equal(vocabulary.ids[PADDING], '');
});

test('queries are equal up to case, composition and white space', () => {
  assert.equal(normaliseQuery('  Rain\t\u3000JACKET\n'), 'rain jacket');
  assert.equal(normaliseQuery('Cafe\u0301'), 'caf\u00e9');
  assert.equal(normaliseQuery(' \n'), '');
});

test('normalising twice changes nothing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      assert.equal(normaliseQuery(normaliseQuery(text)), normaliseQuery(text));
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      assert.equal(normaliseQuery(normaliseQuery(text)), normaliseQuery(text));
    }),
    { numRuns: 1000 },
  );
});

test('words are split in languages with and without spaces; punctuation and emoji are no words', () => {
  assert.deepEqual(splitWords("rain-jacket, men's 👟"), ['rain', 'jacket', "men's"]);
  assert.deepEqual(splitWords('東京の天気'), ['東京', 'の', '天気']);
  assert.deepEqual(splitWords('???'), []);
});
