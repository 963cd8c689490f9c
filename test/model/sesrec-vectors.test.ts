import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at } from '../../src/base/index.js';
import { alignedVectors, vocabularySizes } from '../../src/model/index.js';
import { runtimeForTests } from '../support/runtime.js';
import { tinyDataset } from '../support/tiny-dataset.js';
import { lively, tinyConfig } from '../support/tiny-sesrec.js';

const runtime = runtimeForTests();

/** More items and queries than are worked out at once; queries of one to four words. */
const dataset = tinyDataset(
  {
    ann: Array.from({ length: 1100 }, (_, i) => ({
      query: Array.from({ length: 1 + (i % 4) }, (__, word) => `w${(7 * i + 3 * word) % 50}`).join(' ') + ` n${i}`,
    })),
    bob: ['i0', 'i1', 'i2'],
  },
  { items: Array.from({ length: 1100 }, (_, i) => `i${i}`) },
);

for (const preset of ['official', 'paper'] as const)
  describe(`the aligned vectors of a SESRec (${preset})`, () => {
    const config = tinyConfig(preset, { itemAttributes: [], userAttributes: [], sizes: vocabularySizes(dataset) });
    const parameters = lively(config);
    const { width, itemIdWidth, queryIdWidth, wordWidth } = config;

    /** W x + b. */
    const projected = (owner: 'item' | 'query', x: readonly number[]): number[] => {
      const weight = parameters.get(`${owner}.projection.weight`);
      const bias = config.projectionBias ? parameters.get(`${owner}.projection.bias`) : new Float32Array(width);
      return Array.from({ length: width }, (_, row) =>
        x.reduce((sum, value, column) => sum + at(weight, row * x.length + column) * value, at(bias, row)),
      );
    };
    const rowOf = (table: string, row: number, size: number): number[] => [
      ...parameters.get(table).subarray(row * size, (row + 1) * size),
    ];
    const close = (actual: Float32Array, row: number, expected: readonly number[]): void =>
      expected.forEach((value, i) => {
        const found = at(actual, row * width + i);
        assert.ok(Math.abs(found - value) < 1e-5, `row ${row}: ${found}, not ${value}`);
      });

    test('are the projections of Eq. 1, for every item and query', async () => {
      const { items, queries, bilinear, width: told } = await alignedVectors(config, parameters, dataset, runtime);
      assert.equal(told, width);
      assert.equal(items.length, dataset.items.ids.length * width);
      for (const item of [2, 3, 500, 1024, 1025, 1101])
        close(items, item, projected('item', rowOf('item.id', item, itemIdWidth)));
      for (const query of [2, 3, 4, 5, 1023, 1024, 1025, 1101]) {
        const words = [
          ...dataset.queryWords.subarray(at(dataset.wordOffsets, query), at(dataset.wordOffsets, query + 1)),
        ].slice(0, config.window.words);
        const mean = Array.from({ length: wordWidth }, (_, i) =>
          words.reduce((sum, word) => sum + at(parameters.get('query.word'), word * wordWidth + i) / words.length, 0),
        );
        close(queries, query, projected('query', [...rowOf('query.id', query, queryIdWidth), ...mean]));
      }
      assert.deepEqual(bilinear, parameters.get('alignment.bilinear'));
    });

    test('have no W_A without the alignment', async () => {
      const without = tinyConfig(preset, { ...config, useAlignment: false });
      const { bilinear } = await alignedVectors(without, lively(without), dataset, runtime);
      assert.equal(bilinear, null);
    });
  });
