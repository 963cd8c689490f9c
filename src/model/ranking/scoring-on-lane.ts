/**
 * The thread's side of lane-search.ts: encodes a history, unless it is encoded, and scores what a finder asks for. Runs on the thread of a lane,
 * and therefore imports nothing that a thread does not need. Knows programs by number; does not know what they compute, nor what is looked for.
 */
import { copyRows, getOrCreate } from '../../base/index.js';
import type { OpenCompanion, RunHere, Told } from '../../tensor/index.js';
import { isWithinReach } from './catalogue-stretches.js';
import { inputsOf } from './encoded-state.js';
import type { LaneQuestion, LaneTold, OpenFinder, ScoreItems } from './lane-messages.js';

export const open: OpenCompanion = async (
  { finder, given }: { readonly finder: string; readonly given: unknown },
  run: RunHere,
) => {
  const { open: openFinder } = (await import(finder)) as { open: OpenFinder<unknown, unknown, unknown> };
  const find = openFinder(given);
  /** Vectors of what is scored, by how many: what an earlier question left behind the last one is scored and not looked at. */
  const rooms = new Map<number, Float32Array>();
  return async (asked: LaneQuestion): Promise<Told> => {
    const { encode, scorers, vectors, width, reach, held } = asked;
    const state = encode && ((await run(encode.program, encode.inputs, held)) as Record<string, Float32Array>);
    const transfer = Object.values(state ?? {}).map(({ buffer }) => buffer as ArrayBuffer);
    const isTrusted = !state || !reach || isWithinReach(state[reach.output] as Float32Array, reach.ofItems, reach.most);
    if (!isTrusted) return { value: { state: null, found: null } satisfies LaneTold<unknown> };
    const inputs = state ? inputsOf(state) : asked.state;
    const score: ScoreItems = async (items) => {
      const scorer = scorers.find(({ size }) => size >= items.length);
      if (!scorer) throw new Error(`internal error: ${items.length} items are more than are scored at once`);
      const room = getOrCreate(rooms, scorer.size, () => new Float32Array(scorer.size * width));
      const rows = copyRows(vectors, width, items, room);
      const results = await run(scorer.program, { ...inputs, vectors: rows }, held);
      return (results[scorer.output] as Float32Array).subarray(0, items.length);
    };
    return { value: { state, found: await find(asked.question, score) } satisfies LaneTold<unknown>, transfer };
  };
};
