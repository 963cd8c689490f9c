/** Encoded histories as they leave one graph and enter another. Knows arrays and shapes; does not know what a state is made of. */
import type { Scope } from '../layers/layers.js';
import type { State } from '../definition/model.js';
import type { Shape, Tensor } from '../../tensor/index.js';

/** Encoded histories of some cases: arrays (cases, …) by the keys of the state, and the shapes of one case's. */
export interface EncodedState {
  readonly values: Readonly<Record<string, Float32Array>>;
  readonly shapes: ReadonlyMap<string, Shape>;
}

const inputOf = (name: string): string => `state ${name}`;

/** A state as the inputs of another graph. */
export function stateInputs(scope: Scope, shapes: EncodedState['shapes'], users: number): State {
  return Object.fromEntries(
    [...shapes].map(([name, shape]): [string, Tensor] => [name, scope.input(inputOf(name), [users, ...shape])]),
  );
}
/** What goes into the inputs of `stateInputs`. */
export const inputsOf = (values: EncodedState['values']): Record<string, Float32Array> =>
  Object.fromEntries(Object.entries(values).map(([name, array]) => [inputOf(name), array]));
/** Tells programs for states of other shapes apart. */
export const shapesKey = (shapes: EncodedState['shapes']): string =>
  [...shapes.values()].map((shape) => shape.join('x')).join(' ');

/** Cases [start, end) of a state of some cases. */
export function rowsOf({ values, shapes }: EncodedState, rows: number, start: number, end: number): EncodedState {
  const own = Object.entries(values).map(([key, array]) => {
    const length = array.length / rows;
    return [key, array.slice(start * length, end * length)];
  });
  return { values: Object.fromEntries(own) as EncodedState['values'], shapes };
}
