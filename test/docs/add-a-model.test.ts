/** docs/add-a-model.md does what it says: its file and its line are put into a copy of the project, and its commands are run there. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { tinyWorld } from '../support/command-line.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

let folder: string;
let page: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-add-a-model-'));
  page = await readFile(join(ROOT, 'docs', 'add-a-model.md'), 'utf8');
});
after(async () => rm(folder, { recursive: true, force: true }));

/** Runs a program in the copy; it must succeed. */
async function run(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder }).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${args.join(' ')}: ${stdout}${stderr}`, { cause: error });
  });
  return stdout;
}

/** The only block of the page in a language. */
function block(language: string): string {
  const [only, ...others] = Array.from(
    page.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms')),
    (found) => found[1] as string,
  );
  assert.ok(only !== undefined && others.length === 0, `one block of ${language}`);
  return only;
}

/** Takes the lines that the page adds to the registry. */
async function register(): Promise<void> {
  const path = join(folder, 'src', 'model', 'models', 'registry.ts');
  const [imported, listed] = Array.from(block('diff').matchAll(/^\+(.*)$/gm), (line) => line[1] as string);
  const begin = 'export const models = {';
  const before = await readFile(path, 'utf8');
  assert.ok(before.includes(begin) && listed?.startsWith(begin) === true && listed.endsWith(' …'));
  const after = before.replace('\nimport ', `\n${imported}\nimport `).replace(begin, listed.slice(0, -2));
  await writeFile(path, after);
}

test('the file and the line of the page compile, and its commands train and compare the model', async () => {
  for (const name of ['src', 'bin', 'package.json', 'tsconfig.json'])
    await cp(join(ROOT, name), join(folder, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const [, file] = /^`(src\/model\/models\/[\w-]+\.ts)`, a model/m.exec(page) as unknown as [string, string];
  await writeFile(join(folder, file), block('ts'));
  await register();
  await run(join('node_modules', '.bin', 'tsc'), '--build');

  const world = await tinyWorld(await mkdtemp(join(folder, 'world-')), 0);
  await mkdir(join(folder, 'data'));
  await symlink(world.data, join(folder, 'data', 'beauty'));
  const commands = Array.from(page.matchAll(/^npx sesrec (.*?)(?: +#.*)?$/gm), (found) =>
    (found[1] as string).split(/\s+/),
  );
  assert.deepEqual(
    commands.map(([name]) => name),
    ['models', 'train', 'train', 'evaluate', 'compare'],
  );
  const quick: Readonly<Record<string, readonly string[]>> = {
    train: ['--epochs', '1', '--batch-size', '64', '--threads', '1'],
    compare: '--trials 0 --seeds 1 --epochs 1 --batch-size 64 --threads 1 --json'.split(' '),
  };
  const said: string[] = [];
  for (const command of commands)
    said.push(await run(join('bin', 'sesrec.js'), ...command, ...(quick[command[0] as string] ?? [])));
  const [card, trained, , evaluated, compared] = said as [string, string, string, string, string];
  assert.match(card, /^gated-mean: Gated mean, sequential$/m);
  assert.match(trained, /^runs\/gated-mean: best epoch 1 of 1/m);
  assert.match(evaluated, /^gated-mean default +0\./m);
  const { rows } = JSON.parse(compared) as { rows: { label: string; test: unknown }[] };
  assert.ok(rows.every((row) => row.test !== null));
  assert.deepEqual(rows.map(({ label }) => label).toSorted(), ['gated-mean', 'halfway', 'popularity', 'sasrec']);
});
