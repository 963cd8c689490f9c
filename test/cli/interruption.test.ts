import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Random, UserError, loadRun } from '../../src/index.js';
import { type Outcome, QUICK, type TinyWorld, sesrec, sesrecJson, start, tinyWorld } from '../support/command-line.js';

const EPOCHS = '5';
const random = new Random('when to kill', Number(process.env['SESREC_TEST_SEED'] ?? 1));

let folder: string;
let world: TinyWorld;
/** The version that an undisturbed training ends with. */
let undisturbed: string;

const trainTo = (out: string, ...more: readonly string[]): string[] => [
  'train',
  world.data,
  '--out',
  out,
  '--epochs',
  EPOCHS,
  ...QUICK,
  ...more,
];
const versionOf = async (out: string): Promise<string> => (await loadRun(out)).version;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-interruption-'));
  world = await tinyWorld(folder, 0);
  undisturbed = (await sesrecJson<{ version: string }>(...trainTo(join(folder, 'undisturbed')))).version;
});
after(async () => rm(folder, { recursive: true, force: true }));

test('the same seed gives the same weights, on one thread or two; another seed gives others', async () => {
  const two = join(folder, 'two threads');
  assert.equal((await sesrecJson<{ version: string }>(...trainTo(two, '--threads', '2'))).version, undisturbed);
  assert.equal(await versionOf(two), undisturbed);
  assert.notEqual(
    (await sesrecJson<{ version: string }>(...trainTo(join(folder, 'other seed'), '--seed', '2'))).version,
    undisturbed,
  );
});

/** Ends a training by a signal, some milliseconds after a line of its standard error matches; null when it was done before. */
async function disturb(
  args: readonly string[],
  signal: 'SIGKILL' | 'SIGINT',
  line: RegExp,
  milliseconds: number,
): Promise<Outcome> {
  const { child, outcome } = start(args);
  const seen = new Promise<void>((resolve) => {
    let text = '';
    child.stderr?.on('data', (chunk: string) => {
      text += chunk;
      if (line.test(text)) resolve();
    });
    child.on('close', () => resolve());
  });
  await seen;
  await delay(milliseconds);
  child.kill(signal);
  return outcome;
}

test('killed again and again at random moments and resumed, a training ends with the same weights; in between the run is readable', async () => {
  const out = join(folder, 'killed');
  let kills = 0;
  for (let attempt = 0; attempt < 6; attempt++) {
    const args = existsSync(out) ? ['train', world.data, '--out', out, '--resume', '--threads', '1'] : trainTo(out);
    const { code, err } = await disturb(args, 'SIGKILL', /parameters;/, random.integer(500));
    if (code === null) kills++;
    else assert.equal(code, 0, err);
    const run = await loadRun(out).catch((error: unknown) => error);
    if (run instanceof UserError) assert.match(run.message, /has no trained model yet: .*--resume/);
    else assert.ok(!(run instanceof Error), String(run));
  }
  assert.ok(kills > 0, 'nothing was disturbed');
  const { version, epochs } = await sesrecJson<{ version: string; epochs: number }>(
    'train',
    world.data,
    '--out',
    out,
    '--resume',
  );
  assert.deepEqual([version, epochs], [undisturbed, Number(EPOCHS)]);
  assert.equal(await versionOf(out), undisturbed);
  const left = (await readdir(join(out, 'checkpoints'))).map((name) => name.replace(/-\w+\./, '.'));
  assert.deepEqual(left.sort(), ['best.json', 'best.safetensors', 'last.json', 'last.safetensors']);
});

test('killed before or while the run is made, the same command simply works', async () => {
  const out = join(folder, 'killed at birth');
  for (let attempt = 0; attempt < 4; attempt++) {
    const { child, outcome } = start(trainTo(out));
    const watch = setInterval(() => {
      // as soon as anything of that name, whole or not, is seen
      void readdir(folder).then(
        (names) => names.some((name) => name.startsWith('killed at birth')) && child.kill('SIGKILL'),
      );
    }, 1);
    await outcome;
    clearInterval(watch);
    if (existsSync(out)) {
      await assert.rejects(
        loadRun(out),
        (error) => error instanceof UserError && /no trained model yet/.test(error.message),
      );
      const again = await sesrec(...trainTo(out));
      assert.equal(again.code, 1);
      assert.match(again.err, /already exists: .*--resume.*--overwrite/);
      await rm(out, { recursive: true });
    }
  }
  assert.equal((await sesrecJson<{ version: string }>(...trainTo(out))).version, undisturbed);
});

test('Ctrl-C: exit code 130, one line that says how to go on, and going on ends with the same weights', async () => {
  const out = join(folder, 'interrupted');
  const first = await disturb(trainTo(out), 'SIGINT', /^epoch 1 /m, random.integer(60));
  assert.equal(first.code, 130, first.err);
  assert.equal(first.out, '');
  const told = first.err.split('\n').filter((line) => line.startsWith('sesrec: '));
  assert.equal(told.length, 1, first.err);
  assert.match(
    told[0] as string,
    /^sesrec: stopped in epoch \d+ after step \d+ of \d+; resume with the same command and --resume$/,
  );
  assert.doesNotMatch(first.err, /^ {4}at /m);
  const second = await sesrec(...trainTo(out, '--resume', '--json'));
  assert.equal(second.code, 0, second.err);
  assert.match(second.err, /^resuming at epoch \d+, step \d+$/m);
  assert.equal((JSON.parse(second.out) as { version: string }).version, undisturbed);
});
