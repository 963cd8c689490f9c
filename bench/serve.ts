/**
 * A server under load that comes whether or not it keeps up, from a second process. Knows what to ask and what to time; judges nothing but
 * whether anything was lost. Usage, on a quiet machine:
 *
 *   npm run bench -- serve RUN [--large RUN] [--start RUN] [--seconds 50] [--threads 2] [--rate 150] [--large-rate 100] [--events 2000]
 *                              [--events-at-once 20] [--beside 50] [--candidates 500,2000,5000] [--recall-users 100]
 *                              [--rows exact,retrieval,large,recall,events,effect,start] [--json]
 *
 * RUN: a trained run, best with 61,934 items; --large: another, with more items (bench serve-runs makes both); --start: one whose start is
 * timed, else RUN. Rows, each with a server and an empty store of
 * its own: exact ranking one request at a time; retrieval of 500 and exact ranking of these; the same of 2,000 on the large
 * run, with recall@10 against exact ranking; events in beside `--beside` recommendations a second, then `kill -9`, a new start and all of them sent
 * again: each must be known; event to effect. Latencies are from the moment that a request was due. A
 * row with enough requests is cut into five stretches of time, and its p99 is the median of theirs, with the range beside it: neighbours on a machine
 * disturb some of them. What is wanted stands beside what was measured. The
 * last line is one JSON object.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { UserError } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { FIRST_INDEX } from '../src/data/index.js';
import { conditions, conditionsLine, median, rowsOption, runBench, sayUnless, wholeOption } from './harness.js';
import type { Stream, StreamResult } from './serve-load.js';
import {
  type Options,
  type Percentiles,
  type Server,
  WARM_UP,
  fsyncTimes,
  load,
  percentiles,
  serve,
  withServer,
} from './serve-processes.js';
import { type Subject, eventsOf, requestsOf, subjectOf } from './serve-questions.js';

const ROWS = ['exact', 'retrieval', 'large', 'recall', 'events', 'effect', 'start'] as const;
const RECALL_AT = 10;
/** Candidates of the row of the large catalogue. */
const LARGE_CANDIDATES = 2000;
/** Starts that are timed. */
const STARTS = 5;

/** One kind of request for some time. */
async function timed(
  subject: Subject,
  { seconds, threads }: Options,
  { rate, ...settings }: { readonly rate: number; readonly [setting: string]: number },
  after: (server: Server) => Promise<unknown> = async () => null,
) {
  return withServer(subject.run, { threads, ...settings }, async (server) => {
    const stream: Stream = {
      name: 'recommend',
      path: '/v1/recommendations',
      bodies: requestsOf(subject.dataset, 2000),
      rate,
    };
    const found = await load({
      url: server.url,
      seconds: WARM_UP + seconds,
      warmUp: WARM_UP,
      seed: 1,
      streams: [stream],
    });
    const { latencies, failed, statuses, latestSend } = found.get('recommend') as StreamResult;
    const measured = {
      items: subject.items,
      rate,
      ...percentiles(latencies),
      failed,
      statuses,
      latestSend,
      readyAfter: server.readyAfter,
      megabytes: await server.memory(),
    };
    await after(server);
    return measured;
  });
}

/** The best ten of some users, asked for one after another. */
async function listsOf({ client }: Server, { dataset }: Subject, users: number): Promise<string[][]> {
  const lists: string[][] = [];
  for (const body of requestsOf(dataset, users)) {
    const question = { ...(JSON.parse(body) as object), k: RECALL_AT, deadline_ms: 60_000 };
    lists.push((await client.recommend(question, { deadline: 60_000 })).items.map(({ item }) => item));
  }
  return lists;
}

/** The share of the exact best ten that retrieval finds, by the number of candidates. `known`: lists that are there already. */
async function recall(
  subject: Subject,
  threads: number,
  users: number,
  candidates: readonly number[],
  known: ReadonlyMap<number, string[][]>,
) {
  const listsWith = async (settings: Readonly<Record<string, number>>): Promise<string[][]> =>
    withServer(subject.run, { threads, ...settings, 'answer-timeout': 600_000 }, async (server) =>
      listsOf(server, subject, users),
    );
  const exact = await listsWith({ 'exact-up-to': 2 ** 30 });
  const shares: Record<string, number> = {};
  for (const count of candidates) {
    const found = known.get(count) ?? (await listsWith({ 'exact-up-to': 0, candidates: count }));
    const hits = exact.map((list, i) => list.filter((item) => found[i]?.includes(item)).length / list.length);
    shares[count] = hits.reduce((a, b) => a + b, 0) / hits.length;
  }
  return shares;
}

/** Milliseconds from the start of the process to ready: the median of a few. */
async function startTime(subject: Subject, threads: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++)
    times.push(await withServer(subject.run, { threads }, async (server) => server.readyAfter));
  return median(times);
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
    const bodies = eventsOf(subject.dataset, Math.ceil((1.5 * (WARM_UP + seconds) * rate) / atOnce), atOnce);
    const server = await serve(subject.run, store, { threads, 'exact-up-to': 0, candidates: 500 });
    const streams: Stream[] = [
      { name: 'events', path: '/v1/events', bodies, rate: rate / atOnce },
      { name: 'recommend', path: '/v1/recommendations', bodies: requestsOf(subject.dataset, 2000), rate: beside },
    ];
    const found = await load({ url: server.url, seconds: WARM_UP + seconds, warmUp: WARM_UP, seed: 1, streams });
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
      statuses: { events: sent.statuses, recommendations: recommended.statuses },
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
  return withServer(subject.run, { threads }, async ({ client }) => {
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

/** What is wanted, `at most` or `at least`, and what there is. */
interface Target {
  readonly what: string;
  readonly most?: number;
  readonly least?: number;
  readonly measured: number;
}

const shown = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3));
const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));
const line = (what: string, { p50, p95, p99, p99s, p999, requests }: Percentiles, beside: string): string[] => [
  what,
  String(requests),
  ...[p50, p95].map(ms),
  p99s.length > 1 ? `${ms(p99)} (${ms(Math.min(...p99s))} to ${ms(Math.max(...p99s))})` : ms(p99),
  ms(p999),
  beside,
];

await runBench('serve', async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      large: { type: 'string' },
      start: { type: 'string' },
      seconds: { type: 'string', default: '50' },
      threads: { type: 'string', default: '2' },
      rate: { type: 'string', default: '150' },
      'large-rate': { type: 'string', default: '100' },
      events: { type: 'string', default: '2000' },
      'events-at-once': { type: 'string', default: '20' },
      beside: { type: 'string', default: '50' },
      candidates: { type: 'string', default: '500,2000,5000' },
      'recall-users': { type: 'string', default: '100' },
      rows: { type: 'string', default: ROWS.join(',') },
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
    `${run}: ${subject.items} items; ${options.threads} threads, ${options.seconds} s a row, after ${WARM_UP} s of the same load that are not counted`,
  );
  const rows = rowsOption(values.rows, ROWS);
  const ifAsked = async <T>(row: (typeof ROWS)[number], measured: () => Promise<T>): Promise<T | null> =>
    rows.has(row) ? measured() : null;
  const large = values.large === undefined ? null : await subjectOf(values.large);
  const listed = new Map<number, string[][]>();
  const list = async (server: Server): Promise<unknown> =>
    rows.has('recall') && listed.set(LARGE_CANDIDATES, await listsOf(server, large ?? subject, number('recall-users')));
  const exact = await ifAsked('exact', async () => timed(subject, options, { rate: 0, 'exact-up-to': 2 ** 30 }));
  const retrieval = await ifAsked('retrieval', async () =>
    timed(subject, options, { rate: number('rate'), 'exact-up-to': 0, candidates: 500 }),
  );
  const onLarge =
    large &&
    (await ifAsked('large', async () =>
      timed(
        large,
        options,
        { rate: number('large-rate'), 'exact-up-to': 0, candidates: LARGE_CANDIDATES, 'answer-timeout': 600_000 },
        list,
      ),
    ));
  const recallAt10 = await ifAsked('recall', async () =>
    recall(large ?? subject, options.threads, number('recall-users'), candidates, listed),
  );
  const written = await ifAsked('events', async () =>
    events(subject, options, { rate: number('events'), atOnce: number('events-at-once'), beside: number('beside') }),
  );
  const seen = await ifAsked('effect', async () => effect(subject, options.threads));
  const started = values.start === undefined ? subject : await subjectOf(values.start);
  const readyAfter = await ifAsked('start', async () => startTime(started, options.threads));
  const perHundredThousand =
    onLarge && retrieval && (1e5 * (onLarge.megabytes - retrieval.megabytes)) / (onLarge.items - retrieval.items);

  const lines: string[][] = [];
  const remarks: string[] = [];
  const targets: Target[] = [];
  for (const timing of [exact, retrieval, onLarge]) {
    if (!timing) continue;
    const what =
      timing === exact
        ? `exact, ${timing.items} items, one at a time`
        : `retrieval of ${timing === onLarge ? LARGE_CANDIDATES : 500}, ${timing.items} items, ${timing.rate}/s`;
    lines.push(line(what, timing, `failed ${timing.failed}`));
    remarks.push(
      `${what}: ${ms(timing.megabytes)} MB resident, ready after ${(timing.readyAfter / 1000).toFixed(1)} s; the load was sent ${ms(timing.latestSend)} ms late at worst`,
    );
    targets.push(
      timing === exact
        ? { what: `${what}: p50 ms`, most: 80, measured: timing.p50 }
        : { what: `${what}: p99 ms`, most: timing === onLarge ? 25 : 15, measured: timing.p99 },
    );
  }
  if (recallAt10) {
    const shares = Object.entries(recallAt10).map(([count, share]) => `${count} candidates ${share.toFixed(3)}`);
    remarks.push(`recall@${RECALL_AT} against exact ranking: ${shares.join(', ')}`);
    const measured = recallAt10[LARGE_CANDIDATES];
    if (measured !== undefined)
      targets.push({ what: `recall@${RECALL_AT} with ${LARGE_CANDIDATES} candidates`, least: 0.9, measured });
  }
  if (written) {
    const what = `events, ${written.rate}/s`;
    lines.push(
      line(
        `${what}, ${written.atOnce} at once`,
        written,
        `accepted ${written.accepted}, lost after kill -9: ${written.lost}`,
      ),
      line(`  ${written.beside} recommendations/s beside them`, written.recommend, `failed ${written.failed}`),
      line("  the disk's own fdatasync", written.fsync, ''),
    );
    targets.push(
      { what: `${what}: p99 ms`, most: 15 + written.fsync.p99, measured: written.p99 },
      { what: 'events lost', most: 0, measured: written.lost },
    );
  }
  if (seen) {
    const missed = seen.asked - seen.seenByTheNextRequest;
    lines.push(line('event, then the next request', seen, `${seen.seenByTheNextRequest} of ${seen.asked} saw it`));
    targets.push({ what: 'next requests that did not see the event', most: 0, measured: missed });
  }
  if (perHundredThousand !== null)
    targets.push({ what: 'MB more per 100,000 items', most: 150, measured: perHundredThousand });
  if (readyAfter !== null)
    targets.push({ what: `start to ready, ${started.items} items: s`, most: 3, measured: readyAfter / 1000 });

  if (lines.length > 0) say(textTable([['what', 'requests', 'p50 ms', 'p95', 'p99', 'p99.9', ''], ...lines]));
  for (const remark of remarks) say(remark);
  say(
    textTable([
      ['wanted', '', 'measured', 'measured / wanted', ''],
      ...targets.map(({ what, most, least, measured }) => {
        const [sign, wanted] = most === undefined ? ['at least', least ?? 0] : ['at most', most];
        const isMet = most === undefined ? measured >= wanted : measured <= wanted;
        const ratio = wanted === 0 ? '' : (measured / wanted).toFixed(2);
        return [what, `${sign} ${shown(wanted)}`, shown(measured), ratio, isMet ? 'met' : 'NOT met'];
      }),
    ]),
  );
  if (written && written.lost > 0) process.exitCode = 1;
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
    readyAfter,
    targets,
  };
});
