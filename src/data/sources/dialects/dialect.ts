/**
 * Where engines differ in what becomes of entries (`../settle.ts`) and of tables (`../../prepare.ts`): a word for everything that
 * leaves the SQL that all of them read. Knows what each word means; how an engine says it is said in a file for each. Reading
 * records has no such choice: it is DuckDB's wherever it happens (`../dialect.ts`).
 */

/** The words of an engine. */
export interface Dialect {
  /** The type of texts. */
  readonly text: string;
  /** The type of bytes. */
  readonly bytes: string;
  /** A text of ours as a literal. */
  readonly literal: (text: string) => string;
  /** The first ten bytes of the SHA-256 of a text. */
  readonly fingerprint: (text: string) => string;
  /** A text in quotes, cut, for messages. */
  readonly shown: (text: string) => string;
  /** The members of a JSON object, made of names and SQL texts; nulls are left out. */
  readonly jsonObject: (members: readonly (readonly [name: string, text: string])[]) => string;
  /** Of a group, the value of `column` where `by` is least, even if it is null there. */
  readonly atFirst: (column: string, by: string) => string;
  /**
   * The rows of a query, which has the column `query`, and beside them `compared`: the query as it is compared, `normaliseQuery` of
   * `../../vocabulary.ts`.
   */
  readonly withComparedQuery: (rows: string) => string;
  /** The type of a list of clicks, each `item`, `ordinal`, `time`. */
  readonly clicks: string;
  /** Of a group of clicks, that list in the order of ordinals. */
  readonly clicksInOrder: string;
  /** An empty list. */
  readonly emptyList: string;
}
