/**
 * From scores to a list: what may stand in it, how many of a kind, what is drawn. Knows items by index and their scores; does not know
 * how scores come about.
 */
import { Largest, type Random } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';

/** Scored items: all of the catalogue by index, or those named, in ascending order. */
export interface Scored {
  readonly scores: ArrayLike<number>;
  readonly items?: Int32Array;
}

export interface Selection {
  readonly count: number;
  readonly allows: (item: number) => boolean;
  /** At most so many items of one group; an item may be in several. */
  readonly cap: { readonly groups: (item: number) => readonly string[]; readonly most: number } | null;
  /** Items that stand there already: not taken again, and counted by the cap. */
  readonly taken: readonly number[];
  /** The share of places that are drawn, and what draws them. */
  readonly explore: { readonly share: number; readonly random: Random } | null;
}

export interface Selected {
  readonly item: number;
  readonly score: number;
  /** How likely it was to stand here, those before it standing where they do; 1 without exploration. */
  readonly probability: number;
  readonly isDrawn: boolean;
}

/** Items that a drawn place is drawn from, at least: the best that are left. */
const POOL = 100;

/** The best items that are allowed, best first, equal ones by smaller index. */
export function select(scored: Scored, selection: Selection): Selected[] {
  const { count, explore } = selection;
  const total = scored.scores.length;
  const draws: Draw[] = [];
  const needed = explore ? count + Math.max(POOL, count) : count;
  // with a cap more must be looked at, nobody knows how many
  for (let looked = selection.cap ? 4 * needed + 100 : needed; ; looked *= 4) {
    const best = bestOf(scored, looked, selection);
    const { selected, isWhole } = take(best, selection, draws);
    if (isWhole || best.length < looked || looked >= total) return selected;
  }
}

/** What decides one place: whether it is drawn, and which it is; uniform in [0, 1). When more is looked at, the places that were decided come out again. */
type Draw = readonly [isDrawn: number, which: number];

function bestOf({ scores, items }: Scored, count: number, { allows, taken }: Selection): readonly [number, number][] {
  const already = new Set(taken);
  const itemAt = (place: number): number => (items ? (items[place] as number) : place);
  const largest = new Largest(count);
  largest.offer(scores, 0, (place) => {
    const item = itemAt(place);
    return item >= FIRST_INDEX && !already.has(item) && allows(item);
  });
  return largest.sorted().map(({ index, value }) => [itemAt(index), value]);
}

/** `isWhole`: nothing that was not looked at could have stood here, or been drawn. */
function take(
  best: readonly [number, number][],
  { count, cap, taken, explore }: Selection,
  draws: Draw[],
): { readonly selected: Selected[]; readonly isWhole: boolean } {
  const groups = new Map<string, number>();
  const enter = (item: number): void => {
    for (const group of cap?.groups(item) ?? []) groups.set(group, (groups.get(group) ?? 0) + 1);
  };
  const fits = (item: number): boolean =>
    !cap || cap.groups(item).every((group) => (groups.get(group) ?? 0) < cap.most);
  for (const item of taken) enter(item);
  let left = [...best];
  const selected: Selected[] = [];
  const wanted = Math.max(POOL, count);
  let isWhole = true;
  while (selected.length < count) {
    const firstFit = left.findIndex(([item]) => fits(item));
    if (firstFit < 0) return { selected, isWhole: false };
    let place = firstFit;
    let [probability, isDrawn] = [1, false];
    if (explore) {
      left = left.filter(([item]) => fits(item));
      const pool = Math.min(left.length, wanted);
      isWhole &&= pool === wanted;
      const draw = (draws[selected.length] ??= [explore.random.float(), explore.random.float()]);
      isDrawn = draw[0] < explore.share;
      place = isDrawn ? Math.floor(draw[1] * pool) : 0;
      probability = (place === 0 ? 1 - explore.share : 0) + explore.share / pool;
    }
    const [[item, score]] = left.splice(place, 1) as [[number, number]];
    enter(item);
    selected.push({ item, score, probability, isDrawn });
  }
  return { selected, isWhole };
}
