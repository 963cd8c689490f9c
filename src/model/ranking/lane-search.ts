/**
 * A search for candidates that asks for scores again and again, each time for items that the scores before it pointed to: on the thread where
 * the model runs, so that a request crosses threads once. Knows lanes, states and programs; does not know how candidates are found, which a
 * module of the caller's does (`OpenFinder`). The thread's side is scoring-on-lane.ts.
 */
import { getOrCreate } from '../../base/index.js';
import type { Companion } from '../../tensor/index.js';
import type { Encoding } from './case-encoder.js';
import type { Items } from './catalogue-stretches.js';
import { type EncodedState, inputsOf } from './encoded-state.js';
import type { LaneQuestion, LaneTold } from './lane-messages.js';
import { type Lanes, inputsFor } from './lanes.js';
import type { Scorer } from './scoring-programs.js';

/** A way to search, for one model. Questions and what is found are copied between threads. */
export class CandidateSearch<Question, Found> {
  /** Never there: ties a search to its questions. */
  declare readonly asks?: (question: Question) => Found;
  readonly finder: URL;
  readonly given: unknown;
  readonly sizes: readonly number[];
  readonly companions = new Map<number, Promise<Companion>>();

  /**
   * @param finder the module, whose `open` is an `OpenFinder`
   * @param given what `open` is given; memory that threads share stays shared
   * @param sizes how many items are scored at once: each is a program, and fewer items take as long
   */
  constructor(finder: URL, given: unknown, sizes: readonly number[]) {
    this.finder = finder;
    this.given = given;
    this.sizes = [...new Set(sizes)].sort((a, b) => a - b);
  }
}

const encodingBy = ({ compiled: { program }, given }: Encoding): LaneQuestion['encode'] => ({
  program: program.number,
  inputs: inputsFor(program, given),
});

/** Searches on a lane, where all programs are compiled for. `from`: the state of the history, or what encodes it on the way. */
export async function searchOnLane<Question, Found extends object>(
  lanes: Lanes,
  lane: number,
  search: CandidateSearch<Question, Found>,
  {
    items: { vectors, width, reach: reachOfItems },
    scorers,
    from,
    reach,
    question,
  }: {
    readonly items: Items;
    readonly scorers: readonly (Scorer & { readonly size: number })[];
    readonly from: Encoding | EncodedState;
    /** The output that tells how far a state that is encoded on the way may be trusted, and how far it must. */
    readonly reach: { readonly output: string; readonly most: number } | null;
    readonly question: Question;
  },
): Promise<LaneTold<Found>> {
  const module = new URL('scoring-on-lane.js', import.meta.url);
  const bring = async (): Promise<Companion> =>
    lanes.bring(lane, module, { finder: search.finder.href, given: search.given });
  const companion = await getOrCreate(search.companions, lane, bring);
  const asked = (held: readonly number[]): LaneQuestion => ({
    ...('values' in from ? { encode: null, state: inputsOf(from.values) } : { encode: encodingBy(from), state: null }),
    scorers: scorers.map(({ size, compiled, output }) => ({ size, program: compiled.program.number, output })),
    vectors,
    width,
    reach: reach && { ...reach, ofItems: reachOfItems },
    held,
    question,
  });
  return (await lanes.ask(lane, companion, asked)) as LaneTold<Found>;
}
