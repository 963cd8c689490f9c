/**
 * A server under load that comes whether or not it keeps up, from a second process. Knows what to ask and what to time; judges nothing but
 * whether anything was lost. Usage, on a quiet machine:
 *
 *   npm run bench -- serve RUN [--large RUN] [--seconds 20] [--threads 2] [--rate 150] [--large-rate 100] [--events 2000]
 *                              [--events-at-once 20] [--beside 50] [--candidates 500,2000,5000] [--recall-users 100] [--json]
 *
 * RUN: a trained run, best with 61,934 items; --large: another, with more items. Rows, each with a server and an empty store of
 * its own: exact ranking one request at a time; retrieval of 500 and exact ranking of these; the same of 2,000 on the large
 * run, with recall@10 against exact ranking; events in beside `--beside` recommendations a second, then `kill -9`, a new start and all of them sent
 * again: each must be known; event to effect. Latencies are from the moment that a request was due. The last line is one JSON object.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random, UserError, range } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { type Dataset, FIRST_INDEX } from '../src/data/index.js';
import { openRun } from '../src/model/index.js';
import { conditions, conditionsLine, runBench, sayUnless, wholeOption } from './harness.js';
import type { Stream, StreamResult } from './serve-load.js';
import { type Percentiles, type Server, fsyncTimes, load, percentiles, serve } from './serve-processes.js';

const RECALL_AT = 10;

/** Requests for recommendations: users of the log, every other one just searched for something. */
function requestsOf(dataset: Dataset, count: number, explain = false): string[] {
  const random = new Random('requests');
  const users = dataset.users.ids.slice(FIRST_INDEX);
  const queries = dataset.queries.ids.slice(FIRST_INDEX);
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      user: users[random.integer(users.length)],
      k: 10,
      ...(i % 2 === 1 && queries.length > 0 ? { query: queries[random.integer(queries.length)] } : {}),
      ...(explain ? { explain } : {}),
    }),
  );
}

/** Batches of events that nobody has sent before. */
function eventsOf(dataset: Dataset, batches: number, atOnce: number): string[] {
  const random = new Random('events');
  const [users, items] = [dataset.users.ids.slice(FIRST_INDEX), dataset.items.ids.slice(FIRST_INDEX)];
  const now = Date.now();
  return range(batches).reduce<string[]>((all, batch) => {
    const events = Array.from({ length: atOnce }, (_, i) => ({
      type: 'view',
      id: `bench-${now}-${batch}-${i}`,
      user: users[random.integer(users.length)],
      item: items[random.integer(items.length)],
      time: now,
    }));
    all.push(JSON.stringify(events));
    return all;
  }, []);
}

interface Options {
  readonly seconds: number;
  readonly threads: number;
}

interface Subject {
  readonly run: string;
  readonly dataset: Dataset;
  readonly items: number;
}

async function subjectOf(run: string): Promise<Subject> {
  const { dataset } = await openRun(run);
  return { run, dataset, items: dataset.items.ids.length - FIRST_INDEX };
}

async function withServer<Result>(
  { run }: Subject,
  settings: Readonly<Record<string, number>>,
  work: (server: Server, store: string) => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-bench-'));
  try {
    await using server = await serve(run, join(folder, 'store'), settings);
    return await work(server, join(folder, 'store'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One kind of request for some time. */
async function timed(
  subject: Subject,
  { seconds, threads }: Options,
  { rate, ...settings }: { readonly rate: number; readonly [setting: string]: number },
) {
  return withServer(subject, { threads, ...settings }, async (server) => {
    const stream: Stream = {
      name: 'recommend',
      path: '/v1/recommendations',
      bodies: requestsOf(subject.dataset, 2000),
      rate,
    };
    const found = await load({ url: server.url, seconds, warmUp: seconds / 4, seed: 1, streams: [stream] });
    const { latencies, failed, latestSend } = found.get('recommend') as StreamResult;
    return {
      items: subject.items,
      rate,
      ...percentiles(latencies),
      failed,
      latestSend,
      readyAfter: server.readyAfter,
      megabytes: await server.memory(),
    };
  });
}

/** The share of the exact best ten that retrieval finds, by the number of candidates. */
async function recall(subject: Subject, threads: number, users: number, candidates: readonly number[]) {
  const bodies = requestsOf(subject.dataset, users).map((body) => JSON.parse(body) as object);
  const listsOf = async (settings: Readonly<Record<string, number>>): Promise<string[][]> =>
    withServer(subject, { threads, ...settings, 'answer-timeout': 600_000 }, async ({ client }) => {
      const lists: string[][] = [];
      for (const body of bodies)
        lists.push(
          (await client.recommend({ ...body, k: RECALL_AT, deadline_ms: 60_000 }, { deadline: 60_000 })).items.map(
            ({ item }) => item,
          ),
        );
      return lists;
    });
  const exact = await listsOf({ 'exact-up-to': 2 ** 30 });
  const shares: Record<string, number> = {};
  for (const count of candidates) {
    const found = await listsOf({ 'exact-up-to': 0, candidates: count });
    const hits = exact.map((list, i) => list.filter((item) => found[i]?.includes(item)).length / list.length);
    shares[count] = hits.reduce((a, b) => a + b, 0) / hits.length;
  }
  return shares;
}

/** Events in beside recommendations, a kill, a new start, and all of them again. */
async function events(
  subject: Subject,
  { seconds, threads }: Options,
  { rate, atOnce, beside }: { readonly rate: number; readonly atOnce: number; readonly beside: number },
) {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-bench-'));
  try {
    const fsync = await fsyncTimes(folder);
    const store = join(folder, 'store');
    const bodies = eventsOf(subject.dataset, Math.ceil((1.5 * seconds * rate) / atOnce), atOnce);
    const server = await serve(subject.run, store, { threads, 'exact-up-to': 0, candidates: 500 });
    const streams: Stream[] = [
      { name: 'events', path: '/v1/events', bodies, rate: rate / atOnce },
      { name: 'recommend', path: '/v1/recommendations', bodies: requestsOf(subject.dataset, 2000), rate: beside },
    ];
    const found = await load({ url: server.url, seconds, warmUp: seconds / 4, seed: 1, streams });
    server.process.kill('SIGKILL');
    await once(server.process, 'close');
    const [sent, recommended] = [found.get('events'), found.get('recommend')] as [StreamResult, StreamResult];
    await using again = await serve(subject.run, store, { threads });
    let known = 0;
    for (const body of bodies)
      known += (await again.client.sendEvents(JSON.parse(body) as never, { deadline: 60_000 })).duplicate;
    return {
      rate,
      atOnce,
      beside,
      accepted: sent.accepted,
      knownAfterKill: known,
      lost: Math.max(0, sent.accepted - known),
      failed: sent.failed + recommended.failed,
      fsync,
      ...percentiles(sent.latencies),
      recommend: percentiles(recommended.latencies),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Whether the very next request knows of an event; and how long both take together. */
async function effect(subject: Subject, threads: number) {
  return withServer(subject, { threads }, async ({ client }) => {
    const users = subject.dataset.users.ids.slice(FIRST_INDEX, FIRST_INDEX + 50);
    const query = subject.dataset.queries.ids[FIRST_INDEX] ?? 'something';
    const times: number[] = [];
    let seen = 0;
    for (const [i, user] of users.entries()) {
      const start = performance.now();
      await client.sendEvents([{ type: 'search', id: `effect-${i}`, user, query }]);
      const { timeline } = await client.interests(user);
      times.push(performance.now() - start);
      if (timeline.filter(({ type }) => type === 'search').at(-1)?.query === query) seen++;
    }
    return { asked: users.length, seenByTheNextRequest: seen, ...percentiles(times) };
  });
}

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const line = (what: string, { p50, p95, p99, p999, requests }: Percentiles, beside: string): string[] => [
  what,
  String(requests),
  ...[p50, p95, p99, p999].map(ms),
  beside,
];

await runBench('serve', async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      large: { type: 'string' },
      seconds: { type: 'string', default: '20' },
      threads: { type: 'string', default: '2' },
      rate: { type: 'string', default: '150' },
      'large-rate': { type: 'string', default: '100' },
      events: { type: 'string', default: '2000' },
      'events-at-once': { type: 'string', default: '20' },
      beside: { type: 'string', default: '50' },
      candidates: { type: 'string', default: '500,2000,5000' },
      'recall-users': { type: 'string', default: '100' },
      json: { type: 'boolean', default: false },
    },
  });
  const [run, more] = positionals;
  if (run === undefined || more !== undefined) throw new UserError('name one run: npm run bench -- serve RUN');
  const number = (
    name: 'seconds' | 'threads' | 'rate' | 'large-rate' | 'events' | 'events-at-once' | 'beside' | 'recall-users',
  ): number => wholeOption(name, values[name], 1);
  const candidates = values.candidates.split(',').map((count) => wholeOption('candidates', count, 10));
  const options: Options = { seconds: number('seconds'), threads: number('threads') };
  const say = sayUnless(values.json);
  const state = conditions();
  say(conditionsLine(state));
  const subject = await subjectOf(run);
  say(
    `${run}: ${subject.items} items; ${options.threads} threads, ${options.seconds} s a row, the first quarter not counted`,
  );
  const exact = await timed(subject, options, { rate: 0, 'exact-up-to': 2 ** 30 });
  const retrieval = await timed(subject, options, { rate: number('rate'), 'exact-up-to': 0, candidates: 500 });
  const large = values.large === undefined ? null : await subjectOf(values.large);
  const onLarge =
    large && (await timed(large, options, { rate: number('large-rate'), 'exact-up-to': 0, candidates: 2000 }));
  const recallAt10 = await recall(large ?? subject, options.threads, number('recall-users'), candidates);
  const written = await events(subject, options, {
    rate: number('events'),
    atOnce: number('events-at-once'),
    beside: number('beside'),
  });
  const seen = await effect(subject, options.threads);
  const perHundredThousand = onLarge && (1e5 * (onLarge.megabytes - exact.megabytes)) / (onLarge.items - exact.items);
  say(
    textTable([
      ['what', 'requests', 'p50 ms', 'p95', 'p99', 'p99.9', ''],
      line(`exact, ${subject.items} items, one at a time`, exact, `failed ${exact.failed}`),
      line(`retrieval of 500, ${retrieval.rate}/s`, retrieval, `failed ${retrieval.failed}`),
      ...(onLarge
        ? [line(`${onLarge.items} items, 2,000 candidates, ${onLarge.rate}/s`, onLarge, `failed ${onLarge.failed}`)]
        : []),
      line(
        `events, ${written.rate}/s, ${written.atOnce} at once`,
        written,
        `accepted ${written.accepted}, lost after kill -9: ${written.lost}`,
      ),
      line(`  ${written.beside} recommendations/s beside them`, written.recommend, `failed ${written.failed}`),
      line("  the disk's own fdatasync", written.fsync, ''),
      line('event, then the next request', seen, `${seen.seenByTheNextRequest} of ${seen.asked} saw it`),
    ]),
  );
  say(
    `recall@${RECALL_AT} against exact ranking: ${Object.entries(recallAt10)
      .map(([count, share]) => `${count} candidates ${share.toFixed(3)}`)
      .join(', ')}`,
  );
  say(
    `start to ready ${ms(exact.readyAfter)} ms; resident ${ms(exact.megabytes)} MB${perHundredThousand === null ? '' : `, ${ms(perHundredThousand)} MB more per 100,000 items`}`,
  );
  if (written.lost > 0) process.exitCode = 1;
  return {
    bench: 'serve',
    ...state,
    run,
    options,
    exact,
    retrieval,
    large: onLarge,
    recallAt10,
    events: written,
    effect: seen,
    megabytesPer100000Items: perHundredThousand,
  };
});
