/** What a caller may ask of a call. Knows no call. */

export interface CallOptions {
  readonly deadline?: number;
  readonly retries?: number;
  readonly signal?: AbortSignal;
}

export interface WriteOptions extends CallOptions {
  /** Names the write, so that it is done once however often it is sent; random unless told. */
  readonly idempotencyKey?: string;
  /** Goes on when the page is left. Bodies of at most 64 KiB. */
  readonly keepalive?: boolean;
}
