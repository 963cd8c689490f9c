/**
 * How far the tests of docs/guarantees.md go: a short form for every day, the full one with SESREC_SOAK=1 (`npm run soak`). Knows
 * numbers; does not know what is killed or damaged. Every test of the campaign takes its numbers from here, so that both forms are
 * the same tests.
 */
const given = (name: string, otherwise: number): number => Number(process.env[name] ?? otherwise);

/** Whether this is the full form. */
export const IS_SOAK = process.env['SESREC_SOAK'] === '1';

/** For whatever is drawn: other moments, other damage. */
export const SEED = given('SESREC_TEST_SEED', 1);

/** Processes that are killed, for every kind of kill. */
export const KILLS = given('SESREC_KILLS', IS_SOAK ? 100 : 4);

/** Damaged inputs, for every target that is read in a millisecond or so. */
export const FUZZ_CASES = given('SESREC_FUZZ_CASES', IS_SOAK ? 100_000 : 2_000);

/** A number that is large in the full form: for what a minute of every day cannot hold. Say in docs/guarantees.md which. */
export const inSoak = (daily: number, full: number): number => (IS_SOAK ? full : daily);
