/** Numbers of things, as English says them. */

/** A count with its thousands apart: 1,000. */
export const counted = (count: number): string => count.toLocaleString('en-US');

/** So many of something: 1 seed, 3 seeds; 1 query, 2 queries. */
export const countOf = (count: number, one: string, many = `${one}s`): string =>
  `${counted(count)} ${count === 1 ? one : many}`;
