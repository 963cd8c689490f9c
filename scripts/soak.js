// The campaign of docs/guarantees.md in its full form: the same tests as every day, with the numbers of SESREC_SOAK=1, one file after
// another, and a summary for LOG.md. Knows where they lie, nothing of what they test.
// Usage: node scripts/soak.js [WORD…]   only test files whose path contains one of the words
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';

/** Folders and files of the campaign. */
const CAMPAIGN = [
  'guarantees/',
  'cli/interruption',
  'cli/fuzz',
  'data/directory',
  'data/import-fuzz',
  'data/spark',
  'model/checkpoint',
  'spark/train',
  'serve/shared',
];

const asked = process.argv.slice(2);
const words = asked.length > 0 ? asked : CAMPAIGN;
const files = readdirSync('dist/test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js') && words.some((word) => file.includes(word)))
  .sort();
if (files.length === 0) {
  process.stderr.write('No test file matches. Was the project built (npm run build)?\n');
  process.exit(1);
}
const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).stdout?.trim() || 'unknown';
const results = files.map((file) => {
  const start = performance.now();
  const { status } = spawnSync(process.execPath, ['--test', '--test-reporter=spec', join('dist/test', file)], {
    stdio: 'inherit',
    env: { ...process.env, SESREC_SOAK: '1' },
  });
  return { file, passed: status === 0, seconds: Math.round((performance.now() - start) / 1000) };
});
const failed = results.filter(({ passed }) => !passed);
process.stdout.write(
  `\nsoak ${new Date().toISOString()} at ${commit}, load ${loadavg()[0]?.toFixed(1)}: ${results.length - failed.length} of ${results.length} files passed\n`,
);
for (const { file, passed, seconds } of results)
  process.stdout.write(`${passed ? 'passed' : 'FAILED'}  ${seconds} s  ${file}\n`);
process.stdout.write(`${JSON.stringify({ commit, results })}\n`);
process.exit(failed.length === 0 ? 0 : 1);
