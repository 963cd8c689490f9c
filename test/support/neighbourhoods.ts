/** Neighbourhoods of a batch, read back from its inputs. Knows how a batch holds them; does not know which there should be. */
import type { Batch, Neighbour } from '../../src/features/index.js';

/** A neighbour, and its own. */
export interface Surrounded extends Neighbour {
  readonly around: readonly Neighbour[];
}

/** K1 and K2. */
export interface Counts {
  readonly context: number;
  readonly neighbours: number;
}

/** What lies at the places of an input, null where there is nothing. */
function placesOf({ inputs, ids }: Batch, name: string, kind: 'item' | 'user'): (Neighbour | null)[] {
  const [nodes, queries] = [inputs[`${kind}Ends`] as Int32Array, inputs[`${kind}EndsQuery`] as Int32Array];
  const mask = inputs[`${name}Mask`] as Float32Array;
  return Array.from(inputs[name] as Int32Array, (end, place) =>
    mask[place] === 0
      ? null
      : {
          node: ids[`${kind}s`][nodes[end] as number] as number,
          query: ids.queries[queries[end] as number] as number,
        },
  );
}

/** Groups of some neighbours, each with those that lie at its places further out. */
function surrounded(
  inner: readonly (Neighbour | null)[],
  outer: readonly (Neighbour | null)[],
  size: number,
): Surrounded[][] {
  const width = outer.length / inner.length;
  return Array.from({ length: inner.length / size }, (_, group) =>
    inner.slice(group * size, (group + 1) * size).flatMap((neighbour, i) => {
      const start = (group * size + i) * width;
      return neighbour
        ? [{ ...neighbour, around: outer.slice(start, start + width).filter((one) => one !== null) }]
        : [];
    }),
  );
}

/** The items that each row's user met, with the other users who did. */
export const contextsOf = (batch: Batch, { context }: Counts, name: 'context' | 'searchContext'): Surrounded[][] =>
  surrounded(placesOf(batch, name, 'item'), placesOf(batch, `${name}Users`, 'user'), context);

/** The users who met each item (`candidate`, `searchCandidate`: by row; `item`: by slot), with what else they met. */
export const meetersOf = (
  batch: Batch,
  { neighbours }: Counts,
  name: 'candidate' | 'searchCandidate' | 'item',
): Surrounded[][] =>
  surrounded(placesOf(batch, `${name}Users`, 'user'), placesOf(batch, `${name}Items`, 'item'), neighbours);
