/** What a batch tells of the parameters. Knows names and sums; does not know how they are worked out, nor what becomes of them. */
import type { RowGradient } from './optimizer.js';

/** The loss and its parts by name, before their weights; the prediction is always one of them. */
export type LossParts = Readonly<Record<string, number>> & { readonly loss: number; readonly prediction: number };

/** What one batch says about the parameters. */
export interface BatchGradients {
  readonly losses: LossParts;
  readonly dense: ReadonlyMap<string, Float32Array>;
  readonly rows: ReadonlyMap<string, RowGradient>;
  /** Of the first part, when asked for: (B,C) logits, and what else the model lets be looked at. */
  readonly details: Readonly<Record<string, Float32Array>>;
  /** How long the graphs ran: the mean over the lanes that had any to run. */
  readonly milliseconds: number;
}
