import assert from 'node:assert/strict';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadDataset } from '../../src/data/index.js';
import { drawCandidates } from '../../src/evaluate/index.js';
import {
  assertRefusal,
  contentOf,
  inProcess,
  QUICK,
  sesrec,
  start,
  tinyWorld,
  type TinyWorld,
} from '../support/command-line.js';

const USAGE = 2;
const INPUT = 1;

let folder: string;
let world: TinyWorld;
const at = (name: string): string => join(folder, name);

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-errors-'));
  world = await tinyWorld(folder, 1);
  await prepare();
});
after(async () => rm(folder, { recursive: true, force: true }));

async function copyOf(source: string, name: string, damage: (directory: string) => Promise<void>): Promise<void> {
  await cp(source, at(name), { recursive: true });
  await damage(at(name));
}

async function flipByte(path: string): Promise<void> {
  const bytes = await readFile(path);
  const middle = Math.floor(bytes.length / 2);
  bytes[middle] = (bytes[middle] as number) ^ 1;
  await writeFile(path, bytes);
}

async function editJson(path: string, edit: (value: Record<string, unknown>) => void): Promise<void> {
  const value = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  edit(value);
  await writeFile(path, JSON.stringify(value));
}

async function tensorsOf(run: string, name: 'best' | 'last'): Promise<string> {
  const files = await readdir(join(run, 'checkpoints'));
  return join(run, 'checkpoints', files.find((file) => file.startsWith(`${name}-`)) as string);
}

/** Everything that is wrong, laid out before the first command runs. */
async function prepare(): Promise<void> {
  const { data, run } = world;
  await mkdir(at('empty'));
  await writeFile(at('a file'), 'text');
  await copyOf(data, 'damaged data', async (copy) => flipByte(join(copy, 'feed.parquet')));
  await copyOf(data, 'cut data', async (copy) => truncate(join(copy, 'items.parquet'), 100));
  await copyOf(data, 'data without users', async (copy) => rm(join(copy, 'users.parquet')));
  await copyOf(data, 'data of 2030', async (copy) =>
    editJson(join(copy, 'manifest.json'), (manifest) => (manifest['version'] = 9)),
  );
  await copyOf(run, 'no model', async (copy) => rm(join(copy, 'checkpoints', 'best.json')));
  await copyOf(run, 'damaged best', async (copy) => flipByte(await tensorsOf(copy, 'best')));
  await copyOf(run, 'cut best', async (copy) => truncate(await tensorsOf(copy, 'best'), 1000));
  await copyOf(run, 'lost best', async (copy) => rm(await tensorsOf(copy, 'best')));
  await copyOf(run, 'lost last', async (copy) => rm(await tensorsOf(copy, 'last')));
  await copyOf(run, 'damaged last', async (copy) => flipByte(await tensorsOf(copy, 'last')));
  await copyOf(run, 'run of 2030', async (copy) =>
    editJson(join(copy, 'run.json'), (manifest) => (manifest['version'] = 9)),
  );
  await copyOf(run, 'best of 2030', async (copy) =>
    editJson(join(copy, 'checkpoints', 'best.json'), (manifest) => (manifest['version'] = 9)),
  );
  await copyOf(run, 'cut run.json', async (copy) => truncate(join(copy, 'run.json'), 100));
  await copyOf(run, 'damaged data in run', async (copy) => flipByte(join(copy, 'data', 'searches.parquet')));
  await copyOf(run, 'other seed of data', async (copy) =>
    editJson(join(copy, 'run.json'), (manifest) => (manifest['dataHash'] = '0'.repeat(64))),
  );
  await copyOf(run, 'other width', async (copy) =>
    editJson(join(copy, 'run.json'), (manifest) => ((manifest['config'] as Record<string, unknown>)['width'] = 64)),
  );
  await writeFile(at('other.jsonl'), '{"type":"view","time":1,"user":"u","item":"a"}\n');
  await sesrec('import', 'events', at('other.jsonl'), '--out', at('other data'));

  const dataset = await loadDataset(data);
  const lists = drawCandidates(dataset, { count: 20, seed: 5 });
  const lines = Array.from({ length: 24 }, (_, row) => [
    dataset.users.ids[lists.rowOf.indexOf(row)] as string,
    ...Array.from(lists.items.subarray(20 * row, 20 * row + 20), (item) => dataset.items.ids[item] as string),
  ]);
  const put = async (name: string, edited: readonly (readonly string[])[]): Promise<void> =>
    writeFile(at(name), edited.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const [first, ...others] = lines as [string[], ...string[][]];
  await put('good lists', lines);
  await put('lists of nobody', [['nobody', ...first.slice(1)], ...others]);
  await put('lists of nothing', [[...first.slice(0, -1), 'nothing'], ...others]);
  await put('too few lists', others);
  await put('short list', [...others, first.slice(0, 10)]);
}

const train = (...more: readonly string[]): string[] => [
  'train',
  'data',
  '--out',
  'new',
  '--epochs',
  '1',
  ...QUICK,
  ...more,
];
const set = (setting: string): string[] => train('--set', setting);
const evaluate = (run: string, ...more: readonly string[]): string[] => ['evaluate', run, ...more];
const recommend = (run: string, ...more: readonly string[]): string[] => ['recommend', run, ...more];
const resume = (run: string, ...more: readonly string[]): string[] => [
  'train',
  'data',
  '--out',
  run,
  '--resume',
  ...more,
];

const refusals: readonly (readonly [args: readonly string[], code: number, message: RegExp])[] = [
  // how a command is called
  [['recomend'], USAGE, /unknown command 'recomend'/],
  [['models', '--data', '--json', '--data', 'x'], USAGE, /option '--data <directory>' needs a value, and --json/],
  [['simulate', '--out', '--json'], USAGE, /option '--out <directory>' needs a value, and --json is another option/],
  [['import', 'csv'], USAGE, /unknown command 'csv'/],
  [evaluate('run', '--fast'), USAGE, /unknown option '--fast'/],
  [['evaluate'], USAGE, /missing required argument 'run'/],
  [evaluate('run', 'run'), USAGE, /too many arguments/],
  [['train', 'data'], USAGE, /'--out <run>' not specified/],
  [recommend('run', '--user'), USAGE, /argument missing/],
  [recommend('run', '--user', 'u1', '--k', '0'), USAGE, /'0' is invalid.*whole number from 1/],
  [recommend('run', '--user', 'u1', '--k', 'ten'), USAGE, /'ten' is invalid/],
  [recommend('run', '--user', 'u1', '--k', '1.5'), USAGE, /'1.5' is invalid/],
  [evaluate('run', '--threads', '1000000'), USAGE, /whole number from 1 to 1024/],
  [evaluate('run', '--protocol', 'fair'), USAGE, /Allowed choices are sampled, full, both/],
  [evaluate('run', '--on', 'train'), USAGE, /Allowed choices are validation, test/],
  [
    evaluate('run', '--protocol', 'full', '--candidates', 'good lists'),
    USAGE,
    /--candidates belongs to --protocol sampled/,
  ],
  [train('--preset', 'best'), USAGE, /--preset best: sesrec has official, paper/],
  [train('--optimizer', 'sgd'), USAGE, /Allowed choices are adam, adamCatchUp, lazyAdam/],
  [train('--shape', 'netflix'), USAGE, /Allowed choices are amazon, kuaishou/],
  [train('--seed', '-1'), USAGE, /'-1' is invalid/],
  [train('--learning-rate', 'fast'), USAGE, /'fast' is invalid/],
  [train('--epochs', ''), USAGE, /'' is invalid/],
  [train('--batch-size', 'Infinity'), USAGE, /'Infinity' is invalid/],

  // data directories
  [['train', 'nowhere', '--out', 'new'], INPUT, /nowhere is not a data directory/],
  [['train', 'empty', '--out', 'new'], INPUT, /empty is not a data directory/],
  [['train', 'run', '--out', 'new'], INPUT, /run is not a data directory/],
  [['train', 'a file', '--out', 'new'], INPUT, /a file is not a data directory/],
  [['train', 'damaged data', '--out', 'new'], INPUT, /feed\.parquet is damaged.*import the data again/],
  [['train', 'cut data', '--out', 'new'], INPUT, /items\.parquet is damaged/],
  [['train', 'data without users', '--out', 'new'], INPUT, /cannot read .*users\.parquet/],
  [['train', 'data of 2030', '--out', 'new'], INPUT, /format version 9, this program reads 1/],

  // runs
  [evaluate('nowhere'), INPUT, /nowhere is not a run: it has no run\.json/],
  [evaluate('data'), INPUT, /data is not a run/],
  [evaluate('a file'), INPUT, /a file is not a run/],
  [recommend('empty', '--user', 'u1'), INPUT, /empty is not a run/],
  [evaluate('no model'), INPUT, /no trained model yet.*--resume/],
  [evaluate('damaged best'), INPUT, /best-\w+\.safetensors is damaged/],
  [recommend('damaged best', '--user', 'u1'), INPUT, /best-\w+\.safetensors is damaged/],
  [evaluate('cut best'), INPUT, /best-\w+\.safetensors is damaged/],
  [evaluate('lost best'), INPUT, /names a file that cannot be read/],
  [evaluate('run of 2030'), INPUT, /run\.json has format version 9/],
  [evaluate('best of 2030'), INPUT, /best\.json has format version 9/],
  [evaluate('cut run.json'), INPUT, /run\.json is not valid JSON/],
  [evaluate('damaged data in run'), INPUT, /searches\.parquet is damaged/],
  [evaluate('other seed of data'), INPUT, /is not the data set that .* was trained on/],
  [evaluate('other width'), INPUT, /run\.json was changed/],
  [recommend('run', '--user', 'nobody'), INPUT, /user "nobody" is not in the log/],
  [recommend('run', '--user', ''), INPUT, /user "" is not in the log/],

  // what a model may be
  [set('unknown=1'), INPUT, /--set unknown: there is no such setting; there are .*alpha/],
  [set('__proto__=1'), INPUT, /--set __proto__: there is no such setting/],
  [set('alpha'), INPUT, /--set alpha: write it as name=value/],
  [set('=1'), INPUT, /write it as name=value/],
  [set('alpha=text'), INPUT, /alpha must be a number from 0, not "text"/],
  [set('useSearch=1'), INPUT, /useSearch must be true or false, not 1/],
  [set('heads=5'), INPUT, /a width of 32 cannot be split into 5 heads/],
  [set('heads=0'), INPUT, /heads must be a whole number/],
  [set('width=1e9'), INPUT, /width must be a whole number from 1 to 4096/],
  [set('hidden=[]'), INPUT, /the last layer of hidden must have 1 unit/],
  [set('hidden=[0,1]'), INPUT, /hidden\[0\] must be/],
  [set('window=5'), INPUT, /window must be an object/],
  [set('window=null'), INPUT, /window must be an object/],
  [set('window={"feed":0}'), INPUT, /window\.feed must be a whole number from 1/],
  [set('window={"fed":3}'), INPUT, /there is no window\.fed/],
  [set('dropout=1'), INPUT, /dropout must be/],
  [set('temperature=0'), INPUT, /temperature must be/],
  [set('negativeSampling=none'), INPUT, /negativeSampling must be "popular" or "uniform"/],
  [set('threshold=middle'), INPUT, /threshold must be "mean".* or a number/],
  [set('meanCoAttention=true'), INPUT, /meanCoAttention needs maskCoAttention/],
  [set('memoryShare=0.5'), INPUT, /memoryShare is of votes that learn apart: it needs memoryTrained=apart/],
  [
    set('itemVectorsOf=ids'),
    INPUT,
    /itemVectorsOf ids .* needs trainOn=everyPlace, memoryWidth above 0 and memoryKeys=own/,
  ],
  [
    train('--item-attributes', 'color'),
    INPUT,
    /--item-attributes color: the data set has no such attribute; it has category, title/,
  ],
  [train('--user-attributes', 'age'), INPUT, /the data set has no such attribute; it has none/],
  [train('--device', 'nonsense'), INPUT, /cannot use --device nonsense/],
  [recommend('run', '--user', 'u1', '--device', 'nonsense'), INPUT, /cannot use --device nonsense/],

  // candidates
  [evaluate('run', '--candidates', 'nowhere'), INPUT, /cannot read the candidates file nowhere/],
  [evaluate('run', '--candidates', 'empty'), INPUT, /cannot read the candidates file empty/],
  [
    evaluate('run', '--candidates', 'lists of nobody'),
    INPUT,
    /lists of nobody:1: user "nobody" is not in the data set/,
  ],
  [
    evaluate('run', '--candidates', 'lists of nothing'),
    INPUT,
    /lists of nothing:1: item "nothing" is not in the data set/,
  ],
  [evaluate('run', '--candidates', 'too few lists'), INPUT, /no list for user "u\d+"; 1 of 24/],
  [evaluate('run', '--candidates', 'short list'), INPUT, /short list:24: .* has 9 items, those before have 20/],
  [train('--candidates', 'too few lists'), INPUT, /no list for user/],
  [train('--candidates', 'too few lists', '--out', 'run', '--overwrite'), INPUT, /no list for user/],

  // where things go
  [train('--out', 'run'), INPUT, /run already exists: .*--resume.*--overwrite/],
  [train('--out', 'empty', '--overwrite'), INPUT, /empty is not a run/],
  [train('--out', 'data', '--overwrite'), INPUT, /data is not a run/],
  [train('--out', 'a file'), INPUT, /a file already exists/],
  [train('--out', 'a file/new'), INPUT, /not a directory/],
  [train('--out', '/dev/null/new'), INPUT, /not a directory/],
  [['import', 'events', 'log.jsonl', '--out', 'data'], INPUT, /data already exists/],
  [['import', 'events', 'log.jsonl', '--out', 'run', '--overwrite'], INPUT, /run is not a data directory/],
  [['import', 'events', 'log.jsonl', '--out', 'a file/new'], INPUT, /not a directory/],
  [['import', 'events', 'nowhere', '--out', 'new'], INPUT, /nowhere/],
  [['demo', '--out', 'data'], INPUT, /data is not empty and was not made by the demo/],
  [['demo', '--out', 'a file'], INPUT, /a file/],

  // going on
  [resume('nowhere'), INPUT, /nowhere is not a run/],
  [resume('empty'), INPUT, /empty is not a run/],
  [resume('data'), INPUT, /data is not a run/],
  [resume('run', '--seed', '2'), INPUT, /begun with --seed 1, not 2/],
  [resume('run', '--preset', 'paper'), INPUT, /begun with --preset official, not paper/],
  [resume('run', '--learning-rate', '0.1'), INPUT, /begun with --learning-rate 0.001, not 0.1/],
  [resume('run', '--item-attributes', 'category'), INPUT, /begun with --item-attributes/],
  [resume('run', '--no-shuffle'), INPUT, /begun without --no-shuffle/],
  [resume('run', '--set', 'alpha=0.2'), INPUT, /begun with other settings than --set alpha=0.2/],
  [resume('run', '--candidates', 'good lists'), INPUT, /begun with other candidates/],
  [['train', 'other data', '--out', 'run', '--resume'], INPUT, /trained on other data than other data/],
  [resume('damaged last'), INPUT, /last-\w+\.safetensors is damaged/],
  [resume('lost last'), INPUT, /names a file that cannot be read/],
  [resume('run of 2030'), INPUT, /format version 9/],

  // golden vectors
  [['parity', 'nowhere'], INPUT, /nowhere/],
  [['parity', 'empty'], INPUT, /empty/],
];

test('a mistake costs one line that says what and where, the right exit code, and nothing on disk', async (t) => {
  const content = await contentOf(folder);
  const home = process.cwd();
  process.chdir(folder);
  try {
    for (const [args, code, message] of refusals) {
      await t.test(
        `sesrec ${args.filter((word) => !(QUICK as readonly string[]).includes(word)).join(' ')}`,
        async () => assertRefusal(await inProcess(...args), code, message),
      );
    }
  } finally {
    process.chdir(home);
  }
  const now = await contentOf(folder);
  const changed = [...new Set([...Object.keys(content), ...Object.keys(now)])].filter(
    (path) => content[path] !== now[path],
  );
  assert.deepEqual(changed, []);
  assert.deepEqual(
    (await readdir(dirname(folder))).filter((name) => name.startsWith('sesrec-errors-') && name.endsWith('.tmp')),
    [],
  );
});

test('data that cannot be trained on leave no run behind', async () => {
  const { code, err } = await inProcess('train', at('other data'), '--out', at('new'));
  assert.equal(code, 1);
  assert.match(err, /^sesrec: there is nothing to train on.*\n$/m);
  await assert.rejects(readdir(at('new')), /ENOENT/);
});

test('the process itself ends with the code and the line', async () => {
  assertRefusal(await sesrec('evaluate', at('nowhere')), INPUT, /nowhere is not a run/);
  assertRefusal(await sesrec('evaluate', at('damaged best')), INPUT, /is damaged/);
  assertRefusal(await sesrec('recommend', world.run, '--user', 'nobody'), INPUT, /nobody/);
  assertRefusal(await sesrec('evaluat'), USAGE, /unknown command/);
  const nothing = await sesrec();
  assert.equal(nothing.code, USAGE);
  assert.match(nothing.err, /^Usage: sesrec/);
});

test('a full disk is told in one line', async (t) => {
  if (process.platform !== 'linux') return t.skip('needs /dev/full');
  // The log of a run is the one file that is appended to: here it lands on a disk that is always full.
  const run = at('run on a full disk');
  await cp(world.run, run, { recursive: true });
  try {
    for (const file of ['checkpoints/last.json', 'checkpoints/best.json', 'log.jsonl']) await rm(join(run, file));
    await symlink('/dev/full', join(run, 'log.jsonl'));
    const { code, err } = await sesrec('train', world.data, '--out', run, '--resume');
    assert.equal(code, 1, err);
    assert.match(err, /^sesrec: the system refused: ENOSPC/m);
    assert.doesNotMatch(err, /^ {4}at /m);
  } finally {
    await rm(run, { recursive: true });
  }
});

test('a reader that leaves early is no error', async () => {
  const { child, outcome } = start(['recommend', world.run, '--user', 'u1', '--k', '100', '--explain', '--json']);
  child.stdout?.destroy();
  const { code, err } = await outcome;
  assert.deepEqual([code, err], [0, '']);
});
