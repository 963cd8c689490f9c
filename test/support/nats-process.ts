/** A nats-server of its own for tests, to be killed and started again. Knows how it is started; does not know what is tested. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './redis-process.js';

/** For `skip`: false where there is a nats-server. */
export const WITHOUT_NATS =
  spawnSync('nats-server', ['--version']).status === 0 ? false : 'there is no nats-server here';

export class NatsProcess {
  readonly port: number;
  readonly #folder: string;
  readonly #password: string;
  #process: ChildProcess | null = null;

  private constructor(folder: string, port: number, password: string) {
    this.#folder = folder;
    this.port = port;
    this.#password = password;
  }

  static async start(password: string): Promise<NatsProcess> {
    const nats = new NatsProcess(await mkdtemp(join(tmpdir(), 'sesrec-nats-')), await freePort(), password);
    await nats.start();
    return nats;
  }

  get url(): string {
    return `nats://sesrec:${this.#password}@127.0.0.1:${this.port}`;
  }

  /** Starts it, with what it had. */
  async start(): Promise<void> {
    const settings = ['-js', '-sd', this.#folder, '-a', '127.0.0.1', '-p', String(this.port)];
    const child = spawn('nats-server', [...settings, '--user', 'sesrec', '--pass', this.#password], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    for await (const line of createInterface({ input: child.stderr })) if (line.includes('Server is ready')) break;
    child.stderr.resume();
  }

  /** `kill -9`, and its end. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
