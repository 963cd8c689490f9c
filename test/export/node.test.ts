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
import { exported, furthest } from '../support/exporting.js';
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
    const { made, inputs, expected } = await exported({ id, preset });
    const session = await InferenceSession.create(made.bytes);
    const feeds = Object.fromEntries(
      made.inputs.map(({ key, shape }) => [key, new Tensor('int32', inputs[key] as Int32Array, shape)]),
    );
    const { logits } = await session.run(feeds);
    assert.ok(logits);
    assert.ok(new Set(expected).size > expected.length / 4, 'logits that are all alike would prove nothing');
    const error = furthest(logits.data as Float32Array, expected);
    assert.ok(error <= 1e-5, `${error}`);
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
    inputs: { key: string; shape: number[] }[];
    vocabularies: { items: string[] };
    model: { version: string };
  };
  const { dataset, version, parameters } = await loadRun(run);
  assert.equal(beside.model.version, version);
  assert.deepEqual(beside.vocabularies.items, dataset.items.ids);
  assert.deepEqual(beside.inputs.find(({ key }) => key === 'candidates')?.shape, [1, 7]);
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
