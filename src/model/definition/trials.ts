/** What tuning tries of a model that does not say otherwise. Knows settings; does not know how trials are trained or chosen by. */

/** Settings to try on a data set: some of the model's own or of the common ones, and `learningRate`. */
export type Trial = Readonly<Record<string, unknown>>;

/** No model is given more trials than this. */
export const MOST_TRIALS = 6;

const rateAndDropout = ([learningRate, dropout]: readonly [learningRate: number, dropout: number]): Trial => ({
  learningRate,
  dropout,
});
const [bold, gentle] = [rateAndDropout([3e-3, 0.3]), rateAndDropout([1e-3, 0.1])];
const others = (
  [
    [1e-3, 0.3],
    [3e-3, 0.1],
    [1e-3, 0.5],
    [3e-3, 0.5],
  ] as const
).map(rateAndDropout);

/**
 * What is worth trying for a model that does not say otherwise. The first is what twelve of fourteen models were best with on
 * Beauty's validation (LOG, 2026-11-24), and the first few reach both learning rates.
 */
export const usualTrials: readonly Trial[] = [bold, gentle, ...others];

/** The same for models that were better with less of both there. */
export const gentleTrials: readonly Trial[] = [gentle, bold, ...others];
