/** Where the command line writes. Knows the two streams; does not know what is said. */
import { AsyncLocalStorage } from 'node:async_hooks';

/** One JSON document on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Text on standard output: the answer to the command. */
export function printText(text: string): void {
  process.stdout.write(`${text}\n`);
}

const speaker = new AsyncLocalStorage<string>();

/** Does some work whose remarks say what they are about, because other work goes on beside it. */
export const speakingAs = <Result>(name: string, work: () => Result): Result => speaker.run(name, work);

/** A remark with the name of the work that it is of, where that has one. */
export function spoken(text: string): string {
  const name = speaker.getStore();
  return name === undefined ? text : `${name}: ${text}`;
}

/** A remark on standard error: progress and warnings, never the answer. */
export function note(text: string): void {
  process.stderr.write(`${spoken(text)}\n`);
}
