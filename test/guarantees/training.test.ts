/**
 * What the machine does to a training: a disk that is full, a folder that may not be written, a clock that jumps. Kills are in
 * ../cli/interruption.test.ts. Knows the command line; does not know how checkpoints are written.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadRun } from '../../src/index.js';
import {
  BIN,
  type Outcome,
  QUICK,
  type TinyWorld,
  assertRefusal,
  contentOf,
  sesrec,
  sesrecJson,
  tinyWorld,
} from '../support/command-line.js';

const EPOCHS = '3';
const NOBODY = 65_534;

let folder: string;
let world: TinyWorld;
/** The version that an undisturbed training ends with. */
let undisturbed: string;

const trainTo = (out: string, ...more: readonly string[]): string[] => {
  return ['train', world.data, '--out', out, '--epochs', EPOCHS, ...QUICK, ...more];
};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-machine-'));
  await chmod(folder, 0o755);
  world = await tinyWorld(folder, 0);
  undisturbed = (await sesrecJson<{ version: string }>(...trainTo(join(folder, 'undisturbed')))).version;
});
after(async () => rm(folder, { recursive: true, force: true }));

/** Runs a program to its end. */
async function run(
  command: string,
  args: readonly string[],
  options: { uid?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  return new Promise((resolve, reject) => child.on('error', reject).on('close', (code) => resolve({ code, out, err })));
}

/** `sesrec …` with files of at most some blocks of 1024 bytes; what is more is refused, as by a full disk. */
const onSmallDisk = async (blocks: number, args: readonly string[]): Promise<Outcome> =>
  run('bash', ['-c', `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`, 'bash', process.execPath, BIN, ...args]);

/** Code that a process begins with. */
const beginningWith = (code: string): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}`,
});
/** Ctrl-C as soon as the first epoch is told of: no signal from elsewhere, which may come late. */
const STOPPING = `
  const write = process.stderr.write;
  process.stderr.write = function (text, ...more) {
    const done = write.call(this, text, ...more);
    if (/^epoch 1 /m.test(String(text))) process.emit('SIGINT', 'SIGINT', 2);
    return done;
  };`;

/** A training that was stopped after its first epoch. */
async function stopped(out: string, code = ''): Promise<void> {
  const { code: exit, err } = await run(process.execPath, [BIN, ...trainTo(out, '--save-every', '0')], {
    env: beginningWith(STOPPING + code),
  });
  assert.equal(exit, 130, err);
}

/** The lines of standard error that are no progress. */
const complaints = ({ err }: Outcome): string[] => err.split('\n').filter((line) => line.startsWith('sesrec: '));

const skip = process.platform === 'win32' ? 'no ulimit' : false;

test(
  'a disk that is full while a checkpoint is written: one line, the last good state stays and is gone on from',
  { skip },
  async () => {
    const out = join(folder, 'full');
    await stopped(out);
    const good = await contentOf(join(out, 'checkpoints'));
    const full = await onSmallDisk(2, trainTo(out, '--resume', '--save-every', '0'));
    assert.equal(full.code, 1, full.err);
    assert.equal(complaints(full).length, 1, full.err);
    assert.match(complaints(full)[0] as string, /EFBIG|ENOSPC|too large|no space/i);
    assert.doesNotMatch(full.err, /^ {4}at /m);
    const left = await contentOf(join(out, 'checkpoints'));
    for (const [path, hash] of Object.entries(good)) assert.equal(left[path], hash, `${path} was overwritten`);
    await loadRun(out);
    const { version } = await sesrecJson<{ version: string }>(...trainTo(out, '--resume'));
    assert.equal(version, undisturbed);
    assert.deepEqual(
      (await readdir(join(out, 'checkpoints'))).filter((name) => name.endsWith('.tmp')),
      [],
    );
  },
);

test(
  'a disk that is full while data are imported: one line, nothing of it is left, what was there stays',
  { skip },
  async () => {
    const out = join(folder, 'data of a full disk');
    await cp(world.data, out, { recursive: true });
    const whole = await contentOf(out);
    for (const blocks of [0, 1, 2]) {
      const refused = await onSmallDisk(blocks, ['import', 'events', world.log, '--out', out, '--overwrite']);
      assert.equal(refused.code, 1, refused.err);
      assert.equal(complaints(refused).length, 1, refused.err);
      assert.doesNotMatch(refused.err, /^ {4}at /m);
    }
    assert.deepEqual(await contentOf(out), whole);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('data of a full disk.')),
      [],
    );
  },
);

test('a folder that may not be written: one line, and everything in it stays as it was', { skip }, async () => {
  const isRoot = process.getuid?.() === 0; // to root every folder may be written
  const asOther = async (args: readonly string[]): Promise<Outcome> =>
    run(process.execPath, [BIN, ...args], isRoot ? { uid: NOBODY, env: { ...process.env, HOME: '/' } } : {});
  const locked = join(folder, 'locked');
  await mkdir(locked);
  await stopped(join(locked, 'run'));
  await run('chmod', ['-R', 'a-w,a+rX', locked]);
  const whole = await contentOf(locked);
  try {
    for (const args of [
      ['import', 'events', world.log, '--out', join(locked, 'data')],
      trainTo(join(locked, 'new')),
      trainTo(join(locked, 'run'), '--resume'),
      trainTo(join(locked, 'run'), '--overwrite'),
    ]) {
      const refused = await asOther(args);
      assertRefusal({ ...refused, err: `${complaints(refused).join('\n')}\n` }, 1, /EACCES|permission/);
      assert.doesNotMatch(refused.err, /^ {4}at /m);
    }
    const { code, err } = await asOther(['recommend', join(locked, 'run'), '--user', 'u1']);
    assert.equal(code, 0, err);
  } finally {
    await run('chmod', ['-R', 'u+w', locked]);
  }
  assert.deepEqual(await contentOf(locked), whole);
});

test('a clock that jumps back and forth changes no weight', async () => {
  const jumping = `
    let calls = 0;
    const now = Date.now;
    Date.now = () => now() + ((calls++ * 7919) % 13 - 6) * 30 * 86_400_000;
    const Real = Date;
    globalThis.Date = class extends Real { constructor(...args) { super(...(args.length === 0 ? [Real.now()] : args)); } };`;
  const out = join(folder, 'jumping');
  await stopped(out, jumping);
  const resumed = await run(process.execPath, [BIN, ...trainTo(out, '--resume', '--json')], {
    env: beginningWith(jumping),
  });
  assert.equal(resumed.code, 0, resumed.err);
  assert.equal((JSON.parse(resumed.out) as { version: string }).version, undisturbed);
  assert.equal((await sesrec('evaluate', out)).code, 0);
});
