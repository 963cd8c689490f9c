/** Compares gradients with central differences in float64, and with what ONNX Runtime computes in float32. */
import assert from 'node:assert/strict';
import type { Random } from '../../src/base/index.js';
import { type Runtime, type Tensor, gradients, ops } from '../../src/tensor/index.js';
import { evaluate, reevaluator } from './interpreter.js';

export type Given = Record<string, number[]>;

/** Largest difference of two arrays, relative to the larger of 1 and the largest entry. */
export function largestError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  assert.equal(actual.length, expected.length);
  let scale = 1;
  let error = 0;
  for (let i = 0; i < expected.length; i++) {
    scale = Math.max(scale, Math.abs(expected[i] as number));
    error = Math.max(error, Math.abs((actual[i] as number) - (expected[i] as number)));
    if (Number.isNaN(actual[i])) return NaN;
  }
  return error / scale;
}

/**
 * Checks a scalar loss: each gradient by each differentiable input against (loss(x + h) - loss(x - h)) / 2h in
 * float64, and loss and gradients on ONNX Runtime against the float64 values.
 */
export async function checkGradients(
  runtime: Runtime,
  loss: Tensor,
  inputs: readonly Tensor[],
  given: Given,
): Promise<void> {
  const gradient = gradients(loss, inputs);
  const [value, ...exact] = evaluate([loss, ...gradient], given);
  inputs.forEach((input, position) => {
    assert(input.op.name === 'input');
    const { key } = input.op;
    const analytic = exact[position] as Float64Array;
    const numeric = Float64Array.from(analytic, (_, entry) => {
      const step = 1e-5;
      const shifted = (by: number): number => {
        const values = [...(given[key] as number[])];
        values[entry] = (values[entry] as number) + by;
        return (evaluate([loss], { ...given, [key]: values })[0] as Float64Array)[0] as number;
      };
      return (shifted(step) - shifted(-step)) / (2 * step);
    });
    const error = largestError(analytic, numeric);
    assert(error < 1e-7, `gradient by ${key} differs from finite differences by ${error}`);
  });

  const named: Record<string, Tensor> = { loss };
  gradient.forEach((tensor, position) => {
    named[`gradient${position}`] = tensor;
  });
  const program = await runtime.compile(named);
  const feeds = Object.fromEntries(
    program.inputs.map(({ key, dtype }) => {
      const data = given[key] as number[];
      return [key, dtype === 'int32' ? Int32Array.from(data) : Float32Array.from(data)];
    }),
  );
  const results = await program.run(feeds);
  await program.dispose();
  assert(
    largestError(results['loss'] as Float32Array, value as Float64Array) < 1e-5,
    'the loss on ONNX Runtime differs',
  );
  exact.forEach((expected, position) => {
    const error = largestError(results[`gradient${position}`] as Float32Array, expected);
    assert(error < 2e-5, `gradient ${position} on ONNX Runtime differs by ${error}`);
  });
}

/** A scalar that depends on every entry of a tensor in its own way, so that no gradient can hide. */
export function weightedSum(x: Tensor): Tensor {
  const size = x.shape.reduce((product, length) => product * length, 1);
  const weights = Array.from({ length: size }, (_, i) => Math.sin(i + 1) + 0.3);
  return ops.reshape(ops.sum(ops.mul(x, ops.constant(weights, x.shape))), []);
}

/**
 * Checks a scalar loss of many parameters: some entries of each gradient against central differences in float64, and all of
 * them on ONNX Runtime against float64. Returns the largest entry of each gradient, by key.
 * @param least entries that are drawn per input; all of them where there are no more
 */
export async function checkSampledGradients(
  runtime: Runtime,
  loss: Tensor,
  inputs: ReadonlyMap<string, Tensor>,
  given: Readonly<Record<string, Float32Array | Int32Array>>,
  { random, least }: { random: Random; least: number },
): Promise<Map<string, number>> {
  const keys = [...inputs.keys()];
  const gradient = gradients(loss, [...inputs.values()]);
  const [value, ...exact] = evaluate([loss, ...gradient], given);
  const again = reevaluator([loss], given);
  for (const [position, key] of keys.entries()) {
    const analytic = exact[position] as Float64Array;
    const entries = random.shuffle(Int32Array.from(analytic.keys())).subarray(0, least);
    const scale = analytic.reduce((largest, entry) => Math.max(largest, Math.abs(entry)), 1);
    for (const entry of entries) {
      const step = 1e-5;
      const shifted = (by: number): number => {
        const values = Float64Array.from(given[key] as Float32Array);
        values[entry] = (values[entry] as number) + by;
        return again(key, values)[0]?.[0] as number;
      };
      const slope = (width: number): number => (shifted(width) - shifted(-width)) / (2 * width);
      const errorOf = (numeric: number): number => Math.abs((analytic[entry] as number) - numeric) / scale;
      let numeric = slope(step);
      // a steep loss bends within a step; from two steps that error, of order step^2, can be taken out (Richardson)
      if (errorOf(numeric) >= 1e-7) numeric = (4 * numeric - slope(2 * step)) / 3;
      const error = errorOf(numeric);
      assert(error < 1e-7, `gradient by ${key}, entry ${entry}: ${analytic[entry]}, finite differences say ${numeric}`);
    }
  }

  const named = Object.fromEntries(gradient.map((tensor, position) => [`gradient ${position}`, tensor]));
  const program = await runtime.compile({ ...named, loss });
  const results = await program.run(
    Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] as Float32Array])),
  );
  await program.dispose();
  assert(
    largestError(results['loss'] as Float32Array, value as Float64Array) < 1e-5,
    'the loss on ONNX Runtime differs',
  );
  for (const [position, key] of keys.entries()) {
    const error = largestError(results[`gradient ${position}`] as Float32Array, exact[position] as Float64Array);
    assert(error < 2e-5, `the gradient by ${key} on ONNX Runtime differs by ${error}`);
  }
  return new Map(
    keys.map((key, at) => [key, (exact[at] as Float64Array).reduce((most, x) => Math.max(most, Math.abs(x)), 0)]),
  );
}
