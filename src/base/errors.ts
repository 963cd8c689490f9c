/**
 * The whole taxonomy of errors. Knows who is to blame and the exit code; does not know any domain.
 *
 * A `UserError` is a mistake that the person at the other end can mend: one line that says what, where and what to
 * do. Everything else is a bug and keeps its stack trace.
 */

/** A mistake of the caller: bad input, bad options, a damaged file. Printed as one line, never with a stack. */
export class UserError extends Error {
  override readonly name: string = 'UserError';
  /** Exit code of the command line. */
  readonly exitCode: number = 1;
}

/** A mistake in how a command was called: unknown option, missing argument. */
export class UsageError extends UserError {
  override readonly name = 'UsageError';
  override readonly exitCode = 2;
}

/** A file of ours that is missing, damaged or of a version this program does not read. */
export class CorruptFileError extends UserError {
  override readonly name = 'CorruptFileError';
}

/** Long work was asked to stop (Ctrl-C) and did, at a boundary from which it can resume. */
export class InterruptedError extends UserError {
  override readonly name = 'InterruptedError';
  override readonly exitCode = 130;
}

/** A number of a model became NaN or infinity. The message says which; whoever knows more adds where, and how to go on. */
export class NotFiniteError extends UserError {
  override readonly name = 'NotFiniteError';
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Fails with a bug's stack trace when an invariant of ours does not hold. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal error: ${message}`);
}
