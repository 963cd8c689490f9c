/**
 * Where the actions of a timeline stand. Knows orders, times and pixels; draws nothing.
 *
 * Lanes are laid out along one axis: by order, every action a step on, or by time, where actions that would cover each other are stacked.
 */
import type { TimelineEntry } from '../../../serve/schemas/index.js';

export type Axis = 'order' | 'time';
export type Lane = TimelineEntry['type'];
/** The feed above, searches below. */
export const LANES = ['feed', 'search'] as const;

export interface Placed {
  readonly entry: TimelineEntry;
  /** In pixels from the beginning of the timeline. */
  readonly x: number;
  /** How far off its lane, in places: 0 on it. */
  readonly level: number;
}

export interface Layout {
  /** In order of what happened. */
  readonly all: readonly Placed[];
  readonly lanes: Readonly<Record<Lane, readonly Placed[]>>;
  readonly byOrdinal: ReadonlyMap<number, Placed>;
  /** Whether actions may stand above each other. */
  readonly isStacked: boolean;
  readonly width: number;
  /** Pixels between neighbours, on average. */
  readonly step: number;
  readonly ticks: readonly { readonly x: number; readonly time: string }[];
  /** Where what the model sees begins in each lane; null where it sees nothing of it. */
  readonly seenFrom: Readonly<Record<Lane, number | null>>;
  readonly maxWeight: Readonly<Record<Lane, number>>;
}

/** Room before the first and behind the last action: labels lean to the right. */
export const BEFORE = 84;
export const BEHIND = 152;
/** Pixels between neighbours, where there are few. */
const FAR_APART = 110;
const BETWEEN_TICKS = 112;
const MOST_LEVELS = 5;
const STACKED = 13;

export function layOut(timeline: readonly TimelineEntry[], axis: Axis, least: number, step: number): Layout {
  const entries = timeline.toSorted((a, b) => a.ordinal - b.ordinal);
  const times = entries.map(({ time }) => (time === null ? null : Date.parse(time)));
  const known = times.filter((time) => time !== null);
  const [first, last] = [Math.min(...bounds(known)), Math.max(...bounds(known))];
  const byTime = axis === 'time' && last > first;
  const gaps = entries.length - 1;
  const shown = least - BEFORE - BEHIND;
  const room = Math.max(gaps * step, byTime ? shown : Math.min(shown, gaps * FAR_APART), 1);
  const along = (i: number): number =>
    byTime ? ((times[i] ?? first) - first) / (last - first) : entries.length > 1 ? i / (entries.length - 1) : 0.5;
  const taken: Record<Lane, number[]> = { feed: [], search: [] };
  const all = entries.map((entry, i): Placed => {
    const x = BEFORE + along(i) * room;
    return { entry, x, level: byTime ? levelFor(taken[entry.type], x) : 0 };
  });
  const of = (lane: Lane): Placed[] => all.filter(({ entry }) => entry.type === lane);
  const lanes = { feed: of('feed'), search: of('search') };
  const perLane = <Value>(value: (placed: readonly Placed[]) => Value): Record<Lane, Value> => ({
    feed: value(lanes.feed),
    search: value(lanes.search),
  });
  return {
    all,
    lanes,
    byOrdinal: new Map(all.map((placed) => [placed.entry.ordinal, placed])),
    isStacked: byTime,
    width: room + BEFORE + BEHIND,
    step: room / Math.max(1, entries.length - 1),
    ticks: ticksOf(all),
    seenFrom: perLane((placed) => placed.find(({ entry }) => entry.seen)?.x ?? null),
    maxWeight: perLane((placed) => placed.reduce((most, { entry }) => Math.max(most, entry.weight ?? 0), 0)),
  };
}

/** A place as a share of the way from the first action to the last, which is the same however wide the layout is. */
export const shareAt = ({ width }: Layout, x: number): number => (x - BEFORE) / (width - BEFORE - BEHIND);

/** Where such a place lies. */
export const placeOf = ({ width }: Layout, share: number): number => BEFORE + share * (width - BEFORE - BEHIND);

/** The first and the last of what is in order; a spread of many would be too much for a call. */
const bounds = (values: readonly number[]): number[] => (values.length === 0 ? [0, 0] : [values[0]!, values.at(-1)!]);

/** The nearest level at which nothing stands yet so close; the last one where all are taken. */
function levelFor(taken: number[], x: number): number {
  const free = taken.findIndex((last) => x - last >= STACKED);
  const level = free >= 0 ? free : Math.min(taken.length, MOST_LEVELS);
  taken[level] = x;
  return level;
}

/** A time wherever it says something new and has room. */
function ticksOf(all: readonly Placed[]): { x: number; time: string }[] {
  const ticks: { x: number; time: string }[] = [];
  let day = '';
  for (const { x, entry } of all) {
    if (entry.time === null || entry.time.slice(0, 10) === day) continue;
    if (ticks.length > 0 && x - ticks.at(-1)!.x < BETWEEN_TICKS) continue;
    day = entry.time.slice(0, 10);
    ticks.push({ x, time: entry.time });
  }
  return ticks;
}

/** The first of what is in order by `x` that is not before a place. */
export function firstFrom(placed: readonly Placed[], x: number): number {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle]!.x < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The action of a lane that is nearest to a place, if one is within reach. */
export function nearest(placed: readonly Placed[], x: number, level: number, reach: number): Placed | null {
  let best: Placed | null = null;
  let distance = reach;
  for (let i = firstFrom(placed, x - reach); i < placed.length && placed[i]!.x <= x + reach; i++) {
    const far = Math.hypot(placed[i]!.x - x, (placed[i]!.level - level) * STACKED);
    if (far <= distance) [best, distance] = [placed[i]!, far];
  }
  return best;
}
