/** A layer with values for all that it takes, so that tests can compare it with plain loops and check its gradients. */
import assert from 'node:assert/strict';
import { Random } from '../../src/base/index.js';
import { Scope } from '../../src/model/index.js';
import { type Runtime, type Shape, type Tensor, sizeOf } from '../../src/tensor/index.js';
import { type Given, checkGradients, largestError, weightedSum } from './gradient-check.js';
import { evaluate } from './interpreter.js';

export interface Layer {
  readonly scope: Scope;
  readonly output: Tensor;
  readonly given: Given;
  /** Keys of what is differentiated: inputs that were drawn, and all parameters. */
  readonly drawn: readonly string[];
}

/**
 * Builds a layer on inputs of some shapes. Inputs that are not given, and all parameters whatever their start, are drawn from
 * [-1, 1], the same for the same `seed` and key.
 */
export function layerOf<Key extends string>(
  shapes: Readonly<Record<Key, Shape>>,
  build: (scope: Scope, inputs: Readonly<Record<Key, Tensor>>) => Tensor,
  given: Given = {},
  seed: string | number = 0,
): Layer {
  const scope = new Scope();
  const keys = Object.keys(shapes) as Key[];
  const inputs = Object.fromEntries(keys.map((key) => [key, scope.input(key, shapes[key])])) as Record<Key, Tensor>;
  const output = build(scope, inputs);
  const values: Given = { ...given };
  const drawn = [...keys, ...scope.parameters.keys()].filter((key) => !(key in given));
  for (const key of drawn) {
    const random = new Random('layer', seed, key);
    values[key] = Array.from({ length: sizeOf(scope.known(key).shape) }, () => 2 * random.float() - 1);
  }
  return { scope, output, given: values, drawn };
}

/** What the layer gives, in float64. */
export const valuesOf = ({ output, given }: Layer): Float64Array => evaluate([output], given)[0] as Float64Array;

/** Checks the layer's gradients in float64, and layer and gradients on ONNX Runtime. */
export async function checkLayer(runtime: Runtime, { scope, output, given, drawn }: Layer): Promise<void> {
  await checkGradients(
    runtime,
    weightedSum(output),
    drawn.map((key) => scope.known(key)),
    given,
  );
}

/** Values in float64 must be those of plain loops. */
export function close(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  const error = largestError(actual, expected);
  assert.ok(error <= 1e-11, `differs by ${error}`);
}

/** Reads the entries of a row-major array of some shape. */
export const reader =
  (values: ArrayLike<number>, shape: Shape) =>
  (...index: number[]): number =>
    values[shape.reduce((at, size, axis) => at * size + (index[axis] as number), 0)] as number;

/** 0, 1, … count - 1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

/** A sum of some terms. */
export const total = (terms: readonly number[]): number => terms.reduce((a, b) => a + b, 0);
