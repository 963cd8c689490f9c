import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Random, UserError, loadRun } from '../../src/index.js';
import { readRunManifest } from '../../src/model/index.js';
import {
  type Outcome,
  QUICK,
  type TinyWorld,
  assertRefusal,
  contentOf,
  sesrec,
  sesrecJson,
  start,
  tinyWorld,
} from '../support/command-line.js';
import { writePlantedLog } from '../support/planted.js';
import { KILLS, SEED } from '../support/soak.js';

const EPOCHS = '4';
const random = new Random('when to kill', SEED);

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

/** What lies in the checkpoints of a run, without hashes. */
const checkpointFiles = async (out: string): Promise<string[]> =>
  (await readdir(join(out, 'checkpoints'))).map((name) => name.replace(/-\w+\./, '.')).sort();
const WHOLE = [
  'best.json',
  'best.safetensors',
  'last.json',
  'last.previous.json',
  'last.safetensors',
  'last.safetensors',
];

/** Whether a run was left in the middle of writing a checkpoint: a temporary file, or tensors that no manifest names. */
async function leftInTheMiddle(out: string): Promise<boolean> {
  const folder = join(out, 'checkpoints');
  const names = await readdir(folder);
  const manifests = await Promise.all(
    names.filter((name) => name.endsWith('.json')).map(async (name) => readFile(join(folder, name), 'utf8')),
  );
  return names.some(
    (name) =>
      name.endsWith('.tmp') || (name.endsWith('.safetensors') && !manifests.some((text) => text.includes(name))),
  );
}

async function assertReadable(out: string): Promise<void> {
  const run = await loadRun(out).catch((error: unknown) => error);
  if (run instanceof UserError) assert.match(run.message, /has no trained model yet: .*--resume/);
  else assert.ok(!(run instanceof Error), String(run));
}

test('killed at a random moment of training or of writing a checkpoint and resumed, a training ends with the same weights', async (t) => {
  // When the training begins, and when each epoch ends: a kill is to strike at any moment of any epoch.
  const timed = start(trainTo(join(folder, 'timed'), '--save-every', '0'));
  const marks: number[] = [];
  timed.child.stderr?.on('data', (text: string) => {
    marks.push(...Array.from(text.matchAll(/parameters;|^epoch /gm), () => performance.now()));
  });
  assert.equal((await timed.outcome).code, 0);
  assert.equal(marks.length, 1 + Number(EPOCHS));
  assert.equal(await versionOf(join(folder, 'timed')), undisturbed, 'saving after every step changes nothing');

  const counts = { rounds: 0, kills: 0, 'in the middle of a checkpoint': 0, identical: 0 };
  // one that was done before the signal came is no kill
  for (; counts.kills < KILLS && counts.rounds < 3 * KILLS; counts.rounds++) {
    const round = counts.rounds;
    const out = join(folder, `killed ${round}`);
    const args = trainTo(out, '--save-every', '0');
    const epoch = random.integer(Number(EPOCHS));
    const length = (marks[epoch + 1] as number) - (marks[epoch] as number);
    const line = epoch === 0 ? /parameters;/ : new RegExp(`^epoch ${epoch} `, 'm');
    const { code } = await disturb(args, 'SIGKILL', line, random.integer(Math.ceil(length)));
    if (code === null) counts.kills++;
    if (await leftInTheMiddle(out)) counts['in the middle of a checkpoint']++;
    await assertReadable(out);
    const resumed = await sesrecJson<{ version: string; epochs: number }>(...args, '--resume');
    assert.deepEqual([resumed.version, resumed.epochs], [undisturbed, Number(EPOCHS)], `round ${round}`);
    assert.equal(await versionOf(out), undisturbed);
    assert.deepEqual(await checkpointFiles(out), WHOLE);
    assert.ok(!existsSync(join(out, 'lock')));
    counts.identical++;
    await rm(out, { recursive: true });
  }
  t.diagnostic(JSON.stringify(counts));
  assert.equal(counts.kills, KILLS);
});

test('killed again and again, a training ends with the same weights; in between the run is readable', async () => {
  const out = join(folder, 'killed');
  let kills = 0;
  for (let attempt = 0; attempt < 4; attempt++) {
    const args = existsSync(out) ? ['train', world.data, '--out', out, '--resume', '--threads', '1'] : trainTo(out);
    const { code, err } = await disturb(args, 'SIGKILL', /parameters;/, random.integer(500));
    if (code === null) kills++;
    else assert.equal(code, 0, err);
    await assertReadable(out);
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
  assert.deepEqual(await checkpointFiles(out), WHOLE);
});

test('killed in its first second, a training is begun or resumed, whichever is left, and ends with the same weights', async () => {
  for (let round = 0; round < 3; round++) {
    const out = join(folder, `killed early ${round}`);
    const { child, outcome } = start(trainTo(out, '--save-every', '0'));
    await delay(150 + random.integer(850));
    child.kill('SIGKILL');
    await outcome;
    const again = existsSync(out) ? ['--resume'] : [];
    assert.equal((await sesrecJson<{ version: string }>(...trainTo(out, ...again))).version, undisturbed);
  }
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
    /^sesrec: stopped in epoch \d+ after step \d+ of \d+(, in its validation)?; resume with the same command and --resume$/,
  );
  assert.doesNotMatch(first.err, /^ {4}at /m);
  const second = await sesrec(...trainTo(out, '--resume', '--json'));
  assert.equal(second.code, 0, second.err);
  assert.match(second.err, /^resuming at epoch \d+, step \d+$/m);
  assert.equal((JSON.parse(second.out) as { version: string }).version, undisturbed);
});

test('Ctrl-C in a validation stops at its next batch; resuming validates anew and ends with the same weights', async () => {
  // One step per epoch, saved: once that state is there, validation is all that is left.
  const log = join(folder, 'many.jsonl');
  await writePlantedLog({ users: 800, items: 120, categories: 6, eventsPerUser: 4, seed: 3 }, log);
  const data = join(folder, 'many');
  assert.equal((await sesrec('import', 'events', log, '--out', data)).code, 0);
  const flags = [...QUICK, '--epochs', '1', '--set', 'useAlignment=false', '--batch-size', '1600'];
  const args = (name: string, ...more: string[]): string[] => {
    return ['train', data, '--out', join(folder, name), ...flags, ...more];
  };
  const whole = await sesrecJson<{ version: string }>(...args('many whole'));
  const { child, outcome } = start(args('many stopped', '--save-every', '0'));
  const watch = setInterval(() => {
    if (!existsSync(join(folder, 'many stopped', 'checkpoints', 'last.json'))) return;
    clearInterval(watch);
    child.kill('SIGINT');
  }, 2);
  const { code, err } = await outcome;
  clearInterval(watch);
  assert.equal(code, 130, err);
  assert.match(err, /^sesrec: stopped in epoch 1 after step 1 of 1, in its validation; resume with .*--resume$/m);
  assert.doesNotMatch(err, /^epoch 1 /m);
  assert.equal((await sesrecJson<{ version: string }>(...args('many stopped', '--resume'))).version, whole.version);
});

test('a damaged or missing last state: one line that says so, and going on from the reserve to the same weights', async () => {
  const out = join(folder, 'to be damaged');
  await disturb(trainTo(out, '--save-every', '0'), 'SIGINT', /^epoch 2 /m, 20);
  const files = await readdir(join(out, 'checkpoints'));
  const last = (JSON.parse(await readFile(join(out, 'checkpoints', 'last.json'), 'utf8')) as { file: string }).file;
  assert.ok(files.includes('last.previous.json'));
  const damage: Record<string, (folder: string) => Promise<void>> = {
    'tensors cut': async (folder) => truncate(join(folder, last), 1000),
    'tensors gone': async (folder) => rm(join(folder, last)),
    'manifest empty': async (folder) => writeFile(join(folder, 'last.json'), ''),
    'manifest gone': async (folder) => rm(join(folder, 'last.json')),
  };
  for (const [name, harm] of Object.entries(damage)) {
    const copy = join(folder, name);
    await cp(out, copy, { recursive: true });
    await harm(join(copy, 'checkpoints'));
    const { code, out: text, err } = await sesrec(...trainTo(copy, '--resume', '--json'));
    assert.equal(code, 0, err);
    const told = err.split('\n').filter((line) => line.includes('in reserve'));
    assert.equal(told.length, 1, err);
    assert.match(told[0] as string, /last.*; resuming from the state in reserve, at epoch \d+, step \d+$/);
    assert.equal((JSON.parse(text) as { version: string }).version, undisturbed, name);
  }
  const both = join(folder, 'both damaged');
  await cp(out, both, { recursive: true });
  for (const file of files.filter((file) => file.startsWith('last-')))
    await truncate(join(both, 'checkpoints', file), 50);
  assertRefusal(
    await sesrec(...trainTo(both, '--resume')),
    1,
    /last-\w+\.safetensors is damaged.*the one in reserve is no use either/,
  );
});

test('a run that a process is training is left alone by others', async () => {
  const out = join(folder, 'busy');
  const { child, outcome } = start(trainTo(out, '--epochs', '100000', '--patience', '100000'));
  await new Promise<void>((resolve) => {
    child.stderr?.on('data', (text: string) => text.includes('epoch 1 ') && resolve());
  });
  const busy = new RegExp(`busy: process ${child.pid} is training this run; wait for it, or stop it first`);
  assertRefusal(await sesrec('train', world.data, '--out', out, '--resume'), 1, busy);
  assertRefusal(await sesrec(...trainTo(out, '--overwrite')), 1, busy);
  assert.equal((await sesrec('evaluate', out)).code, 0, 'reading is no trouble');
  child.kill('SIGINT');
  assert.equal((await outcome).code, 130);
  assert.ok(!existsSync(join(out, 'lock')));
});

test('a learning rate without measure ends in one line that names the batch, and leaves no run, or the last good state', async () => {
  const out = join(folder, 'measureless');
  const first = await sesrec(...trainTo(out, '--learning-rate', '1e30'));
  assert.equal(first.code, 1, first.err);
  assert.match(
    first.err,
    /^sesrec: the \w+ loss became NaN in epoch 1, step 2, the batch of 64 rows of users "u\d+", .*: nothing was saved yet; train again with a smaller --learning-rate$/m,
  );
  assert.doesNotMatch(first.err, /^ {4}at /m);
  assert.ok(!existsSync(out), 'nothing to go back to');
  const second = await sesrec(...trainTo(out, '--learning-rate', '1e30', '--save-every', '0'));
  assert.match(
    second.err,
    /^sesrec: .* in epoch 1, step 2, .*: the state saved at epoch 1, step 2 is intact and --resume goes back to it; .*$/m,
  );
  const again = await sesrec(...trainTo(out, '--learning-rate', '1e30', '--resume'));
  assert.equal(again.code, 1);
  assert.match(again.err, /^resuming at epoch 1, step 2$/m, 'the state can be read');
});

test('a run that is replaced stays until its successor has a best epoch, and comes back where that learns nothing', async () => {
  const out = join(folder, 'replaced');
  const looks = async (): Promise<number> => (await readRunManifest(out)).testLooks.length;
  await sesrecJson(...trainTo(out));
  assert.equal((await sesrec('evaluate', out, '--on', 'test')).code, 0);
  const within = async (directory: string): Promise<unknown> =>
    Object.entries(await contentOf(directory)).map(([path, hash]) => [relative(directory, path), hash]);
  const before = await within(out);
  const failed = await sesrec(...trainTo(out, '--overwrite', '--learning-rate', '1e30'));
  assert.equal(failed.code, 1, failed.err);
  assert.match(failed.err, /^.*replaced is the run again that was to be replaced$/m);
  assert.deepEqual([await within(out), await looks()], [before, 1]);
  // killed before anything was learnt: what was replaced is still in it, also when it is replaced once more
  for (const rate of ['0.002', '0.003']) {
    const killed = await disturb(
      trainTo(out, '--overwrite', '--learning-rate', rate, '--epochs', '1000', '--patience', '1000'),
      'SIGKILL',
      /parameters;/,
      0,
    );
    assert.equal(killed.code, null, killed.err);
    if (!existsSync(join(out, 'checkpoints', 'best.json')))
      assert.deepEqual(await within(join(out, 'replaced')), before, 'as it was');
  }
  await sesrecJson(...trainTo(out, '--overwrite'));
  assert.deepEqual([existsSync(join(out, 'replaced')), await looks()], [false, 1]);
  assert.deepEqual(
    (await readdir(folder)).filter((name) => name.startsWith('replaced.')),
    [],
  );
});

test('of two that replace a run one trains it, the other is refused', async () => {
  const out = join(folder, 'wanted twice');
  await sesrecJson(...trainTo(out));
  const both = await Promise.all(
    ['1', '2'].map(async (seed) => sesrec(...trainTo(out, '--overwrite', '--seed', seed))),
  );
  // one may begin when the other has ended
  const refused = both.filter(({ code }) => code !== 0);
  assert.ok(refused.length < 2, refused.map(({ err }) => err).join());
  for (const { code, err } of refused)
    assert.deepEqual([code, /is training this run; wait for it|has made .* meanwhile/.test(err)], [1, true], err);
  const { manifest, version } = await loadRun(out);
  const alone = join(folder, `alone ${manifest.training.seed}`);
  assert.equal(
    (await sesrecJson<{ version: string }>(...trainTo(alone, '--seed', String(manifest.training.seed)))).version,
    version,
  );
});

test('a digit of run.json that changed is told, whoever reads the run', async () => {
  const out = join(folder, 'changed');
  const stopped = await disturb(trainTo(out, '--epochs', '1000', '--patience', '1000'), 'SIGINT', /^epoch 1 /m, 0);
  assert.equal(stopped.code, 130, stopped.err);
  const path = join(out, 'run.json');
  const text = await readFile(path, 'utf8');
  const changed = text.replace(/"learningRate": 0\.0\d+/, '"learningRate": 0.5');
  assert.notEqual(changed, text);
  await writeFile(path, changed);
  for (const args of [
    ['train', world.data, '--out', out, '--resume'],
    ['evaluate', out],
    ['recommend', out, '--user', 'u1'],
  ])
    assertRefusal(await sesrec(...args), 1, /run\.json was changed: it is not what the checkpoints/);
  await writeFile(path, text);
  assert.equal((await sesrec('evaluate', out)).code, 0);
});
