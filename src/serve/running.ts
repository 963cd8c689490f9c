/** A server from its first breath to its last: listens, says ready, drains, closes. Knows order; does not know signals or flags. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AddressInfo } from 'node:net';
import { UserError, messageOf } from '../base/index.js';
import { refuseOpenDoor } from './access.js';
import { buildAdminServer } from './admin.js';
import type { Configuration } from './configuration.js';
import type { Engine } from '../online/index.js';
import { Idempotency } from './idempotency.js';
import { type KeyFile, Keys } from './keys.js';
import { Metrics } from './metrics.js';
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
}

/** Begins to listen. `open` makes the engine once it is clear that the server may listen at all; it belongs to the server from then on. */
export async function startServer(
  open: (metrics: Metrics) => Promise<Engine>,
  options: StartOptions,
): Promise<RunningServer> {
  const { configuration } = options;
  const keys = new Keys(options.keys);
  refuseOpenDoor(configuration.host, keys, 'host');
  refuseOpenDoor(configuration.adminHost, keys, 'admin-host');
  const metrics = new Metrics();
  const engine = await open(metrics);
  const service: Service = { engine, configuration, keys, metrics, idempotency: new Idempotency(), isDraining: false };
  try {
    const app = await buildServer(service, options);
    const admin = await buildAdminServer(service);
    for (const { name, version, state } of await engine.models())
      if (state === 'active') metrics.modelInfo.set({ name, version }, 1);
    await listen(admin, configuration.adminHost, configuration.adminPort, 'admin-port');
    await listen(app, configuration.host, configuration.port, 'port').catch(async (error: unknown) => {
      await admin.close();
      throw error;
    });
    const end = async (): Promise<void> => {
      service.isDraining = true;
      await sleep(configuration.drainDelay);
      const late = setTimeout(() => app.server.closeAllConnections(), configuration.drainTimeout);
      await app.close();
      clearTimeout(late);
      await admin.close();
      await engine.close();
    };
    let ending: Promise<void> | null = null;
    return {
      url: urlOf(app.server.address()),
      adminUrl: urlOf(admin.server.address()),
      metrics,
      stop: async () => (ending ??= end()),
    };
  } catch (error) {
    await engine.close();
    throw error;
  }
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
