/** What `npm pack` makes is whole: every door of package.json opens, and the command runs, without our folder around it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readFile, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { scratchFolder } from '../data/folders.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

test('every door of the packed package opens', async (t) => {
  const folder = await scratchFolder(t);
  const run = (command: string, args: readonly string[], cwd: string): string => {
    const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  };
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], ROOT);
  const { version, exports, dependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
    exports: Record<string, { types: string; default: string }>;
    dependencies: Record<string, string>;
  };
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  run('tar', ['xzf', join(folder, `sesrec-${version}.tgz`), '-C', modules], folder);
  await rename(join(modules, 'package'), join(modules, 'sesrec'));
  for (const name of Object.keys(dependencies)) {
    await mkdir(join(modules, name, '..'), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), join(modules, name));
  }
  for (const { types } of Object.values(exports)) await readFile(join(modules, 'sesrec', types));
  await readFile(join(modules, 'sesrec/dist/page/index.html'));
  const doors = Object.keys(exports).map((door) => `sesrec${door.slice(1)}`);
  const program = `for (const door of ${JSON.stringify(doors)}) if (Object.keys(await import(door)).length === 0) throw new Error(door);`;
  run(process.execPath, ['--input-type=module', '-e', program], folder);
  assert.equal(run(process.execPath, [join(modules, 'sesrec/bin/sesrec.js'), '--version'], folder).trim(), version);
});
