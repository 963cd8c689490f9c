/**
 * The tests that a comparison keeps, for whoever looks at them later. Knows the directory; does not make, nor go on with, a
 * comparison.
 */
import { UserError } from '../../base/index.js';
import type { Protocol } from '../../evaluate/index.js';
import { nameOf } from './entries.js';
import { readPlan } from './plan.js';
import { type PerProtocol, smallestTests } from './results.js';
import { type TestRecord, readTests } from './test-ranks.js';

export interface KeptTests {
  /** The rows that were tested, in the order of the table. */
  readonly rows: readonly { readonly label: string; readonly name: string; readonly tests: readonly TestRecord[] }[];
  /** How the ranks were got, of the fewest users: all rows ranked for these. */
  readonly protocols: PerProtocol<Protocol>;
}

/** Reads what was tested up to now; a comparison without any test is a `UserError`. */
export async function readKeptTests(directory: string): Promise<KeptTests> {
  const plan = await readPlan(directory);
  if (!plan) throw new UserError(`${directory} is not a comparison: give a directory made by sesrec compare`);
  const rows = await Promise.all(
    plan.entries.map(async (entry) => ({
      label: entry.label,
      name: nameOf(entry),
      tests: await readTests(directory, entry),
    })),
  );
  const smallest = smallestTests(rows.flatMap(({ tests }) => tests));
  if (!smallest) throw new UserError(`nothing in ${directory} was tested yet: the command that made it goes on`);
  return {
    rows: rows.filter(({ tests }) => tests.length > 0),
    protocols: { sampled: smallest.sampled.protocol, full: smallest.full.protocol },
  };
}
