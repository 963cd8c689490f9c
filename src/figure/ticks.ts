/** Where an axis of whole numbers is marked. */

/** A few whole numbers from 1 to the last, steps of the usual sizes: about `most`, and the first. */
export function wholeTicks(last: number, most: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((each) => last / each <= most) ?? Math.ceil(last / most);
  const ticks = Array.from({ length: Math.floor(last / step) }, (_, i) => (i + 1) * step);
  return step === 1 ? ticks : [1, ...ticks];
}
