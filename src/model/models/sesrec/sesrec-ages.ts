/**
 * Numbers by kind of age (features/search-ages.ts), learnt from where they usually end. Knows kinds of ages; does not know what is
 * weighed by them.
 */
import { AGE_KINDS, ageOf } from '../../../features/index.js';
import { type Tensor, ops } from '../../../tensor/index.js';
import { type Scope, initialisers } from '../../layers/layers.js';

/** Weights that are single numbers have further to go than those of matrices, and the same steps to go it in. */
export const LOUDER = 10;

/** Logarithm: two searches older, e times less; made since the newest feed event, e times more. */
export function recencyOf(kind: number): number {
  const { age, isSince } = ageOf(kind);
  return (isSince ? 1 : 0) - (age - 1) / 2;
}

const byKind = (value: (kind: number) => number): Tensor =>
  ops.constant(
    Array.from({ length: AGE_KINDS }, (_, kind) => value(kind)),
    [AGE_KINDS],
  );

/** 1 for every kind but that of what is not known. */
export const knownKinds = byKind((kind) => Math.min(1, kind));

/** Numbers by kind, which begin with `start`. (kinds). */
export function learntByKind(scope: Scope, name: string, start: (kind: number) => number): Tensor {
  const learnt = scope.parameter(name, [AGE_KINDS], initialisers.constant(0));
  return ops.add(byKind(start), ops.mul(learnt, LOUDER));
}
