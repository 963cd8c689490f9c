/**
 * How much of anything a request may bring. Knows numbers only; imports nothing, so that a client in a browser may read
 * them.
 */

/** Bounds of every list, text and number that comes in over HTTP. Lengths are in UTF-16 units. */
export const LIMITS = {
  idLength: 256,
  queryLength: 500,
  /** Events of a session that come with a request for recommendations. */
  sessionEvents: 200,
  /** Events of one call. */
  events: 5000,
  /** Items or users of one call. */
  upserts: 1000,
  /** Attributes of an item or a user. */
  attributes: 64,
  attributeNameLength: 64,
  attributeValueLength: 4000,
  attributeValues: 100,
  /** Recommendations of one answer. */
  k: 500,
  excluded: 10_000,
  filters: 16,
  filterValues: 200,
  reasons: 10,
  /** Items that a search showed. */
  results: 200,
  deadlineMilliseconds: 60_000,
  /** Entries of one answer that lists people, items or queries. */
  listed: 100,
  /** Where such an answer may begin. */
  listedUpTo: 100_000,
  /** Entries of a timeline, the newest. */
  timeline: 10_000,
  /** Runs and comparisons that are listed. */
  experiments: 500,
  /** Trainings that are watched at once, by all. */
  watched: 32,
  /** How deep JSON may be nested. */
  depth: 16,
  idempotencyKeyLength: 128,
} as const;
