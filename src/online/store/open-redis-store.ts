/**
 * Opens a live store on Redis. Knows addresses, and which Redis is fit to keep what was acknowledged; does not know what is kept.
 */
import { randomUUID } from 'node:crypto';
import { ErrorReply } from '@redis/client';
import { CorruptFileError, UserError, shownUrl } from '../../base/index.js';
import { processOf } from './redis-changes.js';
import { type Client, RedisConnection, cannotOpen } from './redis-connection.js';
import { REPLACED } from './redis-scripts.js';
import { RedisStore, type StoreHooks } from './redis-store.js';
import type { LiveStore } from './store.js';

const FORMAT = '1';

/** Before every key, unless the address says `?prefix=NAME`: stores of several sites in one Redis. */
const PREFIX = 'sesrec';

export interface RedisOptions {
  /** Only reads: one that is not there is not made. */
  readonly readOnly?: boolean;
  readonly hooks?: StoreHooks;
}

/** Opens a store at `redis[s]://[user:password@]host[:port][/database][?prefix=NAME]`, or makes one where there is none. */
export async function openRedisStore(
  url: string,
  { readOnly = false, hooks = {} }: RedisOptions = {},
): Promise<LiveStore> {
  let id: string | null = null;
  const tag = tagOf(url);
  const meta = `{${tag}}:meta`;
  const connection = await RedisConnection.open(url, {
    check: async (client) => {
      if (id === null) return;
      if ((await client.hGet(meta, 'id')) !== id) throw new Error(REPLACED);
      if (!readOnly) await client.hSetNX(meta, 'format', FORMAT); // changes nothing, and fails where nothing could be written
    },
    changed: (reason) => hooks.storeAway?.(reason),
  });
  try {
    return await connection.ask(async (client) => {
      await refuseUnfit(client, url, hooks);
      if (!readOnly) {
        await client.hSetNX(meta, 'id', randomUUID());
        await client.hSetNX(meta, 'format', FORMAT);
      }
      const known = await client.hGetAll(meta);
      if (known['id'] === undefined) throw new UserError(`${shownUrl(url)} has no live store with the prefix ${tag}`);
      if (known['format'] !== FORMAT)
        throw new CorruptFileError(
          `the store at ${shownUrl(url)} has format version ${known['format']}, this program reads ${FORMAT}`,
        );
      id = known['id'];
      const [sequence, change] = await Promise.all([client.get(`{${tag}}:sequence`), client.get(`{${tag}}:change`)]);
      const process = await processOf(client);
      return new RedisStore(
        connection,
        tag,
        { id, sequence: Number(sequence ?? 0), change: Number(change ?? 0), process },
        hooks,
      );
    });
  } catch (error) {
    connection.destroy();
    throw error instanceof ErrorReply ? cannotOpen(url, error) : error;
  }
}

function tagOf(url: string): string {
  if (!URL.canParse(url))
    throw new UserError(`${shownUrl(url)} is no address: redis://user:password@host:port/database`);
  const tag = new URL(url).searchParams.get('prefix') ?? PREFIX;
  if (tag === '' || /[{}]/.test(tag)) throw new UserError(`${shownUrl(url)}: a prefix is a name without { and }`);
  return tag;
}

/** A store that forgets what it has answered for is none. Where the settings may not be read, nobody knows. */
async function refuseUnfit(client: Client, url: string, { warned }: StoreHooks): Promise<void> {
  const shown = shownUrl(url);
  if (/^redis_mode:cluster/m.test(await client.info('server').catch(() => '')))
    throw new UserError(
      `${shown} is a node of a Redis cluster, which this program does not speak to: name a Redis of its own`,
    );
  const settings = await client
    .configGet(['appendonly', 'appendfsync', 'maxmemory', 'maxmemory-policy'])
    .catch(() => null);
  if (!settings) {
    warned?.(`${shown} does not tell its settings: acknowledged events are as durable as it is set up to be`);
    return;
  }
  if (settings['appendonly'] === 'no')
    throw new UserError(
      `${shown} keeps no log of its writes, so that what was acknowledged would be lost: set appendonly yes, and appendfsync always`,
    );
  const policy = settings['maxmemory-policy'] ?? 'noeviction';
  if (policy !== 'noeviction' && settings['maxmemory'] !== '0')
    throw new UserError(
      `${shown} drops keys when its memory is full (maxmemory-policy ${policy}), and events with them: set maxmemory-policy noeviction`,
    );
  if (settings['appendfsync'] !== 'always')
    warned?.(
      `${shown} has appendfsync ${settings['appendfsync']}: what was acknowledged in the last moments before a power cut may be lost; always keeps it`,
    );
}
