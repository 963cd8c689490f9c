/**
 * `npm run bench -- NAME [OPTION…]`: runs one bench in a process of its own. Knows the names; does not know what they do.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BENCHES: Readonly<Record<string, string>> = {
  step: 'one training step at the Amazon and Kuaishou shapes; --peer PYTHON: against PyTorch in the same run',
  epoch: 'one epoch on a data directory, validation included',
  evaluate: 'sampled and full evaluation of a trained run',
  memory: 'peak memory of training steps at the Kuaishou shape',
  import: 'a log of the Kuaishou size, from Parquet and from gzipped JSON lines to training-ready',
  catalogue: 'one training step over ever more items',
  'serve-runs': 'the runs that serve measures: a log of so many items, and SESRec trained on it',
  scale: 'what a large site needs, and what more workers would do: calculated from constants that were measured',
  pressure:
    'a server with more to do than it can, beside a training, while models change, for an hour: latencies, goodput, memory',
  serve: 'a server under load from a second process: latencies, durability, recall',
};

const [name, ...rest] = process.argv.slice(2);
if (name === undefined || name === '--help' || name === '-h') {
  process.stdout.write('npm run bench -- NAME [OPTION…]\n\n');
  for (const [bench, line] of Object.entries(BENCHES)) process.stdout.write(`  ${bench.padEnd(11)}${line}\n`);
} else if (Object.hasOwn(BENCHES, name)) {
  const file = fileURLToPath(new URL(`${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...rest], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal));
  child.on('close', (code) => {
    process.exitCode = code ?? 1;
  });
} else {
  process.stderr.write(`bench: there is no bench ${name}; there are ${Object.keys(BENCHES).join(', ')}\n`);
  process.exitCode = 2;
}
