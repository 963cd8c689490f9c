/** What it is to be a trouble of a log. Knows no trouble. */

/** `error`: the log says something that cannot be true, or something of it is lost. `warning`: probably wrong. `note`: good to know. */
export type Severity = 'error' | 'warning' | 'note';

/** A trouble that a log may have. */
export interface Trouble {
  readonly name: string;
  readonly severity: Severity;
  /** What was found, in the plural. */
  readonly what: string;
  readonly advice: string;
  /** Gives file, line and `what` (a text that shows the example) of every case. */
  readonly cases: string;
  /** Of logs only: what a data directory does not keep. */
  readonly ofLogs?: true;
}
