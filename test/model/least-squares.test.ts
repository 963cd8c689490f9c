import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { ridgeFit } from '../../src/model/layers/least-squares.js';
import { type Tensor, gradients, ops } from '../../src/tensor/index.js';
import { type Given, checkGradients, largestError, weightedSum } from '../support/gradient-check.js';
import { evaluate } from '../support/interpreter.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const WIDTH = 6;
const drawn = (name: string, count: number): number[] => {
  const random = new Random('least squares', name);
  return Array.from({ length: count }, () => random.normal());
};
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, at) => sum + x * (b[at] as number), 0);

/** The fit whose squared error plus penalty is least, found by descent: no formula in common with the closed form. */
function descended(instruments: readonly number[][], target: readonly number[], penalty: number): number[] {
  const theta = instruments.map(() => 0);
  const rate = 1 / (penalty + instruments.reduce((sum, z) => sum + dot(z, z), 0));
  for (let step = 0; step < 50_000; step++) {
    const error = target.map(
      (t, at) => instruments.reduce((sum, z, n) => sum + (theta[n] as number) * (z[at] as number), 0) - t,
    );
    instruments.forEach(
      (z, n) => (theta[n] = (theta[n] as number) - rate * (dot(z, error) + penalty * (theta[n] as number))),
    );
  }
  return target.map((_, at) => instruments.reduce((sum, z, n) => sum + (theta[n] as number) * (z[at] as number), 0));
}

/** Three systems: all instruments, all but the first, none. */
function system(count: number, options = { ridge: 0.05, detachProjector: false }) {
  const shapes = { instruments: [3, count, WIDTH], targets: [3, WIDTH] } as const;
  const [instruments, targets] = [
    ops.placeholder('instruments', shapes.instruments),
    ops.placeholder('targets', shapes.targets),
  ];
  const isPresent = (row: number, place: number): boolean => row === 0 || (row === 1 && place > 0);
  const mask = Array.from({ length: 3 * count }, (_, at) => (isPresent(Math.floor(at / count), at % count) ? 1 : 0));
  const given: Given = { instruments: drawn(`${count}`, 3 * count * WIDTH), targets: drawn('t', 3 * WIDTH) };
  const fit = ridgeFit(ops.mul(instruments, ops.constant(mask, [3, count, 1])), targets, options);
  return { instruments, targets, mask, given, fit, options };
}

describe('a ridge fit', () => {
  for (const count of [1, 2, 5])
    test(`of ${count} instruments has the least penalised error, and knows none that are absent`, async () => {
      const { mask, given, fit, options } = system(count);
      const found = evaluate([fit], given)[0] as Float64Array;
      const of = (key: string, at: number): number[] => (given[key] as number[]).slice(at * WIDTH, (at + 1) * WIDTH);
      const expected = [0, 1, 2].flatMap((row) => {
        const own = Array.from({ length: count }, (_, place) => row * count + place)
          .filter((at) => mask[at] === 1)
          .map((at) => of('instruments', at));
        const trace = own.reduce((sum, z) => sum + dot(z, z), 0);
        return descended(own, of('targets', row), (options.ridge * trace) / count);
      });
      assert.ok(largestError(found, expected) < 1e-9);
      const program = await runtime.compile({ fit });
      const values = Object.fromEntries(Object.entries(given).map(([key, list]) => [key, Float32Array.from(list)]));
      assert.ok(largestError((await program.run(values))['fit'] as Float32Array, expected) < 1e-5);
    });

  for (const count of [1, 2, 5])
    test(`of ${count} instruments has the gradients of finite differences`, async () => {
      const { fit, instruments, targets, given } = system(count);
      await checkGradients(runtime, weightedSum(fit), [instruments, targets], given);
    });

  test('with the inverse held constant has the gradients of everything else', () => {
    const options = { ridge: 0.05, detachProjector: true };
    const { fit, instruments, targets, given } = system(2, options);
    const found = evaluate(gradients(weightedSum(fit), [instruments, targets]), given);
    const values = given['instruments'] as number[];
    // Z^T P Z' t with P, from a copy that does not move, and two instruments: the inverse by its formula
    const constantFit = (moved: readonly number[], t: readonly number[]): number[] =>
      [0, 1, 2].flatMap((row) => {
        const part = (from: readonly number[], place: number): number[] =>
          row === 2 || (row === 1 && place === 0)
            ? Array.from({ length: WIDTH }, () => 0)
            : from.slice((2 * row + place) * WIDTH, (2 * row + place + 1) * WIDTH);
        const [a, b] = [part(values, 0), part(values, 1)];
        const penalty = (options.ridge * (dot(a, a) + dot(b, b))) / 2 + 1e-12;
        const [p, q, r] = [dot(a, a) + penalty, dot(a, b), dot(b, b) + penalty];
        const [z0, z1] = [part(moved, 0), part(moved, 1)];
        const own = t.slice(row * WIDTH, (row + 1) * WIDTH);
        const [u, v] = [dot(z0, own), dot(z1, own)];
        const [x, y] = [(r * u - q * v) / (p * r - q * q), (p * v - q * u) / (p * r - q * q)];
        return z0.map((value, at) => x * value + y * (z1[at] as number));
      });
    const weights = Array.from({ length: 3 * WIDTH }, (_, i) => Math.sin(i + 1) + 0.3); // of weightedSum
    const loss = (z: readonly number[], t: readonly number[]): number => dot(constantFit(z, t), weights);
    const t = given['targets'] as number[];
    const difference = (list: readonly number[], of: (changed: number[]) => number): number[] =>
      list.map((_, at) => {
        const by = (step: number): number => of(list.map((value, other) => (other === at ? value + step : value)));
        return (by(1e-5) - by(-1e-5)) / 2e-5;
      });
    assert.ok(
      largestError(
        found[0] as Float64Array,
        difference(values, (z) => loss(z, t)),
      ) < 1e-7,
    );
    assert.ok(
      largestError(
        found[1] as Float64Array,
        difference(t, (moved) => loss(values, moved)),
      ) < 1e-7,
    );
    const full = system(2);
    const [whole] = evaluate(gradients(weightedSum(full.fit), [full.instruments]), full.given) as [Float64Array];
    assert.ok(largestError(found[0] as Float64Array, whole) > 0.01, 'the inverse has a gradient of its own');
  });

  test('is finite for instruments that are equal, and for zeros, with all gradients', async () => {
    const { fit, instruments, targets } = system(5, { ridge: 1e-3, detachProjector: false });
    const outputs: Record<string, Tensor> = { fit };
    gradients(weightedSum(fit), [instruments, targets]).forEach((gradient, at) => (outputs[`${at}`] = gradient));
    const program = await runtime.compile(outputs);
    for (const value of [0, 1e-4, 1]) {
      const given = {
        instruments: new Float32Array(15 * WIDTH).fill(value),
        targets: Float32Array.from(drawn('t', 3 * WIDTH)),
      };
      const results = await program.run(given);
      for (const [name, values] of Object.entries(results))
        assert.ok(values.every(Number.isFinite), `${name} at ${value}`);
      if (value === 0) assert.ok((results['fit'] as Float32Array).every((entry) => entry === 0));
    }
  });
});
