/** A nats-server of its own for tests, to be killed and started again. Knows how it is started; does not know what is tested. */
import { spawnSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KillableServer, freePort } from './killable.js';

/** For `skip`: false where there is a nats-server. */
export const WITHOUT_NATS =
  spawnSync('nats-server', ['--version']).status === 0 ? false : 'there is no nats-server here';

export class NatsProcess extends KillableServer {
  static async start(password: string): Promise<NatsProcess> {
    const nats = new NatsProcess(await mkdtemp(join(tmpdir(), 'sesrec-nats-')), await freePort(), password);
    await nats.start();
    return nats;
  }

  get url(): string {
    return `nats://sesrec:${this.password}@127.0.0.1:${this.port}`;
  }

  /** Starts it, with what it had. */
  async start(): Promise<void> {
    const settings = ['-js', '-sd', this.folder, '-a', '127.0.0.1', '-p', String(this.port)];
    const ready = { says: 'stderr', ready: 'Server is ready' } as const;
    await this.run('nats-server', [...settings, '--user', 'sesrec', '--pass', this.password], ready);
  }
}
