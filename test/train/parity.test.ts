import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, describe, test } from 'node:test';
import { UserError } from '../../src/base/index.js';
import { type NamedTensor, decodeSafetensors } from '../../src/model/index.js';
import { TOLERANCES, parity } from '../../src/train/index.js';
import { scratchFolder } from '../data/folders.js';
import { runtimeForTests } from '../support/runtime.js';
import { encodeSafetensors } from '../support/safetensors.js';

const FIXTURES = new URL('../../../test/fixtures/golden/', import.meta.url).pathname;
const runtime = runtimeForTests();

async function copyOf(t: TestContext, name = 'tiny-id-only'): Promise<string> {
  const folder = await scratchFolder(t);
  await cp(join(FIXTURES, name), folder, { recursive: true });
  return folder;
}
async function editTensors(
  folder: string,
  file: string,
  edit: (tensors: Map<string, NamedTensor>) => void,
): Promise<void> {
  const path = join(folder, file);
  const tensors = decodeSafetensors(await readFile(path), path);
  edit(tensors);
  await writeFile(path, encodeSafetensors(tensors));
}
async function editJson(
  folder: string,
  file: string,
  edit: (content: Record<string, unknown>) => unknown,
): Promise<void> {
  const path = join(folder, file);
  const content = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify(edit(content) ?? content));
}
/** Adds to the first entry of a tensor. */
const nudge =
  (key: string, by: number) =>
  (tensors: Map<string, NamedTensor>): void => {
    const { data } = tensors.get(key) as NamedTensor;
    data[0] = (data[0] as number) + by;
  };
const refuses = async (folder: string, pattern: RegExp): Promise<void> =>
  assert.rejects(parity(folder, runtime), (error) => {
    assert.ok(
      error instanceof UserError,
      `not an error for people: ${error instanceof Error ? error.stack : String(error)}`,
    );
    assert.match(error.message, pattern);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  });

describe('parity with the official code', () => {
  for (const name of ['tiny-id-only', 'tiny-attributes']) {
    test(`holds on ${name}: scores, losses, gradients, one step and five`, async () => {
      const report = await parity(join(FIXTURES, name), runtime);
      assert.deepEqual(report.failures, []);
      assert.ok(report.ok);
      for (const [kind, tolerance] of Object.entries(TOLERANCES))
        assert.ok(report[kind as keyof typeof TOLERANCES] <= tolerance, kind);
      assert.equal(report.masks, 0);
      assert.equal(report.catchUpDifferences, 0);
      assert.ok(report.coattention < 1e-5);
    });
  }

  test('is missed by one weight that differs by 1e-3, and only where that weight matters', async (t) => {
    const failures = async (edit: (folder: string) => Promise<void>): Promise<readonly string[]> => {
      const folder = await copyOf(t);
      await edit(folder);
      const report = await parity(folder, runtime);
      assert.equal(report.ok, report.failures.length === 0);
      return report.failures;
    };
    const weight =
      (key: string) =>
      async (folder: string): Promise<void> =>
        editTensors(folder, 'weights.safetensors', nudge(key, 1e-3));
    const score = await failures(weight('rec_pos_emb.pe.weight'));
    for (const kind of ['scores', 'losses', 'gradients', 'afterStep', 'afterFiveSteps', 'lossesOfSteps'])
      assert.ok(score.includes(kind), `${kind} is not among ${score}`);
    const alignment = await failures(weight('feature_alignment.infoNCE_loss.weight_matrix'));
    assert.ok(!alignment.includes('scores') && !alignment.includes('masks'), 'scores do not depend on the alignment');
    for (const kind of ['losses', 'gradients', 'afterStep', 'afterFiveSteps'])
      assert.ok(alignment.includes(kind), `${kind} is not among ${alignment}`);

    // What is compared with matters too, each file to its own check.
    const first = 'query_item_feat.item_trans.weight';
    const others = await failures(async (folder) => {
      await editTensors(folder, 'gradients.safetensors', nudge(first, 1));
      await editTensors(folder, 'after_one_adam_step.safetensors', nudge(first, 1e-3));
      await editJson(folder, 'expected.json', (expected) => {
        ((expected['mask_rec_similar'] as number[][])[0] as number[])[0] = 0.5;
      });
    });
    assert.deepEqual(others, ['gradients', 'afterStep', 'masks']);
    const more = await failures(async (folder) => {
      await editTensors(folder, 'after_five_adam_steps.safetensors', nudge(first, 1e-3));
      await editJson(folder, 'config.json', (config) => {
        config['triplet_margin'] = 4.5;
      }); // shifts the contrast, not its gradient
    });
    assert.deepEqual(more, ['losses', 'afterFiveSteps', 'lossesOfSteps']);
  });

  test('is refused in one line when a file is missing', async (t) => {
    await refuses('/nowhere', /\/nowhere is not a golden fixture/);
    for (const file of [
      'config.json',
      'inputs.json',
      'expected.json',
      'weights.safetensors',
      'gradients.safetensors',
    ]) {
      const folder = await copyOf(t);
      await rm(join(folder, file));
      await refuses(folder, new RegExp(file.replace('.', '\\.')));
    }
  });

  test('is refused in one line when a shape or a name is wrong', async (t) => {
    const wrong = async (pattern: RegExp, edit: (folder: string) => Promise<void>): Promise<void> => {
      const folder = await copyOf(t);
      await edit(folder);
      await refuses(folder, pattern);
    };
    const weights =
      (edit: (tensors: Map<string, NamedTensor>) => void) =>
      async (folder: string): Promise<void> =>
        editTensors(folder, 'weights.safetensors', edit);
    await wrong(
      /rec_pos_emb\.pe\.weight has 8 values, config\.json implies 56/,
      weights((tensors) => {
        tensors.set('rec_pos_emb.pe.weight', { shape: [1, 8], data: new Float32Array(8) });
      }),
    );
    await wrong(
      /no tensor rec_pos_emb\.pe\.weight/,
      weights((tensors) => {
        tensors.delete('rec_pos_emb.pe.weight');
      }),
    );
    await wrong(
      /lacks: surplus/,
      weights((tensors) => {
        tensors.set('surplus', { shape: [], data: new Float32Array(1) });
      }),
    );
    await wrong(/no number item_id_dim/, async (folder) =>
      editJson(folder, 'config.json', (config) => {
        delete config['item_id_dim'];
      }),
    );
    await wrong(/config\.json/, async (folder) =>
      editJson(folder, 'config.json', (config) => {
        config['pred_hid_units'] = 3;
      }),
    );
    await wrong(/config\.json/, async (folder) => writeFile(join(folder, 'config.json'), 'null'));
    await wrong(/inputs\.json/, async (folder) => writeFile(join(folder, 'inputs.json'), '{}'));
    await wrong(/inputs\.json/, async (folder) => writeFile(join(folder, 'inputs.json'), '[]'));
    await wrong(/inputs\.json.*rec_his/, async (folder) =>
      editJson(folder, 'inputs.json', (batches) => {
        (batches as unknown as { rec_his: number[][][] }[])[0]?.rec_his[0]?.[0]?.pop();
      }),
    );
    await wrong(/inputs\.json.*src_click/, async (folder) =>
      editJson(folder, 'inputs.json', (batches) => {
        delete (batches as unknown as Record<string, unknown>[])[1]?.['src_click'];
      }),
    );
    await wrong(/expected\.json.*scores/, async (folder) =>
      editJson(folder, 'expected.json', (expected) => {
        delete expected['scores'];
      }),
    );
  });
});
