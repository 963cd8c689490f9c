/**
 * Stops at the first number that is none. Knows the parts of a step and how a batch is told to a person; does not know
 * what made the number, nor what was saved before.
 */
import { NotFiniteError, isFiniteEverywhere } from '../base/index.js';
import type { Dataset } from '../data/index.js';
import type { Case } from '../features/index.js';
import type { BatchGradients } from './batch-gradients.js';

/** Throws a `NotFiniteError` if a value is not finite. */
export function checkValues(what: string, values: Float32Array): void {
  if (isFiniteEverywhere(values)) return;
  const value = values.find((one) => !Number.isFinite(one));
  throw new NotFiniteError(`${what} became ${value}`);
}

/** Throws a `NotFiniteError` if a part of the loss or any gradient is not finite: the parts first, since their sum tells less. */
export function checkGradients({ losses, dense, rows }: Pick<BatchGradients, 'losses' | 'dense' | 'rows'>): void {
  for (const [part, value] of Object.entries(losses))
    if (part !== 'loss' && !Number.isFinite(value)) throw new NotFiniteError(`the ${part} loss became ${value}`);
  if (!Number.isFinite(losses.loss)) throw new NotFiniteError(`the loss became ${losses.loss}`);
  for (const [name, values] of dense) checkValues(`the gradient of ${name}`, values);
  for (const [name, { values }] of rows) checkValues(`the gradient of ${name}`, values);
}

/** A batch in a few words: its first users by raw id, and how many rows it has. */
export function describeBatch(dataset: Dataset, cases: readonly Case[]): string {
  const users = [...new Set(cases.map(({ user }) => user))];
  const shown = users.slice(0, 3).map((user) => JSON.stringify(dataset.users.ids[user]));
  return `the batch of ${cases.length} rows of users ${shown.join(', ')}${users.length > shown.length ? ', …' : ''}`;
}
