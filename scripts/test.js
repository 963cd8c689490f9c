// Runs the compiled tests with Node's own test runner. Knows where they lie, nothing of what they test.
// (`node --test` takes glob patterns only from Node 21 on; we support 20.)
// Usage: node scripts/test.js [--coverage] [WORD…]   only test files whose path contains one of the words
// --coverage: tells what no test reached, also in the processes that tests start, by c8 and its settings in .c8rc.json; those that are killed
// tell nothing (docs/test-quality.md).
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const withCoverage = process.argv.includes('--coverage');
const words = process.argv.slice(2).filter((word) => word !== '--coverage');
const files = readdirSync('dist/test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()
  .map((file) => join('dist/test', file));
if (files.length === 0) {
  process.stderr.write('No test file matches. Was the project built (npm run build)?\n');
  process.exit(1);
}
const withoutComments = (code) => code.replaceAll(/\/\*[^]*?\*\/|^\/\/.*$/gm, '');
const reached = resolve('coverage/raw');
if (withCoverage) rmSync(reached, { recursive: true, force: true });
const reporters = ['spec', './scripts/slowest.js'].map((reporter) => `--test-reporter=${reporter}`);
const destinations = ['stdout', 'stderr'].map((where) => `--test-reporter-destination=${where}`);
const options = ['--test', '--test-concurrency=3', ...reporters, ...destinations];
const { status } = spawnSync(process.execPath, [...options, ...files], {
  stdio: 'inherit',
  env: { ...process.env, ...(withCoverage ? { NODE_V8_COVERAGE: reached } : {}) },
});
if (status !== 0 || !withCoverage) process.exit(status ?? 1);
// Files of types alone have nothing to reach.
const ofTypes = readdirSync('dist/src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.js'))
  .map((file) => join('dist/src', file))
  .filter((file) => withoutComments(readFileSync(file, 'utf8')).trim() === 'export {};');
const { exclude } = JSON.parse(readFileSync('.c8rc.json', 'utf8'));
const excluded = [...exclude, ...ofTypes].flatMap((file) => ['--exclude', file]);
const report = spawnSync('npx', ['c8', 'report', '--temp-directory', reached, ...excluded], { stdio: 'inherit' });
process.exit(report.status ?? 1);
