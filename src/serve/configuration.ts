/**
 * How a server is set up, from flags, environment and a file by one schema. Knows names, defaults and where each value came from;
 * does not know what is done with them.
 */
import { Ajv } from 'ajv';
import { type Static, Type } from 'typebox';
import { UserError, readJson, shownUrl } from '../base/index.js';
import { flawsOf } from './problems.js';
import { strict, word } from './schemas/index.js';

const port = (description: string, value: number) =>
  Type.Integer({ minimum: 0, maximum: 65_535, default: value, description });
const whole = (description: string, value: number, minimum: number, maximum: number) =>
  Type.Integer({ minimum, maximum, default: value, description });
const text = (description: string, value: string) => Type.String({ maxLength: 4096, default: value, description });

/** Every setting: its name here is its name in a file, `--print-config`, as a flag and in the environment. */
export const Configuration = strict({
  host: text('address to listen at; anything beyond loopback needs keys', '127.0.0.1'),
  port: port('port to listen at; 0: any free one', 8080),
  adminHost: text('address of metrics and profiling; keep it private', '127.0.0.1'),
  adminPort: port('port of metrics and profiling; 0: any free one', 8081),
  store: text(
    'live store: a directory, or redis://… or rediss://… for several servers (default: the name of the run with .live behind it)',
    '',
  ),
  eventsFrom: text('stream that events are taken from as well: nats://… or tls://…; none unless told', ''),
  eventsStream: text('its name in JetStream', 'EVENTS'),
  eventsConsumer: text('durable consumer, made where there is none; servers that share a store share it', 'sesrec'),
  eventsDeadLetters: text('subject that what is no event is moved to; counted and left out unless told', ''),
  keys: text('file of API keys (sesrec keys makes one)', ''),
  begin: word(['last', 'given'], {
    default: 'last',
    description: 'run to begin with: the one that was activated last, or the one given',
  }),
  models: text('directory of runs that may be activated (default: where the run lies)', ''),
  origins: text('origins of pages that may ask, separated by commas (CORS); none unless told', ''),
  page: word(['on', 'off'], { default: 'on', description: 'whether the page is served at /; off: only the interface' }),
  threads: whole('threads to compute with', 2, 1, 256),
  exactUpTo: whole('items up to which a catalogue is ranked exactly and in full', 100_000, 0, 2 ** 31 - 1),
  candidates: whole('candidates that are retrieved from a larger one and ranked exactly', 2000, 10, 1_000_000),
  cachedUsers: whole('users whose encoded histories are kept', 10_000, 1, 10_000_000),
  shadowShare: Type.Number({
    minimum: 0,
    maximum: 1,
    default: 0.1,
    description: 'share of requests that a shadow model ranks too',
  }),
  bodyLimit: whole('largest body in bytes', 4 * 2 ** 20, 1024, 2 ** 28),
  mostInFlight: whole('questions, and writes, under way at once; more are turned away with 503', 64, 1, 100_000),
  mostConnections: whole('connections at once; more are closed at once', 2000, 1, 1_000_000),
  keyRate: whole('requests a second that one key may make; 0: as many as it likes', 500, 0, 1_000_000),
  tracing: word(['off', 'on'], {
    default: 'off',
    description: 'spans of requests by @opentelemetry/api; an SDK that you register sends them',
  }),
  answerTimeout: whole(
    'milliseconds after which something simpler is answered, unless the request says otherwise',
    3000,
    10,
    600_000,
  ),
  requestTimeout: whole('milliseconds for a request to arrive whole', 15_000, 100, 600_000),
  drainTimeout: whole('milliseconds for requests under way when told to end', 10_000, 0, 600_000),
  drainDelay: whole('milliseconds between saying not ready and closing, for balancers to notice', 0, 0, 600_000),
  logLevel: word(['fatal', 'error', 'warn', 'info', 'debug', 'silent'], {
    default: 'info',
    description: 'how much is logged',
  }),
});
export type Configuration = Static<typeof Configuration>;
export type SettingName = keyof Configuration;

/** What a schema says of a setting. */
export interface Setting {
  readonly type: 'integer' | 'number' | 'string';
  readonly default: string | number;
  readonly description: string;
  readonly enum?: readonly string[];
  readonly minimum?: number;
  readonly maximum?: number;
}

export const SETTINGS = Object.entries(Configuration.properties) as unknown as readonly (readonly [
  SettingName,
  Setting,
])[];

/** The variable of a setting: `SESREC_ADMIN_PORT` for adminPort. */
export const variableOf = (name: string): string =>
  `SESREC_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;

export type Origin = 'default' | 'file' | 'environment' | 'flag';

export interface Configured {
  readonly values: Configuration;
  readonly origins: Readonly<Record<SettingName, Origin>>;
}

export interface ConfigurationSources {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A JSON file with some of the settings. */
  readonly file?: string | undefined;
}

/** Flags before the environment before the file before defaults. What is not a setting, or not a sound value, is a `UserError` that says where. */
export async function configure({ flags, environment, file }: ConfigurationSources): Promise<Configured> {
  const given = file === undefined ? {} : await readJson(file);
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new UserError(`${file}: a JSON object of settings is wanted`);
  const strange = Object.keys(given).find((name) => !Object.hasOwn(Configuration.properties, name));
  if (strange !== undefined)
    throw new UserError(
      `${file}: there is no setting ${JSON.stringify(strange)}; there are ${SETTINGS.map(([name]) => name).join(', ')}`,
    );
  const values: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const take = (name: string, value: unknown, origin: Origin): void => {
    values[name] = value;
    origins[name] = origin;
  };
  for (const [name, { type, default: usual }] of SETTINGS) {
    take(name, usual, 'default');
    if (Object.hasOwn(given, name)) take(name, (given as Record<string, unknown>)[name], 'file');
    const variable = environment[variableOf(name)];
    if (variable !== undefined) take(name, type !== 'string' ? numberOf(variable) : variable, 'environment');
    if (flags[name] !== undefined) take(name, flags[name], 'flag');
  }
  const check = new Ajv().compile<Configuration>(Configuration);
  if (!check(values)) {
    const [{ pointer, message } = { pointer: '', message: 'is not valid' }] = flawsOf(check.errors ?? []);
    const name = pointer.slice(1);
    const where = { default: 'the default', file: file ?? '', environment: variableOf(name), flag: 'the flag' };
    throw new UserError(
      `${name} ${message}: ${JSON.stringify(shownSetting(name, values[name]))}, from ${where[origins[name] ?? 'default']}`,
    );
  }
  return { values, origins: origins as Record<SettingName, Origin> };
}

const ADDRESS = /^[a-z]+:\/\//i;
const ADDRESSES: ReadonlySet<string> = new Set<SettingName>(['store', 'eventsFrom']);

/** A setting as it may be shown: addresses without their passwords. */
export const shownSetting = (name: string, value: unknown): unknown =>
  typeof value === 'string' && ADDRESSES.has(name) && ADDRESS.test(value) ? shownUrl(value) : value;

/** Text that is no number stays, for the check to refuse. */
const numberOf = (text: string): unknown => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text);
