/** `idDropout`: which ids of a batch are left out, and that nothing else is. What it is good for is measured (docs/preset.md). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { embedItems } from '../../src/model/definition/embeddings.js';
import { models } from '../../src/model/index.js';
import { Scope } from '../../src/model/layers/layers.js';
import type { SesrecConfig } from '../../src/model/models/sesrec/sesrec-config.js';
import { itemKeys } from '../../src/model/models/sesrec/sesrec-memory.js';
import type { Tensor } from '../../src/tensor/index.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();
const RATE = 0.25;
const config = {
  ...models.sesrec.settings('sesrec', 'amazon'),
  sizes: { items: 9, users: 3, queries: 3, words: 3, sources: 1 },
  itemAttributes: [{ name: 'category', size: 4, width: 1 }],
  userAttributes: [],
  itemIdWidth: 2,
  memoryWidth: 2,
  memoryKeys: 'own',
  memoryDropout: 0,
  idDropout: RATE,
} as unknown as SesrecConfig;

/** The vectors and the keys of three items. */
function built(scope: Scope): Readonly<Record<string, Tensor>> {
  const vectors = embedItems(scope, config, 3, { idDropout: config.idDropout });
  return { vectors, keys: itemKeys(scope, config, vectors) };
}

const rows = {
  'rows of item.id': Float32Array.of(1, 2, 3, 4, 5, 6),
  'rows of memory.item.id': Float32Array.of(3, 4, 1, 0, 0, 2),
  'itemAttribute.category': Int32Array.of(3, 2, 3),
  'item.category': Float32Array.of(0, 0, 7, 8),
  'memory.item.category': Float32Array.of(0, 0, 0, 0, 0, 5, 0, 0),
};
const close = (found: Float32Array | undefined, expected: readonly number[]): void =>
  expected.forEach((value, i) => assert.ok(Math.abs((found?.[i] as number) - value) < 1e-5, `${i}: ${found?.join()}`));

test('an id that is left out leaves what else is known of the item, in vectors and keys of the same items', async () => {
  const scope = new Scope(0.5);
  const graph = built(scope);
  assert.deepEqual(
    scope.dropouts.map(({ shape, rate }) => [[...shape], rate]),
    [[[3, 1], RATE]],
    'one draw for all that is known of an item by its id, whatever else is dropped',
  );
  const program = await runtime.compile(graph);
  const kept = 1 / (1 - RATE);
  const found = await program.run({ ...rows, 'dropout 0': Float32Array.of(kept, 0, kept) });
  close(found['vectors'], [1, 2, 8, 0, 0, 7, 5, 6, 8]);
  close(found['keys'], [0.6, 0.8, 0, 1, 0, 1]); // the second is its category's alone
  await program.dispose();
});

test('where items are scored no id is left out', async () => {
  const scope = new Scope();
  const program = await runtime.compile(built(scope));
  assert.deepEqual(scope.dropouts, []);
  const found = await program.run(rows);
  close(found['vectors'], [1, 2, 8, 3, 4, 7, 5, 6, 8]);
  close(found['keys'], [0.6, 0.8, 1 / Math.sqrt(26), 5 / Math.sqrt(26), 0, 1]);
  await program.dispose();
});
