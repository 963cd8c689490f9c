/** What a language has to have sentences for. Knows no language. */

/** Templates; `{query}`, `{item}`, `{count}` are filled in. */
export interface Messages {
  readonly searched: string;
  /** What was searched for is not kept any more. */
  readonly searchedUnknown: string;
  readonly searchedUnknownAndChose: string;
  readonly searchedAndChose: string;
  /** Several items were chosen, of which one is named. */
  readonly searchedAndChoseMore: string;
  readonly met: string;
  /** An item that has no name, for the run does not know it. */
  readonly someItem: string;
}
