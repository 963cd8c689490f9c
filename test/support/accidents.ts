/** Packages whose program fails before it does what it should, for tasks of Spark. Knows processes of Linux; not what tasks do. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A package in `folder` whose program does `wrong` first. */
export async function packageThat(folder: string, wrong: string): Promise<string> {
  await mkdir(join(folder, 'bin'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(
    join(folder, 'bin', 'sesrec.js'),
    `import { mkdirSync, readFileSync, writeSync } from 'node:fs';
const folder = ${JSON.stringify(folder)};
${wrong}
const { main } = await import(${JSON.stringify(fileURLToPath(new URL('../../src/cli/main.js', import.meta.url)))});
process.exitCode = await main(process.argv.slice(2));
`,
  );
  return folder;
}

/**
 * A package whose program, called with `command`, has two accidents, whichever task comes first: once its process is killed after
 * it wrote `half` an answer, once the executor that it works for. Afterwards there is a directory `process` and one `executor` in it.
 */
export async function accidentsOf(folder: string, command: string, half: string): Promise<string> {
  return packageThat(
    folder,
    `const first = (name) => { try { mkdirSync(folder + '/' + name); return true; } catch { return false; } };
const kill = (pid) => { process.kill(pid, 'SIGKILL'); process.exit(1); };
if (process.argv[2] === ${JSON.stringify(command)}) {
  if (first('process')) { writeSync(1, ${JSON.stringify(half)}); kill(process.pid); }
  if (first('executor')) {
    writeSync(1, ${JSON.stringify(half)});
    let pid = process.ppid;
    const told = (what) => readFileSync('/proc/' + pid + '/' + what, 'utf8');
    while (!told('cmdline').includes('CoarseGrainedExecutorBackend')) pid = Number(/^PPid:\\s+(\\d+)/m.exec(told('status'))[1]);
    kill(pid);
  }
}`,
  );
}

/** Removes the log that a failure of Spark names. */
export async function removeLog(err: string): Promise<void> {
  const log = /its log is (\S+)/.exec(err)?.[1];
  if (log !== undefined) await rm(dirname(log), { recursive: true });
}
