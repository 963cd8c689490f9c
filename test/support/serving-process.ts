/** `sesrec serve` as a process of its own, to be killed, overrun and looked into. Knows how it is started; does not know what is tested. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { BIN } from './command-line.js';

export interface ServingProcess extends AsyncDisposable {
  readonly url: string;
  readonly adminUrl: string;
  readonly child: ChildProcess;
  /** What it wrote to standard error so far. */
  readonly log: () => string;
  /** `kill -9`, and its end. */
  readonly kill: () => Promise<void>;
}

/** Starts one and waits until it is ready. It ends with the scope that it is used in. */
export async function serveProcess(run: string, store: string, ...flags: readonly string[]): Promise<ServingProcess> {
  const own = ['--port', '0', '--admin-port', '0', '--threads', '1', '--store', store, '--json'];
  const child = spawn(process.execPath, [BIN, 'serve', run, ...own, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const closed = once(child, 'close');
  const told = await new Promise<string>((resolve, reject) => {
    let text = '';
    createInterface({ input: child.stdout }).on('line', (line) => {
      text += line;
      if (line === '}') resolve(text);
    });
    closed.then(([code]) => reject(new Error(`ended with ${code}: ${log}`)), reject);
  });
  const { url, adminUrl } = JSON.parse(told) as { url: string; adminUrl: string };
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await closed;
  };
  const isReady = async (): Promise<boolean> =>
    fetch(`${url}/health/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (child.exitCode === null && !(await isReady())) await sleep(20);
  return {
    url,
    adminUrl,
    child,
    log: () => log,
    kill: async () => end('SIGKILL'),
    [Symbol.asyncDispose]: async () => end('SIGTERM'),
  };
}
