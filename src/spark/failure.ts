/** What went wrong in Spark, in a line. Knows how Spark and Java tell of errors; does not know statements. */
import { UserError } from '../base/index.js';

/** Spark could not be started, was lost, or could not do what it was asked to. */
export class SparkError extends UserError {
  override readonly name = 'SparkError';
}

const LONGEST = 300;
const CAUSE = /^Caused by: (?:[\w.$]+(?:Exception|Error|Failure)\w*: )?(.+)$/;
/** `[TABLE_OR_VIEW_NOT_FOUND] The table …` */
const CONDITION = /^(?:Error in query: )?(\[[A-Z][A-Z0-9_.]+\] .+)$/;
const THROWN = /^(?:Exception in thread "[^"]*" )?(?:[a-z]\w*\.)+[\w$]*(?:Exception|Error): (.+)$/;
const LOGGED = /^[\d/-]+[ T][\d:.,]+ (ERROR|WARN) (\S+): (.+)$/;
/** Remarks that follow from another failure, and say nothing of it. */
const AFTERMATH = /^(?:Inbox|Utils|ShutdownHookManager|NioEventLoop|HeartbeatReceiver|TransportResponseHandler)$/;

const short = (text: string): string => {
  const line = text
    .replace(/ SQLSTATE: \w+.*$/s, '')
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
};

/**
 * The first cause in what Spark wrote, a line without a stack trace: what the last exception was caused by at the bottom; else
 * the condition that Spark names; else the last error of its log. Null if nothing looks like an error.
 */
export function firstCause(lines: readonly string[]): string | null {
  const last = (pattern: RegExp): string | undefined => lines.findLast((line) => pattern.test(line));
  const condition = last(CONDITION);
  const cause = last(CAUSE);
  if (cause !== undefined) {
    const text = short(CAUSE.exec(cause)?.[1] as string);
    if (condition === undefined || lines.lastIndexOf(cause) > lines.lastIndexOf(condition)) return text;
  }
  if (condition !== undefined) return short(CONDITION.exec(condition)?.[1] as string);
  const thrown = last(THROWN);
  if (thrown !== undefined) return short(THROWN.exec(thrown)?.[1] as string);
  const logged = lines.findLast((line) => {
    const found = LOGGED.exec(line);
    return found !== null && found[1] === 'ERROR' && !AFTERMATH.test(found[2] as string);
  });
  if (logged !== undefined) return short(LOGGED.exec(logged)?.[3] as string);
  const said = lines.findLast((line) => /error|exception|not found|no such file/i.test(line));
  return said === undefined ? null : short(said);
}
