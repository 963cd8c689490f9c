// How good the tests of metrics, sampling, splits and the optimiser are: Stryker changes the compiled code in one place after another, and
// a change that no test notices is a survivor. Knows what is changed and which tests are asked, nothing of what they test. Stryker is
// fetched by npx: who only builds and tests the project does not install it.
// Usage: node scripts/mutate.js [WORD…]   only files whose path contains one of the words
// A survivor stands in docs/test-quality.md with the reason why it may live, or a test is missing.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSION = '9.6.1';

/** What is changed, and the tests that answer for it. */
const SUBJECTS = [
  { code: 'base/random', tests: ['base/random'] },
  { code: 'evaluate/metrics', tests: ['evaluate/metrics'] },
  { code: 'evaluate/candidates', tests: ['evaluate/candidates', 'evaluate/evaluate'] },
  { code: 'features/negatives', tests: ['features/negatives'] },
  { code: 'data/split', tests: ['data/partition', 'data/split'] },
  { code: 'train/optimizer', tests: ['train/optimizer'] },
];

const words = process.argv.slice(2);
const subjects = SUBJECTS.filter(({ code }) => words.length === 0 || words.some((word) => code.includes(word)));
if (subjects.length === 0) {
  process.stderr.write(`Nothing matches. There are ${SUBJECTS.map(({ code }) => code).join(', ')}.\n`);
  process.exit(1);
}
const folder = mkdtempSync(join(tmpdir(), 'sesrec-mutations-'));
const survivors = [];
for (const { code, tests } of subjects) {
  const report = join(folder, `${code.replace('/', '-')}.json`);
  const configuration = join(folder, `${code.replace('/', '-')}.config.json`);
  writeFileSync(
    configuration,
    JSON.stringify({
      testRunner: 'tap',
      plugins: ['@stryker-mutator/tap-runner'],
      tap: { testFiles: tests.map((test) => `dist/test/${test}.test.js`) },
      mutate: [`dist/src/${code}.js`],
      // Only what the tests need is copied, and node_modules is linked.
      ignorePatterns: ['/*', '!/dist', '!/test', '!/package.json', '*.map', '*.d.ts', '/dist/page'],
      coverageAnalysis: 'perTest',
      concurrency: 2,
      reporters: ['json', 'progress-append-only'],
      jsonReporter: { fileName: report },
      tempDirName: join(folder, 'sandbox'),
      allowConsoleColors: false,
    }),
  );
  const { status } = spawnSync(
    'npx',
    [
      '--yes',
      '-p',
      `@stryker-mutator/core@${VERSION}`,
      '-p',
      `@stryker-mutator/tap-runner@${VERSION}`,
      'stryker',
      'run',
      configuration,
    ],
    { stdio: 'inherit' },
  );
  if (status !== 0) process.exit(status ?? 1);
  const { files } = JSON.parse(readFileSync(report, 'utf8'));
  for (const [file, { mutants, source }] of Object.entries(files)) {
    const count = (...states) => mutants.filter(({ status: state }) => states.includes(state)).length;
    process.stdout.write(
      `${file}: ${mutants.length} changes, ${count('Killed', 'Timeout')} noticed, ${count('Survived')} not, ${count('NoCoverage')} where no test comes\n`,
    );
    const lines = source.split('\n');
    for (const { mutatorName, location, replacement, status: state } of mutants)
      if (state === 'Survived' || state === 'NoCoverage')
        survivors.push(
          `${file}:${location.start.line}  ${state}  ${mutatorName}  ${lines[location.start.line - 1].trim()}  ->  ${replacement?.replaceAll('\n', ' ')}`,
        );
  }
}
process.stdout.write(`\n${survivors.length} survivors\n${survivors.join('\n')}\n`);
