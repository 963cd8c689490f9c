/**
 * Every model against an oracle of its own: the same equations, read from the literature and written down in PyTorch by somebody
 * who did not write the graph (test/oracles/README.md). Weights, batch and answers are files: no Python here.
 */
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { MODEL_IDS } from '../../src/model/index.js';
import { type BatchGradients, Stepper, createOptimizer } from '../../src/train/index.js';
import { type Question, batchOf, modelOf, subjects } from '../oracles/questions.js';
import { runtimeForTests } from '../support/runtime.js';

const FOLDER = new URL('../../../test/fixtures/oracles/', import.meta.url).pathname;

/** What an oracle says, in float64. */
interface Answer {
  /** (B,C), row-major. */
  readonly logits: readonly number[];
  readonly losses: Readonly<Record<string, number>>;
  readonly gradients: Readonly<Record<string, GradientAnswer>>;
}

/** Every `step`-th entry of a gradient; where that is not every one, also its products with sin(i + 1) and cos(i + 1), and its norm. */
interface GradientAnswer {
  readonly entries: readonly number[];
  readonly step: number;
  readonly sums?: readonly [number, number];
  readonly norm?: number;
}

/** How far float32 may be off, relative to the largest entry of what is compared, but no less than to FLOOR. Seen: up to 4e-6. */
const BOUND = 2e-5;
/** Entries below it, of a gradient that has no larger ones, are noise beside those of the other gradients. */
const FLOOR = 1e-2;

const runtime = runtimeForTests();

function close(actual: ArrayLike<number>, expected: readonly number[], what: string, scale = 0): void {
  assert.equal(actual.length, expected.length, what);
  const size = expected.reduce((largest, value) => Math.max(largest, Math.abs(value)), Math.max(scale, FLOOR));
  expected.forEach((value, i) => {
    const error = Math.abs((actual[i] as number) - value) / size;
    assert.ok(error < BOUND, `${what} ${i}: ${actual[i]}, the oracle says ${value}`); // NaN is not below it
  });
}

/** The gradient of a parameter, (…shape) row-major: that of a table has zeros where the batch had no business. */
function wholeGradient({ dense, rows }: BatchGradients, name: string, length: number, width: number): Float32Array {
  const found = dense.get(name);
  if (found) return found;
  const whole = new Float32Array(length);
  const own = rows.get(name);
  own?.rows.forEach((row, at) => whole.set(own.values.subarray(at * width, (at + 1) * width), row * width));
  return whole;
}

function closeGradient(actual: Float32Array, expected: GradientAnswer, what: string): void {
  const { entries, step, sums, norm = 0 } = expected;
  close(
    actual.filter((_, i) => i % step === 0),
    entries,
    what,
  );
  if (!sums) return;
  const product = (weight: (angle: number) => number): number =>
    actual.reduce((sum, value, i) => sum + value * weight(i + 1), 0);
  close([product(Math.sin), product(Math.cos)], sums, `${what}, summed up`, norm);
}

for (const name of Object.keys(subjects)) {
  describe(`the oracle of ${name}`, () => {
    const file = `${FOLDER}${name}.json`;
    test('has the same logits, losses and gradients', async () => {
      const question = JSON.parse(readFileSync(file, 'utf8')) as Question & { readonly answer: Answer };
      const { logits, losses, gradients } = question.answer;
      const { model, parameters } = modelOf(question);
      const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay: 0 }));
      const found = await stepper.gradients([batchOf(question)], new Random('no dropout'), true);
      close(found.details['logits'] as Float32Array, logits, 'logit');
      assert.deepEqual(Object.keys(found.losses).sort(), Object.keys(losses).sort());
      for (const [loss, value] of Object.entries(losses)) close([found.losses[loss] as number], [value], loss);
      assert.deepEqual(parameters.descriptions.map(({ name }) => name).sort(), Object.keys(gradients).sort());
      for (const { name, shape } of parameters.descriptions) {
        const { length } = parameters.get(name);
        const actual = wholeGradient(found, name, length, shape.at(-1) ?? 1);
        closeGradient(actual, gradients[name] as GradientAnswer, `gradient by ${name}`);
      }
    });
  });
}

test('every model has an oracle', () => {
  const asked = new Set(Object.values(subjects).map(({ id }) => id));
  assert.deepEqual(
    MODEL_IDS.filter((id) => !asked.has(id)),
    [],
  );
  assert.deepEqual(
    readdirSync(FOLDER).sort(),
    Object.keys(subjects)
      .map((name) => `${name}.json`)
      .sort(),
  );
});
