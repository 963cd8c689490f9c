/** An axis of values: from where to where, how its marks are written, and the room that takes. Knows numbers; does not draw. */

export interface ValueAxis {
  readonly domain: readonly [low: number, high: number];
  readonly tickFormat: (value: number) => string;
  /** Pixels that the longest mark takes, in letters of 12 pixels, with the stroke beside it. */
  readonly room: number;
}

/** An axis is at least so wide, as a share of its values: of one value, or of equal ones, it would have no width. */
const LEAST_WIDTH = 0.02;
const [LETTER, BESIDE, LEAST_ROOM] = [7, 20, 46];

export function valueAxis(values: readonly number[], ticks: number): ValueAxis {
  if (values.every((value) => value === 0)) return valueAxis([0, 1], ticks);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const missing = Math.max(0, LEAST_WIDTH * Math.max(Math.abs(low), Math.abs(high)) - (high - low)) / 2;
  const domain = [low - missing, high + missing] as const;
  const decimals = Math.max(0, -Math.floor(Math.log10((domain[1] - domain[0]) / ticks)));
  const tickFormat = (value: number): string => value.toFixed(decimals);
  const longest = Math.max(...domain.map((end) => tickFormat(end).length));
  return { domain, tickFormat, room: Math.max(LEAST_ROOM, BESIDE + LETTER * longest) };
}
