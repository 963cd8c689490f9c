/** A redis-server of its own for tests, to be killed and started again. Knows how it is started; does not know what is tested. */
import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KillableServer, freePort } from './killable.js';

/** For `skip`: false where there is a redis-server. */
export const WITHOUT_REDIS =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'there is no redis-server here';

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

export class RedisProcess extends KillableServer {
  /** Starts one. @param password asked of everybody; none unless told */
  static async start(password = ''): Promise<RedisProcess> {
    const redis = new RedisProcess(await mkdtemp(join(tmpdir(), 'sesrec-redis-')), await freePort(), password);
    await redis.start();
    return redis;
  }

  /** Where a store of a name is. */
  url(prefix = 'sesrec'): string {
    const who = this.password === '' ? '' : `:${this.password}@`;
    return `redis://${who}127.0.0.1:${this.port}?prefix=${prefix}`;
  }

  /** Starts it, with what it had; it keeps a log of its writes unless told otherwise. */
  async start(...settings: readonly string[]): Promise<void> {
    const own = ['--port', String(this.port), '--dir', this.folder, '--save', '', '--requirepass', this.password];
    const ready = { says: 'stdout', ready: 'Ready to accept connections' } as const;
    await this.run('redis-server', [...own, ...(settings.length === 0 ? DURABLE : settings)], ready);
  }
}
