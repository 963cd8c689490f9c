/** Servers for tests: at a free port, over an engine, with or without keys. Knows how to start and ask; does not know what is tested. */
import type { Engine } from '../../src/online/index.js';
import {
  type Experiments,
  type KeyFile,
  NO_EXPERIMENTS,
  NO_KEYS,
  type RunningServer,
  configure,
  startServer,
} from '../../src/serve/index.js';

export interface Served extends AsyncDisposable {
  readonly server: RunningServer;
  /** Lines of the log so far. */
  readonly log: string[];
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever an answer holds, a test looks into it
  readonly json: any;
}

/** Starts a server that ends with the scope that it is used in. */
export async function serve(
  engine: Engine,
  {
    keys = NO_KEYS,
    experiments = NO_EXPERIMENTS,
    ...settings
  }: { readonly keys?: KeyFile; readonly experiments?: Experiments; readonly [setting: string]: unknown } = {},
): Promise<Served> {
  const { values } = await configure({ flags: { port: 0, adminPort: 0, ...settings }, environment: {} });
  const log: string[] = [];
  const logStream = { write: (line: string) => void log.push(line) };
  const server = await startServer(async () => engine, {
    configuration: values,
    keys,
    experiments,
    version: '0',
    logStream,
  });
  return {
    server,
    log,
    ask: async (method, path, body, headers = {}) => ask(`${server.url}${path}`, method, body, headers),
    [Symbol.asyncDispose]: async () => server.stop(),
  };
}

/** Asks; a body that is no text is sent as JSON. */
export async function ask(
  url: string,
  method: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const isJson = body !== undefined && typeof body !== 'string' && !(body instanceof Uint8Array);
  const response = await fetch(url, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : body }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A promise, and what ends it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}
