// Writes a data directory and a run of the formats of today into test/fixtures/formats, where they are not yet, with the
// metrics that the run has on test. Knows the planted log and the flags that every fixture is made with; what was
// written once is never changed. Usage, once per new format: npm run build && node scripts/format-fixtures.js
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DATA_FORMAT_VERSION } from '../dist/src/data/index.js';
import { RUN_FORMAT_VERSION } from '../dist/src/model/index.js';
import { writePlantedLog } from '../dist/test/support/planted.js';

const SETTINGS = [
  'alignmentNegatives=4',
  'window={"feed":3,"search":3,"words":4}',
  'hidden=[4,1]',
  'width=4',
  'heads=1',
  'itemIdWidth=4',
  'queryIdWidth=2',
  'wordWidth=2',
  'userIdWidth=2',
];
const folder = mkdtempSync(join(tmpdir(), 'sesrec-fixtures-'));
const at = (name) => join(folder, name);
const sesrec = (...args) => {
  const { status, stdout, stderr } = spawnSync('node', ['bin/sesrec.js', ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return stdout;
};

await writePlantedLog({ users: 8, items: 24, categories: 4, eventsPerUser: 5, seed: 11 }, at('log.jsonl'));
sesrec('import', 'events', at('log.jsonl'), '--out', at('data'));
const flags = '--epochs 1 --batch-size 16 --threads 1 --candidate-count 7 --item-attributes category'.split(' ');
const settings = SETTINGS.flatMap((setting) => ['--set', setting]);
sesrec('train', at('data'), '--out', at('run'), ...flags, ...settings);
cpSync(at('run'), at('copy'), { recursive: true }); // the run itself keeps its test sealed
const evaluation = sesrec('evaluate', at('copy'), '--on', 'test', '--candidate-count', '7', '--json');

const keep = (name, write) => {
  const path = join('test/fixtures/formats', name);
  if (existsSync(path)) process.stdout.write(`${path} is there already\n`);
  else {
    write(path);
    process.stdout.write(`${path} written\n`);
  }
};
keep(`data-${DATA_FORMAT_VERSION}`, (path) => cpSync(at('data'), path, { recursive: true }));
keep(`run-${RUN_FORMAT_VERSION}`, (path) => cpSync(at('run'), path, { recursive: true }));
keep(`run-${RUN_FORMAT_VERSION}.metrics.json`, (path) =>
  writeFileSync(path, `${JSON.stringify(JSON.parse(evaluation).metrics, null, 2)}\n`),
);
rmSync(folder, { recursive: true });
