/** A server from its first breath to its last: listens, says ready, drains, closes. Knows order; does not know signals or flags. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import { UserError, messageOf } from '../base/index.js';
import { refuseOpenDoor } from './access.js';
import { buildAdminServer } from './admin.js';
import type { Configuration } from './configuration.js';
import type { Engine } from '../online/index.js';
import { type Experiments, NO_EXPERIMENTS } from './experiments.js';
import { Idempotency } from './idempotency.js';
import { type EventStream, Intake } from './intake.js';
import { type KeyFile, Keys } from './keys.js';
import { Metrics } from './metrics.js';
import { Operations } from './operations.js';
import { type ServerOptions, buildServer } from './server.js';
import type { Service } from './service.js';

export interface RunningServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  readonly adminUrl: string;
  readonly metrics: Metrics;
  /** Says not ready, lets what is under way end, and closes the engine. Called again, it waits for the same end. */
  stop(): Promise<void>;
}

export interface StartOptions extends ServerOptions {
  readonly configuration: Configuration;
  readonly keys: KeyFile;
  /** What tells of runs; nothing does unless told. */
  readonly experiments?: Experiments;
}

/**
 * Begins to listen, not ready yet, and opens the engine, which belongs to the server from then on. Resolves when it is ready. Where the
 * engine cannot be opened the server ends.
 */
export async function startServer(
  open: (metrics: Metrics) => Promise<Engine>,
  options: StartOptions,
): Promise<RunningServer> {
  const { configuration } = options;
  const keys = new Keys(options.keys);
  refuseOpenDoor(configuration.host, keys, 'host');
  refuseOpenDoor(configuration.adminHost, keys, 'admin-host');
  const metrics = new Metrics();
  const idempotency = new Idempotency();
  const operations = new Operations(metrics);
  const service: Service = {
    engine: null,
    intake: null,
    configuration,
    keys,
    metrics,
    idempotency,
    experiments: options.experiments ?? NO_EXPERIMENTS,
    operations,
    version: options.version,
    isDraining: false,
  };
  const app = await buildServer(service, options);
  const admin = await buildAdminServer(service);
  const end = async (): Promise<void> => {
    service.isDraining = true;
    await service.intake?.close();
    await sleep(service.engine ? configuration.drainDelay : 0);
    const late = setTimeout(() => app.server.closeAllConnections(), configuration.drainTimeout);
    await app.close();
    clearTimeout(late);
    await admin.close();
    operations.close();
    await service.engine?.close();
  };
  let ending: Promise<void> | null = null;
  const stop = async (): Promise<void> => (ending ??= end());
  let stream: EventStream | null = null;
  try {
    await listen(admin, configuration.adminHost, configuration.adminPort, 'admin-port');
    await listen(app, configuration.host, configuration.port, 'port');
    stream = await streamOf(configuration);
    const engine = await open(metrics);
    service.engine = engine;
    for (const { name, version, state } of await engine.models())
      if (state === 'active') metrics.modelInfo.set({ name, version }, 1);
    if (stream) service.intake = new Intake(stream, service, (what, more) => app.log.warn(more, what));
  } catch (error) {
    await stop();
    await stream?.close();
    throw error;
  }
  return { url: urlOf(app.server.address()), adminUrl: urlOf(admin.server.address()), metrics, stop };
}

/** The stream that events are taken from as well; null where there is none. */
async function streamOf(configuration: Configuration): Promise<EventStream | null> {
  const {
    eventsFrom: url,
    eventsStream: stream,
    eventsConsumer: consumer,
    eventsDeadLetters: deadLetters,
  } = configuration;
  if (url === '') return null;
  const { openNatsStream } = await import('./nats-stream.js'); // not loaded where nobody asks for it
  return openNatsStream({ url, stream, consumer, deadLetters });
}

async function listen(
  app: { listen(options: { host: string; port: number }): Promise<string> },
  host: string,
  port: number,
  flag: string,
): Promise<void> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new UserError(`cannot listen at ${host}, port ${port}: ${messageOf(error)}; choose another --${flag}`, {
      cause: error,
    });
  }
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('internal error: the server has no port');
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
