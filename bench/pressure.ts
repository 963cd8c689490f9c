/**
 * A server under pressure, from a second process: more questions than it can answer, a training beside it, models that change, and an hour of
 * load. Knows what to ask and what to read; judges nothing. Usage, on a quiet machine:
 *
 *   npm run bench -- pressure RUN [--rows overload,delay,hour] --train DATA [--seconds 30] [--minutes 60] [--threads 2] [--json]
 *
 * overload: the capacity is what is answered a second where twice as many clients as threads ask one question after another; then arrivals at random
 *           moments (open-loop) at half, one, two and five times the capacity. What is answered and what is turned away are timed apart. The load comes from
 *           the same machine: at five times, sending takes processors away from answering.
 * delay:    the 99th percentile of the delay of the event loop, at half the capacity: alone, beside `sesrec train` of the data directory --train, as it is and with `nice -n 19`,
 *           while RUN is activated again every two seconds, and while batches of items are upserted one after another.
 * hour:     questions at half the capacity and 200 events a second, for --minutes; memory every half a minute. `own` memory is what is not a page of
 *           a file: the store grows with its events, and the system drops its pages when it wants to.
 *
 * Every row has a server and an empty store of its own and ranks 500 retrieved candidates. The last line is one JSON object.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { UserError } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { FIRST_INDEX } from '../src/data/index.js';
import { BIN, conditions, conditionsLine, median, rowsOption, runBench, sayUnless, wholeOption } from './harness.js';
import type { Stream, StreamResult } from './serve-load.js';
import { type Options, type Server, WARM_UP, load, percentiles, withServer } from './serve-processes.js';
import { type Subject, requestsOf, subjectOf, viewsOf } from './serve-questions.js';

const ROWS = ['overload', 'delay', 'hour'] as const;
/** What memory does before is not compared. */
const SETTLED_AFTER_MINUTES = 10;
/** Events a second beside the questions of the hour, and how many come at once. */
const [EVENTS, AT_ONCE] = [200, 20];
/** Seconds between two looks at memory. */
const EVERY = 30;
/** The niceness of a training that gives way to everybody. */
const PATIENT = 19;
/** Items of a batch that is upserted. */
const IMPORTED_AT_ONCE = 200;
/** The timer by which prom-client measures the event loop runs so often, which is in its figures. */
const TIMER_SECONDS = 0.01;

/** How every row starts its server. */
const settingsOf = ({ threads }: Options) => ({ threads, 'exact-up-to': 0, candidates: 500 });

const questions = ({ dataset }: Subject, name: string, rate: number): Stream => ({
  name,
  path: '/v1/recommendations',
  bodies: requestsOf(dataset, 2000),
  rate,
});

async function loaded(
  { url }: Server,
  streams: readonly Stream[],
  seconds: number,
  warmUp: number,
): Promise<StreamResult[]> {
  const found = await load({ url, seconds: warmUp + seconds, warmUp, seed: 1, streams });
  return streams.map(({ name }) => found.get(name) as StreamResult);
}

/** Answers a second, where clients ask one question after another: two for each thread. */
async function capacityOf(subject: Subject, server: Server, { seconds, threads }: Options): Promise<number> {
  const client = questions(subject, 'client', 0);
  const clients = Array.from({ length: 2 * threads }, (_, i) => ({ ...client, name: `client ${i}` }));
  const results = await loaded(server, clients, seconds, WARM_UP);
  return results.reduce((sum, { latencies }) => sum + latencies.length, 0) / seconds;
}

async function overload(subject: Subject, options: Options) {
  const { seconds } = options;
  return withServer(subject.run, settingsOf(options), async (server) => {
    const capacity = await capacityOf(subject, server, options);
    const rows = [];
    for (const times of [0.5, 1, 2, 5]) {
      const stream = questions(subject, 'questions', times * capacity);
      const [found] = (await loaded(server, [stream], seconds, 5)) as [StreamResult];
      rows.push({
        times,
        offered: times * capacity,
        goodput: found.latencies.length / seconds,
        answered: percentiles(found.latencies),
        refused: percentiles(found.refusals),
        withoutRetryAfter: found.withoutRetryAfter,
        statuses: found.statuses,
        latestSend: found.latestSend,
        megabytes: await server.memory('own'),
      });
    }
    return { capacity, rows };
  });
}

/** The 99th percentile of the delay of the event loop since it was last asked for, in milliseconds. */
async function eventLoopDelay({ adminUrl }: Server): Promise<number> {
  const answer = await (await fetch(`${adminUrl}/metrics`)).text();
  const seconds = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(answer)?.[1];
  if (seconds === undefined) throw new Error('the server tells no delay of its event loop');
  return 1000 * Math.max(0, Number(seconds) - TIMER_SECONDS);
}

/** What is measured while a training goes on, which gives way to others by so much, as `nice` counts. */
async function beside<Result>(
  data: string,
  { threads }: Options,
  niceness: number,
  measured: () => Promise<Result>,
): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'sesrec-pressure-run-'));
  const training = spawn(
    process.execPath,
    [BIN, 'train', data, '--threads', String(threads), '--epochs', '100', '--out', join(folder, 'run')],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const ended = once(training, 'close');
  try {
    if (training.pid !== undefined) setPriority(training.pid, niceness);
    await sleep(20_000); // it reads its data and compiles its graphs
    const result = await measured();
    if (training.exitCode !== null)
      throw new UserError(`the training of ${data} ended with ${training.exitCode} before the load did`);
    return result;
  } finally {
    training.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
  }
}

async function delay(subject: Subject, options: Options, data: string) {
  const { seconds } = options;
  return withServer(subject.run, settingsOf(options), async (server) => {
    const capacity = await capacityOf(subject, server, options);
    const measured = async () => {
      await eventLoopDelay(server);
      const stream = questions(subject, 'questions', 0.5 * capacity);
      const [found] = (await loaded(server, [stream], seconds, 0)) as [StreamResult];
      return { delayP99: await eventLoopDelay(server), ...percentiles(found.latencies), failed: found.failed };
    };
    const alone = await measured();
    const besideTraining = await beside(data, options, 0, measured);
    const besidePatientTraining = await beside(data, options, PATIENT, measured);
    const [modelsChange, changes] = await during(measured, async () => {
      await server.client.activateModel(basename(subject.run));
      await sleep(2000);
    });
    const ids = subject.dataset.items.ids.slice(FIRST_INDEX);
    let next = 0;
    const [itemsCome, batches] = await during(measured, async () => {
      const items = Array.from({ length: IMPORTED_AT_ONCE }, () => ids[next++ % ids.length] as string);
      await server.client.upsertItems(items.map((item) => ({ item, fields: { price: String(next % 100) } })));
    });
    const whileModelsChange = { ...modelsChange, times: changes };
    const whileItemsCome = { ...itemsCome, times: batches };
    return { capacity, alone, besideTraining, besidePatientTraining, whileModelsChange, whileItemsCome };
  });
}

/** What is measured while something is done again and again, and how often it was. */
async function during<Result>(
  measured: () => Promise<Result>,
  work: () => Promise<void>,
): Promise<[result: Result, times: number]> {
  const over = new AbortController();
  const again = async (): Promise<number> => {
    let times = 0;
    for (; !over.signal.aborted; times++) await work();
    return times;
  };
  return Promise.all([measured().finally(() => over.abort()), again()]);
}

async function hour(subject: Subject, options: Options, minutes: number) {
  return withServer(subject.run, settingsOf(options), async (server) => {
    const capacity = await capacityOf(subject, server, options);
    const samples: { minute: number; all: number; own: number }[] = [];
    const begun = performance.now();
    const sample = async (): Promise<void> => {
      const minute = (performance.now() - begun) / 60_000;
      const own = await server.memory('own');
      samples.push({ minute, all: await server.memory(), own });
      process.stderr.write(`minute ${minute.toFixed(1)} of ${minutes}: ${own.toFixed(0)} MB of its own\n`);
      await sleep(1000 * EVERY);
    };
    const events: Stream = {
      name: 'events',
      path: '/v1/events',
      bodies: viewsOf(subject.dataset, 5000, AT_ONCE),
      rate: EVENTS / AT_ONCE,
    };
    const streams = [questions(subject, 'questions', 0.5 * capacity), events];
    const [found] = await during(async () => loaded(server, streams, 60 * minutes, 0), sample);
    const [asked, sent] = found as [StreamResult, StreamResult];
    const settled = samples.filter(({ minute }) => minute >= Math.min(SETTLED_AFTER_MINUTES, minutes / 2));
    const third = Math.ceil(settled.length / 3);
    const ownOf = (list: typeof samples): number => median(list.map(({ own }) => own));
    return {
      capacity,
      minutes,
      questions: { ...percentiles(asked.latencies), failed: asked.failed, statuses: asked.statuses },
      events: { ...percentiles(sent.latencies), accepted: sent.accepted, failed: sent.failed },
      samples,
      /** Medians of the first and the last third of what was sampled after it had settled. */
      first: ownOf(settled.slice(0, third)),
      last: ownOf(settled.slice(-third)),
      most: Math.max(...samples.map(({ own }) => own)),
    };
  });
}

const ms = (value: number): string => (value < 10 ? value.toFixed(1) : value.toFixed(0));

await runBench('pressure', async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rows: { type: 'string', default: ROWS.join(',') },
      train: { type: 'string' },
      seconds: { type: 'string', default: '30' },
      minutes: { type: 'string', default: '60' },
      threads: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
    },
  });
  const [run, more] = positionals;
  if (run === undefined || more !== undefined) throw new UserError('name one run: npm run bench -- pressure RUN');
  const rows = rowsOption(values.rows, ROWS);
  const options: Options = {
    seconds: wholeOption('seconds', values.seconds, 5),
    threads: wholeOption('threads', values.threads, 1),
  };
  const { train: data } = values;
  if (data === undefined && rows.has('delay')) throw new UserError('--train: name the data directory of a training');
  const minutes = wholeOption('minutes', values.minutes, 1);
  const say = sayUnless(values.json);
  const state = conditions();
  say(conditionsLine(state));
  const subject = await subjectOf(run);
  say(`${run}: ${subject.items} items, 500 candidates; ${options.threads} threads, ${options.seconds} s a row`);
  const overloaded = rows.has('overload') ? await overload(subject, options) : null;
  if (overloaded) {
    say(`capacity: ${overloaded.capacity.toFixed(0)} answers a second`);
    say(
      textTable([
        ['times', 'offered/s', 'answered/s', 'p50 ms', 'p99', 'turned away', 'within p99 ms', 'MB'],
        ...overloaded.rows.map(({ times, offered, goodput, answered, refused, megabytes }) => [
          String(times),
          offered.toFixed(0),
          goodput.toFixed(0),
          ms(answered.p50),
          ms(answered.p99),
          String(refused.requests),
          refused.requests === 0 ? '' : ms(refused.p99),
          ms(megabytes),
        ]),
      ]),
    );
    const [half, , ...more] = overloaded.rows;
    const peak = Math.max(overloaded.capacity, ...overloaded.rows.map(({ goodput }) => goodput));
    const most = Math.max(50, 3 * (half?.answered.p99 ?? 0));
    for (const { times, goodput, answered, withoutRetryAfter } of more)
      say(
        `${times} times: p99 ${ms(answered.p99)} ms (wanted at most ${ms(most)}), goodput ${(goodput / peak).toFixed(2)} of the peak (wanted .8), refusals without Retry-After ${withoutRetryAfter}`,
      );
  }
  const delayed = data !== undefined && rows.has('delay') ? await delay(subject, options, data) : null;
  if (delayed) {
    const { alone, besideTraining, besidePatientTraining, whileModelsChange, whileItemsCome } = delayed;
    say(
      textTable([
        ['event loop', 'delay p99 ms (wanted: 50)', 'answers p50 ms', 'p99', 'failed'],
        ...(
          [
            ['alone', alone],
            ['beside a training', besideTraining],
            [`beside one with nice ${PATIENT}`, besidePatientTraining],
            [`while a model changes, ${whileModelsChange.times} times`, whileModelsChange],
            [`while ${whileItemsCome.times} batches of ${IMPORTED_AT_ONCE} items come`, whileItemsCome],
          ] as const
        ).map(([what, { delayP99, p50, p99, failed }]) => [what, ms(delayP99), ms(p50), ms(p99), String(failed)]),
      ]),
    );
  }
  const lasted = rows.has('hour') ? await hour(subject, options, minutes) : null;
  if (lasted) {
    const { samples, first, last, most, questions: asked, events } = lasted;
    say(
      `${minutes} minutes at half the capacity and ${EVENTS} events a second: ${asked.requests} answers (p99 ${ms(asked.p99)} ms, ${asked.failed} failed), ${events.accepted} events (p99 ${ms(events.p99)} ms, ${events.failed} failed)`,
    );
    const step = Math.max(1, Math.floor(samples.length / 8));
    say(
      textTable([
        ['minute', 'own MB', 'with files MB'],
        ...samples
          .filter((_, i) => i % step === 0 || i === samples.length - 1)
          .map(({ minute, own, all }) => [minute.toFixed(1), own.toFixed(0), all.toFixed(0)]),
      ]),
    );
    say(
      `own memory, medians of thirds after it had settled: ${first.toFixed(0)} and ${last.toFixed(0)} MB, ${(last / first).toFixed(3)}; at most ${most.toFixed(0)}`,
    );
  }
  return { bench: 'pressure', ...state, run, options, overload: overloaded, delay: delayed, hour: lasted };
});
