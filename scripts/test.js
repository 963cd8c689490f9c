// Runs the compiled tests with Node's own test runner. Knows where they lie, nothing of what they test.
// (`node --test` takes glob patterns only from Node 21 on; we support 20.)
// Usage: node scripts/test.js [WORD…]   only test files whose path contains one of the words
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const words = process.argv.slice(2);
const files = readdirSync('dist/test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort()
  .map((file) => join('dist/test', file));
if (files.length === 0) {
  process.stderr.write('No test file matches. Was the project built (npm run build)?\n');
  process.exit(1);
}
const { status } = spawnSync(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], {
  stdio: 'inherit',
});
process.exit(status ?? 1);
