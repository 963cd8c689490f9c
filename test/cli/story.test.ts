import assert from 'node:assert/strict';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import {
  evaluate,
  loadDataset,
  loadRun,
  loadOrDrawCandidates,
  Runtime,
  SesrecRanker,
  UserError,
  type SesrecConfig,
} from '../../src/index.js';
import { QUICK, type TinyWorld, inProcess, sesrec, sesrecJson, tinyWorld } from '../support/command-line.js';

const METRICS = ['hit@1', 'hit@5', 'hit@10', 'ndcg@5', 'ndcg@10', 'mrr'];
const FIXTURE = 'test/fixtures/golden/tiny-id-only';

interface Metrics {
  readonly metrics: Readonly<Record<string, number>>;
}
interface EvaluateDocument extends Metrics {
  readonly users: number;
  readonly protocol: {
    readonly name: string;
    readonly on: string;
    readonly count: number;
    readonly hash: string | null;
    readonly seenItemsRemoved: boolean;
  };
  readonly chance: Readonly<Record<string, number>>;
  readonly popularity: Metrics;
  readonly random: Metrics;
  readonly run: { readonly version: string; readonly seed: number };
  readonly look?: number;
}
interface RecommendDocument {
  readonly user: string;
  readonly items: readonly {
    readonly rank: number;
    readonly item: string;
    readonly score: number;
    readonly because?: readonly {
      readonly type: string;
      readonly query?: string;
      readonly items: readonly string[];
      readonly weight: number;
      readonly rankWithout: number;
      readonly rankWithoutAll: number;
      readonly side: string | null;
    }[];
  }[];
}

let folder: string;
let world: TinyWorld;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-story-'));
  world = await tinyWorld(folder, 2);
});
after(async () => rm(folder, { recursive: true, force: true }));

test('evaluate gives every metric under both protocols, beside popularity, random and chance', async () => {
  const both = await sesrecJson<{ protocols: { sampled: EvaluateDocument; full: EvaluateDocument } }>(
    'evaluate',
    world.run,
    '--on',
    'test',
    '--protocol',
    'both',
  );
  const documents = {
    sampled: await sesrecJson<EvaluateDocument>('evaluate', world.run, '--on', 'test'),
    full: await sesrecJson<EvaluateDocument>('evaluate', world.run, '--on', 'test', '--protocol', 'full'),
  };
  assert.deepEqual(
    Object.values(both.protocols).map(({ metrics, protocol }) => ({ metrics, protocol })),
    Object.values(documents).map(({ metrics, protocol }) => ({ metrics, protocol })),
    'both at once are the same as one after the other',
  );
  for (const [name, document] of Object.entries(documents)) {
    assert.equal(document.protocol.name, name);
    assert.equal(document.protocol.on, 'test');
    assert.equal(document.users, 24);
    for (const metrics of [document.metrics, document.chance, document.popularity.metrics, document.random.metrics]) {
      assert.deepEqual(Object.keys(metrics).sort(), METRICS.toSorted());
      for (const value of Object.values(metrics)) assert.ok(value >= 0 && value <= 1, `${value}`);
    }
  }
  assert.equal(documents.sampled.protocol.count, 99);
  assert.ok(Math.abs((documents.sampled.chance['hit@10'] as number) - 0.1) < 1e-12);
  assert.equal(documents.full.protocol.hash, null);
  assert.ok(documents.full.protocol.seenItemsRemoved);
  assert.equal(documents.full.run.version, documents.sampled.run.version);
});

test('a small catalogue is trained and evaluated with fewer candidates', async () => {
  const run = join(folder, 'few-candidates');
  const flags = ['--epochs', '1', '--candidate-count', '7', ...QUICK];
  const { code, err } = await sesrec('train', world.data, '--out', run, ...flags);
  assert.equal(code, 0, err);
  const { protocol, chance } = await sesrecJson<EvaluateDocument>(
    'evaluate',
    run,
    '--on',
    'test',
    '--candidate-count',
    '7',
  );
  assert.equal(protocol.count, 7);
  assert.ok(Math.abs((chance['hit@1'] as number) - 1 / 8) < 1e-12);
  const resumed = await sesrec('train', world.data, '--out', run, '--resume', '--candidate-count', '8');
  assert.equal(resumed.code, 1);
  assert.match(resumed.err, /was begun with 7 candidates, not 8/);
});

test('evaluate repeats itself, for a sample of users and on the validation events, too', async () => {
  const [one, other] = [
    await sesrecJson<EvaluateDocument>('evaluate', world.run, '--on', 'test', '--users', '5', '--again'),
    await sesrecJson<EvaluateDocument>('evaluate', world.run, '--on', 'test', '--users', '5'),
  ];
  assert.equal(one.users, 5);
  assert.deepEqual(one.metrics, other.metrics);
  const unsaid = await sesrecJson<EvaluateDocument>('evaluate', world.run);
  const said = await sesrecJson<EvaluateDocument>('evaluate', world.run, '--on', 'validation');
  assert.equal(said.protocol.on, 'validation');
  assert.deepEqual([unsaid.metrics, unsaid.protocol], [said.metrics, said.protocol], 'validation unless told');
});

test('recommend --explain names k items in order, none of them met before, and the searches and feed events behind each', async () => {
  const { user, items } = await sesrecJson<RecommendDocument>(
    'recommend',
    world.run,
    '--user',
    'u5',
    '--k',
    '7',
    '--explain',
  );
  assert.equal(user, 'u5');
  assert.deepEqual(
    items.map(({ rank }) => rank),
    [1, 2, 3, 4, 5, 6, 7],
  );
  assert.equal(new Set(items.map(({ item }) => item)).size, 7);
  const dataset = await loadDataset(world.data);
  const index = dataset.users.index('u5');
  const met = dataset.feedItem.subarray(dataset.feedOffsets[index], dataset.feedOffsets[index + 1]);
  items.forEach(({ item, score, because = [] }, position) => {
    assert.ok(position === 0 || score <= (items[position - 1]?.score as number));
    assert.ok(!met.includes(dataset.items.index(item)));
    assert.ok(because.length <= 3);
    assert.ok(because.every(({ weight }) => Number.isFinite(weight)));
    assert.ok((because.at(-1)?.rankWithoutAll ?? Infinity) > position);
    for (const reason of because) {
      assert.ok(reason.rankWithout >= 1 && reason.rankWithoutAll >= 1);
      assert.ok(['similar', 'dissimilar'].includes(reason.side as string));
      assert.equal(typeof reason.query, reason.type === 'search' ? 'string' : 'undefined');
    }
  });
  const types = items.flatMap(({ because = [] }) => because.map(({ type }) => type));
  assert.deepEqual([...new Set(types)].sort(), ['feed', 'search']);
});

test('a user who never searched gets feed reasons, on no side', async () => {
  const { items } = await sesrecJson<RecommendDocument>(
    'recommend',
    world.run,
    '--user',
    'u3',
    '--k',
    '2',
    '--explain',
  );
  const reasons = items.flatMap(({ because = [] }) => because);
  assert.ok(reasons.length > 0);
  for (const { type, side } of reasons) assert.deepEqual([type, side], ['feed', null]);
});

test('more items than there are: what is left, and a remark', async () => {
  const { code, out, err } = await sesrec('recommend', world.run, '--user', 'u5', '--k', '5000', '--json');
  const { items } = JSON.parse(out) as RecommendDocument;
  assert.equal(code, 0);
  assert.ok(items.length > 90 && items.length < 120);
  assert.match(err, /^only \d+ items are left .*--include-seen.*\n$/);
  const all = await sesrec('recommend', world.run, '--user', 'u5', '--k', '5000', '--include-seen', '--json');
  assert.equal((JSON.parse(all.out) as RecommendDocument).items.length, 120);
  assert.doesNotMatch(all.err, /include-seen/);
});

test('a run that was moved, its data gone, evaluates and recommends the same', async () => {
  const elsewhere = await mkdtemp(join(tmpdir(), 'sesrec-moved-'));
  try {
    const own = await tinyWorld(join(elsewhere), 1);
    const before = await sesrecJson<EvaluateDocument>('evaluate', own.run, '--on', 'test');
    const moved = join(elsewhere, 'another name');
    await rename(own.run, moved);
    await rm(own.data, { recursive: true });
    await rm(own.log);
    const now = await sesrecJson<EvaluateDocument>('evaluate', moved, '--on', 'test');
    assert.deepEqual([now.metrics, now.run, now.protocol], [before.metrics, before.run, before.protocol]);
    assert.deepEqual([before.look, now.look], [1, 1], 'the same look, wherever the run lies');
    assert.equal((await sesrecJson<RecommendDocument>('recommend', moved, '--user', 'u1')).items.length, 10);
    const resumed = await sesrecJson<{ version: string }>('train', own.data, '--out', moved, '--resume');
    assert.equal(resumed.version, before.run.version, 'a finished run has nothing left to do');
  } finally {
    await rm(elsewhere, { recursive: true });
  }
});

test('interactions with constructed searches train and explain', async () => {
  const [log, items, data, run] = ['log.csv', 'items.tsv', 'shop', 'shop run'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  const rows = Array.from({ length: 12 }, (_, user) =>
    Array.from({ length: 6 }, (_, step) => `u${user},i${(user * 7 + step * 5) % 130},${1000 + step}`),
  );
  await writeFile(log, ['user_id,item_id,timestamp', ...rows.flat(), ''].join('\n'));
  await writeFile(
    items,
    [
      'item_id\tquery\tkind',
      ...Array.from({ length: 130 }, (_, item) => `i${item}\tgood thing ${item % 9}\tkind${item % 4}`),
      '',
    ].join('\n'),
  );
  const imported = await sesrecJson<{ manifest: { itemAttributes: string[] } }>(
    'import',
    'interactions',
    log,
    '--items',
    items,
    '--construct-searches',
    'query',
    '--out',
    data,
  );
  assert.deepEqual(imported.manifest.itemAttributes, ['query', 'kind']);
  const trained = await sesrec(
    'train',
    data,
    '--out',
    run,
    '--epochs',
    '1',
    '--item-attributes',
    'kind',
    '--preset',
    'paper',
    ...QUICK,
  );
  assert.equal(trained.code, 0, trained.err);
  const { items: best } = await sesrecJson<RecommendDocument>(
    'recommend',
    run,
    '--user',
    'u0',
    '--k',
    '3',
    '--explain',
  );
  assert.equal(best.length, 3);
  const queries = best.flatMap(({ because = [] }) => because.flatMap(({ query }) => query ?? []));
  assert.ok(queries.length > 0);
  for (const query of queries) assert.match(query, /^good thing|not seen in training/);
});

test('--json prints one document and nothing else, without it there is no JSON; progress goes to standard error', async () => {
  const commands: readonly (readonly string[])[] = [
    ['import', 'events', world.log, '--out', join(folder, 'again'), '--overwrite'],
    ['simulate', '--users', '20', '--items', '30', '--out', join(folder, 'a site'), '--overwrite'],
    ['analyse', 'behaviour', join(folder, 'a site')],
    ['audit', world.data],
    ['train', world.data, '--out', join(folder, 'again run'), '--overwrite', '--epochs', '1', ...QUICK],
    ['evaluate', world.run],
    ['recommend', world.run, '--user', 'u1', '--explain'],
    ['reproduce', join(world.run, 'results', 'training.json'), '--weights'],
    ['parity', FIXTURE],
  ];
  for (const command of commands) {
    const json = await inProcess(...command, '--json');
    assert.equal(json.code, 0, json.err);
    assert.equal(typeof JSON.parse(json.out), 'object', command[0]);
    const text = await inProcess(...command);
    assert.equal(text.code, 0, text.err);
    assert.ok(text.out.trim() !== '', `${command[0]} says nothing`);
    for (const stream of [text.out, text.err, json.err]) assert.doesNotMatch(stream, /^[{[]/m, command[0]);
    if (command[0] === 'train') assert.match(json.err, /^epoch 1 .*validation MRR/m);
  }
});

test('every command has --help', async () => {
  const commands = [
    '',
    'import',
    'import interactions',
    'import s3rec',
    'import events',
    'simulate',
    'analyse',
    'analyse behaviour',
    'analyse correction',
    'audit',
    'train',
    'evaluate',
    'recommend',
    'reproduce',
    'parity',
    'demo',
  ];
  for (const command of commands) {
    const { code, out, err } = await inProcess(...command.split(' ').filter(Boolean), '--help');
    assert.deepEqual([code, err], [0, ''], command);
    assert.match(out, new RegExp(`^Usage: sesrec ${command}`));
  }
  const top = await inProcess('--help');
  for (const command of commands) assert.ok(top.out.includes(command.split(' ')[0] as string));
  assert.match((await inProcess('--version')).out, /^\d+\.\d+\.\d+\n$/);
});

test('a failed command does not spoil the next one in the same process', async () => {
  const codes = [];
  for (const command of [
    ['parity', join(folder, 'nothing')],
    ['--version'],
    ['nonsense'],
    ['parity', FIXTURE],
    ['evaluate', world.run],
  ])
    codes.push((await inProcess(...command)).code);
  assert.deepEqual(codes, [1, 0, 2, 0, 0]);
});

test('as a library: a run is loaded, evaluated and asked without the command line', async () => {
  const run = await loadRun(world.run);
  const runtime = new Runtime({ threads: 1 });
  try {
    const ranker = new SesrecRanker(run.manifest.config as SesrecConfig, run.parameters, run.dataset, runtime);
    const candidates = await loadOrDrawCandidates(join(world.run, 'data'), run.dataset, { seed: 1 });
    const { metrics } = await evaluate(ranker, run.dataset, { on: 'test', protocol: 'sampled', candidates });
    assert.deepEqual(metrics, (await sesrecJson<EvaluateDocument>('evaluate', world.run, '--on', 'test')).metrics);
  } finally {
    await runtime.dispose();
  }
  await assert.rejects(
    loadRun(world.data),
    (error) => error instanceof UserError && /is not a run/.test(error.message),
  );
});
