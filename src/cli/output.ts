/** Where the command line writes. Knows the two streams; does not know what is said. */

/** One JSON document on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Text on standard output: the answer to the command. */
export function printText(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A remark on standard error: progress and warnings, never the answer. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
