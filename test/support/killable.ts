/** A server of another make for tests, to be killed and started again. Knows its process, port and folder; does not know what it serves. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export class KillableServer {
  readonly port: number;
  protected readonly folder: string;
  protected readonly password: string;
  #process: ChildProcess | null = null;

  protected constructor(folder: string, port: number, password: string) {
    this.folder = folder;
    this.port = port;
    this.password = password;
  }

  /** Starts a program, and waits until a stream of it says that it is ready. */
  protected async run(
    program: string,
    settings: readonly string[],
    { says, ready }: { readonly says: 'stdout' | 'stderr'; readonly ready: string },
  ): Promise<void> {
    const child = spawn(program, settings, {
      stdio: ['ignore', says === 'stdout' ? 'pipe' : 'ignore', says === 'stderr' ? 'pipe' : 'inherit'],
    });
    this.#process = child;
    const stream = child[says];
    if (!stream) throw new Error(`${program} has no ${says}`);
    for await (const line of createInterface({ input: stream })) if (line.includes(ready)) break;
    stream.resume();
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
    await rm(this.folder, { recursive: true, force: true });
  }
}
