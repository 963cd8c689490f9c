/** A redis-server of its own for tests, to be killed and started again. Knows how it is started; does not know what is tested. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

/** For `skip`: false where there is a redis-server. */
export const WITHOUT_REDIS =
  spawnSync('redis-server', ['--version']).status === 0 ? false : 'there is no redis-server here';

const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export class RedisProcess {
  readonly port: number;
  readonly #folder: string;
  readonly #password: string;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number, password: string) {
    this.#folder = folder;
    this.port = port;
    this.#password = password;
  }

  /** Starts one. @param password asked of everybody; none unless told */
  static async start(password = ''): Promise<RedisProcess> {
    const redis = new RedisProcess(await mkdtemp(join(tmpdir(), 'sesrec-redis-')), await freePort(), password);
    await redis.start();
    return redis;
  }

  /** Where a store of a name is. */
  url(prefix = 'sesrec'): string {
    const who = this.#password === '' ? '' : `:${this.#password}@`;
    return `redis://${who}127.0.0.1:${this.port}?prefix=${prefix}`;
  }

  /** Starts it, with what it had; it keeps a log of its writes unless told otherwise. */
  async start(...settings: readonly string[]): Promise<void> {
    const own = ['--port', String(this.port), '--dir', this.#folder, '--save', '', '--requirepass', this.#password];
    const child = spawn('redis-server', [...own, ...(settings.length === 0 ? DURABLE : settings)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    for await (const line of createInterface({ input: child.stdout }))
      if (line.includes('Ready to accept connections')) break;
    child.stdout.resume();
  }

  /** `kill -9`, and its end. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** It neither answers nor ends, and goes on. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }
  goOn(): void {
    this.#process?.kill('SIGCONT');
  }

  /** Kills it and removes what it had. */
  async remove(): Promise<void> {
    this.goOn();
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Waits for something to become true; a minute at most, so that a test that waits for ever fails. */
export async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(20)) if (await isSo()) return;
  throw new Error(`waited in vain: ${what}`);
}
