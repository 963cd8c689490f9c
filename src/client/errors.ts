/** What can go wrong between a client and a server. Knows problems of RFC 9457; does not know requests. */
import type { Problem } from '../serve/schemas/index.js';

/** An answer that is none. `status` 0: there was no answer at all. */
export class SesrecError extends Error {
  override readonly name = 'SesrecError';
  readonly status: number;
  /** The server's word for it (docs/serving.md); `network` or `timeout` where it was not reached in time. */
  readonly code: string;
  /** What the server said, where it said anything that we understand. */
  readonly problem: Problem | null;
  /** Milliseconds that the server asks to wait; null where it does not. */
  readonly retryAfter: number | null;

  constructor(
    message: string,
    {
      status = 0,
      code,
      problem = null,
      retryAfter = null,
      cause,
    }: { status?: number; code: string; problem?: Problem | null; retryAfter?: number | null; cause?: unknown },
  ) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** Whether the same may work a little later. A 500 is a bug, which seconds do not mend: what it costs to come to it is not asked for again. */
  get isPassing(): boolean {
    return ['network', 'in_progress'].includes(this.code) || [408, 429].includes(this.status) || this.status > 500;
  }
}

/** The error that an answer with a status from 400 on is. */
export async function errorOf(response: Response): Promise<SesrecError> {
  const { status } = response;
  const found = (await response.json().catch(() => null)) as Problem | null;
  const problem = typeof found?.code === 'string' ? found : null;
  return new SesrecError(problem?.detail ?? `the server answered ${status}`, {
    status,
    code: problem?.code ?? `http_${status}`,
    problem,
    retryAfter: waitOf(response.headers.get('retry-after')),
  });
}

/** Retry-After: seconds, or a date. */
function waitOf(header: string | null): number | null {
  if (header === null) return null;
  const seconds = Number(header);
  const milliseconds = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(milliseconds) ? null : Math.max(0, milliseconds);
}
