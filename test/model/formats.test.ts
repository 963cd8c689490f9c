import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CorruptFileError } from '../../src/base/index.js';
import { RUN_FORMAT_VERSION, loadRun, readRunManifest } from '../../src/model/index.js';
import { assertRefusal, contentOf, sesrec, sesrecJson } from '../support/command-line.js';

const FIXTURES = 'test/fixtures/formats';
/** How the fixtures were trained (scripts/format-fixtures.js). */
const TRAINED = ['--batch-size', '16', '--threads', '1', '--candidate-count', '7'];

let folder: string;
let versions: number[];
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-formats-'));
  const names = await readdir(FIXTURES);
  versions = names.flatMap((name) => /^run-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
});
after(async () => rm(folder, { recursive: true }));

/** A copy to work on: what was written by an older program is never changed. */
async function copyOf(version: number, name: string): Promise<string> {
  const copy = join(folder, name);
  await cp(join(FIXTURES, `run-${version}`), copy, { recursive: true });
  return copy;
}
interface Editable {
  version: unknown;
  training: { epochs: number };
}
async function edit(path: string, change: (value: Editable) => void): Promise<void> {
  const value = JSON.parse(await readFile(path, 'utf8')) as Editable;
  change(value);
  await writeFile(path, JSON.stringify(value));
}

describe('a run of every format that was ever written', () => {
  test('there is a fixture of the first format, and none of a later one than this program writes', () => {
    assert.ok(versions.includes(1));
    assert.ok(Math.max(...versions) <= RUN_FORMAT_VERSION);
  });

  test('evaluates to the metrics that were measured when it was made', async () => {
    for (const version of versions) {
      const content = await contentOf(join(FIXTURES, `run-${version}`));
      const expected = JSON.parse(await readFile(join(FIXTURES, `run-${version}.metrics.json`), 'utf8')) as unknown;
      const run = await copyOf(version, `evaluated ${version}`);
      const { metrics, look } = await sesrecJson<{ metrics: unknown; look: number }>(
        'evaluate',
        run,
        '--on',
        'test',
        '--candidate-count',
        '7',
      );
      assert.deepEqual(metrics, expected, `run-${version}`);
      assert.equal(look, 1, 'nobody had looked at it');
      const manifest = JSON.parse(await readFile(join(run, 'run.json'), 'utf8')) as Record<string, unknown>;
      assert.equal(manifest['version'], RUN_FORMAT_VERSION, 'the look is recorded in the format of today');
      assert.equal((await readRunManifest(run)).testLooks.length, 1);
      assert.deepEqual(await contentOf(join(FIXTURES, `run-${version}`)), content);
    }
  });

  test('is resumed: finished, it stays as it is; with more epochs to go, it goes on and ends the same every time', async () => {
    for (const version of versions) {
      const run = await copyOf(version, `resumed ${version}`);
      const { version: weights } = await loadRun(run);
      const resume = ['train', join(run, 'data'), '--out', run, '--resume', ...TRAINED];
      assert.equal((await sesrecJson<{ version: string }>(...resume)).version, weights);

      // Not with the bits of one trained in one go today: its first epochs had the arithmetic and the masks of their time.
      const ends: { version: string; epochs: number }[] = [];
      for (const time of ['once', 'twice']) {
        const longer = await copyOf(version, `longer ${version} ${time}`);
        await edit(join(longer, 'run.json'), ({ training }) => (training.epochs = 3));
        ends.push(await sesrecJson('train', join(run, 'data'), '--out', longer, '--resume', ...TRAINED));
      }
      const [once, twice] = ends;
      assert.equal(once?.epochs, 3);
      assert.notEqual(once?.version, weights);
      assert.equal(twice?.version, once?.version, `run-${version}`);
    }
  });
});

test('other formats of a run are refused in one line', async () => {
  for (const version of [0, RUN_FORMAT_VERSION + 1, '1', '2', null]) {
    const run = await copyOf(1, `of version ${JSON.stringify(version)}`);
    await edit(join(run, 'run.json'), (value) => (value.version = version));
    const message = new RegExp(`run\\.json has format version ${JSON.stringify(version)}, this program reads 1 to 2`);
    await assert.rejects(
      readRunManifest(run),
      (error) => error instanceof CorruptFileError && message.test(error.message),
    );
    if (version === 0) assertRefusal(await sesrec('evaluate', run), 1, message);
  }
});

test('golden files of another format are refused in one line; without a version they are of the first', async () => {
  const golden = join(folder, 'golden');
  await cp('test/fixtures/golden/tiny-id-only', golden, { recursive: true });
  const parity = async (version: unknown) => {
    await edit(join(golden, 'config.json'), (value) => (value.version = version));
    return sesrec('parity', golden, '--threads', '1');
  };
  assert.equal((await parity(undefined)).code, 0);
  assert.equal((await parity(1)).code, 0);
  for (const version of [0, 2, '1', null])
    assertRefusal(
      await parity(version),
      1,
      new RegExp(`config\\.json has format version ${JSON.stringify(version)}, this program reads 1`),
    );
});
