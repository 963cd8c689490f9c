/**
 * What a site of some size needs, and what more workers would do for a training, calculated from measured constants: nothing is run here. Knows
 * arithmetic; does not know whether the machines that it talks of exist. Every constant is an option, and says where its default was measured.
 *
 *   npm run bench -- scale [--events 1000000000] [--items 100000000] [--constant value …] [--json]
 *
 * The last line is one JSON object.
 */
import { parseArgs } from 'node:util';
import { UsageError } from '../src/base/index.js';
import { textTable } from '../src/cli/table.js';
import { runBench, sayUnless } from './harness.js';

/** Constants: their values, and where they were measured. */
const CONSTANTS = {
  'log-bytes': [10.5, 'bytes of an event in a log of Parquet with numbers as ids; bench import --scale 8'],
  'prepared-bytes': [10, 'bytes of an event in a data directory; 221,765 events of sesrec simulate'],
  'live-bytes': [560, 'bytes of an event in a live store on LMDB, ids of 15 characters'],
  'redis-bytes': [440, 'bytes of an event in the memory of Redis 7.0 (docs/scale.md)'],
  'import-microseconds': [8.6, 'processor time of an event that is imported from gzipped JSON lines; bench import'],
  'intake-microseconds': [
    70,
    'processor time of an event that a server takes, twenty at once; 2,000 a second were 14 % of a core',
  ],
  'answer-milliseconds': [
    6,
    'processor time of a recommendation, 500 candidates of 61,934 items, HTTP included; bench serve',
  ],
  'item-bytes': [1020, 'memory of an item in a server, d 32; bench serve, 102 MB per 100,000'],
  'case-microseconds': [112, 'two cores, an event that is trained on; bench step, 28.6 ms for 256 at the Amazon shape'],
  'row-bytes': [
    512,
    'an item of d 32 in a round of training: values and both moments, as text; docs/scale.md, Train on Spark',
  ],
  'start-seconds': [6, 'a task of a round until its first step: process, data, graphs'],
  'tell-bytes': [175e6, 'bytes a second that a worker turns into text; 300,000 rows of d 32'],
  'hear-bytes': [120e6, 'bytes of such text a second that one thread reads and adds up; the same rows'],
  'network-bytes': [1.25e9, 'assumed, not measured: bytes a second of a machine, 10 Gbit/s'],
  'storage-bytes': [1e10, 'assumed, not measured: bytes a second of the storage that all machines share'],
} as const satisfies Readonly<Record<string, readonly [number, string]>>;

type Constant = keyof typeof CONSTANTS;

/** A training in rounds, as far as time goes. */
interface Rounds {
  readonly localSteps: number;
  readonly stepSeconds: number;
  /** Bytes of the state that the driver writes. */
  readonly state: number;
  /** Bytes that a worker reads and writes in a round. */
  readonly read: number;
  readonly written: number;
  /** Bytes of all sums, at most. */
  readonly sumsAtMost: number;
}

const WORKERS = [1, 2, 4, 8, 16, 32, 64] as const;
const SECONDS_A_DAY = 86_400;

/**
 * How many times as many steps a second are taken as without rounds. A round is, one after another: the driver writes the state; start, read, step, tell, shuffle, add up; and
 * at the driver, hear the sums. Says nothing of how much a step is worth.
 */
function speedUp(workers: number, rounds: Rounds, constants: Readonly<Record<Constant, number>>): number {
  const { localSteps, stepSeconds, state, read, written, sumsAtMost } = rounds;
  const [network, storage] = [constants['network-bytes'], constants['storage-bytes']];
  const compute = localSteps * stepSeconds;
  const told = written / constants['tell-bytes'] + written / network;
  const heard = (written + Math.min(workers * written, sumsAtMost)) / constants['hear-bytes'];
  const stateMoved = state / Math.min(network, storage) + read / Math.min(network, storage / workers);
  const round = constants['start-seconds'] + stateMoved + compute + told + heard;
  return (workers * compute) / round;
}

const large = (value: number): string => {
  const [unit, size] = (
    [
      ['TB', 1e12],
      ['GB', 1e9],
      ['MB', 1e6],
    ] as const
  ).find(([, least]) => value >= least) ?? ['kB', 1e3];
  return `${(value / size).toPrecision(3)} ${unit}`;
};

await runBench('scale', async () => {
  const { values } = parseArgs({
    options: {
      events: { type: 'string', default: '1e9' },
      items: { type: 'string', default: '1e8' },
      answers: { type: 'string', default: '1e8' },
      peak: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      ...Object.fromEntries(
        Object.entries(CONSTANTS).map(([name, [value]]) => [name, { type: 'string', default: String(value) } as const]),
      ),
    },
  });
  const given = values as Readonly<Record<string, string | boolean>>;
  const number = (name: string): number => {
    const value = Number(given[name]);
    if (!(value > 0 && Number.isFinite(value))) throw new UsageError(`--${name} ${given[name]}: give a number above 0`);
    return value;
  };
  const constants = Object.fromEntries(Object.keys(CONSTANTS).map((name) => [name, number(name)])) as Record<
    Constant,
    number
  >;
  const [events, items, answers, peak] = ['events', 'items', 'answers', 'peak'].map(number) as [
    number,
    number,
    number,
    number,
  ];
  const say = sayUnless(values.json);
  const cores = (perDay: number, seconds: number): number => (perDay / SECONDS_A_DAY) * seconds;
  const trainSeconds = events * constants['case-microseconds'] * 1e-6;
  const site = {
    logBytesADay: events * constants['log-bytes'],
    preparedBytesADay: events * constants['prepared-bytes'],
    liveBytesADay: events * constants['live-bytes'],
    redisBytesADay: events * constants['redis-bytes'],
    importCoreHours: (events * constants['import-microseconds'] * 1e-6) / 3600,
    intakeCoresAtPeak: peak * cores(events, constants['intake-microseconds'] * 1e-6),
    answerCoresAtPeak: peak * cores(answers, constants['answer-milliseconds'] * 1e-3),
    modelBytesOfAServer: items * constants['item-bytes'],
    epochHoursOfTwoCores: trainSeconds / 3600,
    tableBytes: items * 3 * 4 * 32,
  };
  say(
    `${events.toExponential()} events and ${answers.toExponential()} recommendations a day, ${items.toExponential()} items; calculated, not measured\n`,
  );
  say(
    textTable([
      ['a day', ''],
      ['log, as Parquet', large(site.logBytesADay)],
      ['prepared for training', large(site.preparedBytesADay)],
      ['live store on a disk (LMDB)', large(site.liveBytesADay)],
      ['live store in memory (Redis)', large(site.redisBytesADay)],
      ['importing, hours of one core', site.importCoreHours.toFixed(1)],
      [`taking events, cores at ${peak} times the mean`, site.intakeCoresAtPeak.toFixed(1)],
      [`recommending, cores at ${peak} times the mean`, site.answerCoresAtPeak.toFixed(0)],
      ['memory of the model in each server', large(site.modelBytesOfAServer)],
      ['one epoch over it, hours of two cores', site.epochHoursOfTwoCores.toFixed(0)],
      ['values and moments of the items', large(site.tableBytes)],
      // values once more, for momentum; a state is read beside what it is read into
      [
        'the driver of rounds holds; while it resumes',
        `${large((4 / 3) * site.tableBytes)}; ${large((8 / 3) * site.tableBytes)}`,
      ],
    ]),
  );
  const tables = site.tableBytes;
  // 256 cases with 20 items each, each another one: more than there will be
  const touched = (steps: number): number => Math.min(items, steps * 256 * 20);
  const trainings: Readonly<Record<string, Rounds>> = {
    'Beauty, 64 steps': {
      localSteps: 64,
      stepSeconds: 0.0286,
      state: 14.4e6,
      read: 14.4e6,
      written: 13e6,
      sumsAtMost: 19.6e6,
    },
    'Beauty, 257 steps (half an epoch)': {
      localSteps: 257,
      stepSeconds: 0.0286,
      state: 14.4e6,
      read: 14.4e6,
      written: 19.6e6,
      sumsAtMost: 19.6e6,
    },
    ...Object.fromEntries(
      [200, 2000, 20_000].map((localSteps) => [
        `this site, ${localSteps.toLocaleString('en-US')} steps`,
        {
          localSteps,
          stepSeconds: 0.078,
          state: tables,
          read: touched(localSteps) * (tables / items),
          written: touched(localSteps) * constants['row-bytes'],
          sumsAtMost: items * constants['row-bytes'],
        },
      ]),
    ),
  };
  const speedUps = Object.entries(trainings).map(([name, rounds]) => ({
    name,
    rounds,
    bySize: Object.fromEntries(WORKERS.map((workers) => [workers, speedUp(workers, rounds, constants)])),
  }));
  say('\nsteps a second, times those of one machine of two cores without rounds, by workers of two cores each');
  say(
    textTable([
      ['', ...WORKERS.map(String)],
      ...speedUps.map(({ name, bySize }) => [
        name,
        ...WORKERS.map((workers) => (bySize[workers] as number).toFixed(1)),
      ]),
    ]),
  );
  say('\nconstants');
  say(
    textTable(
      Object.entries(CONSTANTS).map(([name, [, source]]) => [name, String(constants[name as Constant]), source]),
    ),
  );
  return { bench: 'scale', events, items, answers, peak, constants, site, speedUps };
});
