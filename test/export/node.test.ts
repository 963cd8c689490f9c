/** An exported model gives the logits of its run: every model that can be exported, in Node. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { UserError } from '../../src/base/index.js';
import { decodeSafetensors, loadRun } from '../../src/model/index.js';
import { scratchFolder } from '../data/folders.js';
import { assertRefusal, sesrec, sesrecJson, tinyWorld } from '../support/command-line.js';
import { type Exported, exported, furthest } from '../support/exporting.js';
import { everyPreset } from '../support/tiny-model.js';

/** Its neighbours are drawn from the log. */
const REFUSED = ['srjgraph'];

for (const { id, preset, name } of everyPreset) {
  test(name, async () => {
    if (REFUSED.includes(id)) {
      await assert.rejects(exported({ id, preset }), (error) => {
        assert.ok(error instanceof UserError);
        assert.match(error.message, /cannot be exported to ONNX/);
        return true;
      });
      return;
    }
    const { made, inputs, expected, expectedWithoutWords } = await exported({ id, preset });
    const session = await InferenceSession.create(made.bytes);
    const logitsOf = async (given: Exported['inputs']): Promise<Float32Array> => {
      const feeds = made.inputs.map(({ key, shape }) => [key, new Tensor('int32', given[key] as Int32Array, shape)]);
      const { logits } = await session.run(Object.fromEntries(feeds) as Record<string, Tensor>);
      return logits?.data as Float32Array;
    };
    assert.ok(new Set(expected).size > expected.length / 4, 'logits that are all alike would prove nothing');
    const error = furthest(await logitsOf(inputs), expected);
    assert.ok(error <= 1e-5, `${error}`);
    const ofWords = furthest(expected, expectedWithoutWords);
    assert.equal(
      made.inputs.some(({ key }) => key === 'searchWords'),
      ofWords > 0.01,
      `words change ${ofWords}`,
    );
    for (const { key } of made.inputs) {
      const logits = await logitsOf({ ...inputs, [key]: new Int32Array((inputs[key] as Int32Array).length) });
      assert.ok(furthest(logits, expected) > 1e-3, `${key} is there, and not looked at`);
      if (key !== 'searchWords') continue;
      const without = furthest(logits, expectedWithoutWords);
      assert.ok(without <= 1e-5, `without words: ${without}`);
    }
    await session.release();
  });
}

test('the command writes a file, its signature and its vocabularies; safetensors have the parameters', async (t) => {
  const folder = await scratchFolder(t);
  const { run } = await tinyWorld(folder, 1);
  const out = join(folder, 'model.onnx');
  const told = await sesrecJson<{ bytes: number; inputs: { key: string }[] }>(
    'export',
    run,
    '--out',
    out,
    '--candidates',
    '7',
  );
  assert.equal((await readFile(out)).length, told.bytes);
  const beside = JSON.parse(await readFile(`${out}.json`, 'utf8')) as {
    version: number;
    inputs: { key: string; shape: number[] }[];
    texts: Record<string, string>;
    vocabularies: { items: string[] };
    model: { version: string };
  };
  const { dataset, version, parameters, model } = await loadRun(run);
  assert.equal(beside.model.version, version);
  assert.deepEqual(beside.vocabularies.items, dataset.items.ids);
  assert.deepEqual(beside.inputs.find(({ key }) => key === 'candidates')?.shape, [1, 7]);
  const { search, words } = model.config.window;
  assert.deepEqual(beside.inputs.find(({ key }) => key === 'searchWords')?.shape, [1, search, words]);
  assert.equal(beside.version, 2);
  assert.deepEqual(Object.keys(beside.texts), ['queries', 'words', 'searchWords']);
  assertRefusal(await sesrec('export', run, '--out', out), 1, /model\.onnx already exists: .* --overwrite/);
  assertRefusal(
    await sesrec('export', run, '--out', join(folder, 'nowhere', 'model.onnx')),
    1,
    /cannot write .*nowhere\/model\.onnx: .*nowhere is not a directory/,
  );
  const tensors = join(folder, 'model.safetensors');
  await sesrecJson('export', run, '--format', 'safetensors', '--out', tensors);
  const found = decodeSafetensors(await readFile(tensors), tensors);
  for (const { name } of parameters.descriptions)
    assert.deepEqual(found.get(name)?.data, Float32Array.from(parameters.get(name)));
});
