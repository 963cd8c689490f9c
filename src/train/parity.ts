/**
 * Compares SESRec `official` with golden vectors: what the authors' PyTorch code computed for given weights and
 * batches. Knows tolerances and what is compared with what; does not know the fixture's layout (golden.ts).
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Random, UserError, at, messageOf, readJson } from '../base/index.js';
import { BatchAssembler } from '../features/index.js';
import { type NamedTensor, type Parameters, decodeSafetensors, sesrecModel, sesrecParameters } from '../model/index.js';
import type { Runtime } from '../tensor/index.js';
import {
  GoldenCatalogue,
  type GoldenConfig,
  loadOfficial,
  officialPlace,
  officialValues,
  readBatches,
  readConfig,
  readExpected,
  readRows,
} from './golden.js';
import { createOptimizer } from './optimizer.js';
import type { BatchGradients } from './batch-gradients.js';
import { Stepper } from './step.js';

/** Tolerances that float32 allows (test/fixtures/golden/README.md). */
export const TOLERANCES = {
  scores: 1e-5,
  losses: 1e-5,
  gradients: 1e-4,
  afterStep: 2e-5,
  afterFiveSteps: 1e-4,
  lossesOfSteps: 5e-5,
} as const;
/** Below this size of g = loss gradient + decay * parameter, Adam's direction is rounding noise: an entry may differ by up to the learning rate. */
const NOISE = 1e-7;

export interface ParityReport {
  readonly ok: boolean;
  /** Largest errors. Scores, losses and parameters absolute; gradients relative to each tensor's largest entry. */
  readonly scores: number;
  readonly losses: number;
  readonly gradients: number;
  readonly afterStep: number;
  readonly afterFiveSteps: number;
  readonly lossesOfSteps: number;
  /** Positions whose side (similar, dissimilar) differs. */
  readonly masks: number;
  /** Co-attention of the batch that the fixture recorded it for (see `coattentionStep`). */
  readonly coattention: number;
  /** The step whose co-attention is nearest to that in expected.json (the fixtures hold that of the last). Reported, not judged. */
  readonly coattentionStep: number;
  /** Entries of parameters left out because their gradient is noise, after one and after five steps. */
  readonly noiseEntries: readonly [number, number];
  readonly tolerances: typeof TOLERANCES;
  /** Values that `adamCatchUp` makes of the same gradients and that are not those of `adam`, bit for bit. */
  readonly catchUpDifferences: number;
  /** What is out of tolerance. */
  readonly failures: readonly string[];
}

function largestDifference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  skip: (entry: number) => boolean = () => false,
): number {
  if (actual.length !== expected.length) return Infinity;
  let error = 0;
  for (let i = 0; i < expected.length; i++)
    if (!skip(i)) error = Math.max(error, Math.abs(at(actual, i) - at(expected, i)));
  return error;
}

/** The gradient of every parameter, whole: rows that the batch did not touch are zero. */
function fullGradients(parameters: Parameters, { dense, rows }: BatchGradients): Map<string, Float32Array> {
  return new Map(
    parameters.descriptions.map(({ name, shape }) => {
      const found = dense.get(name);
      if (found) return [name, found];
      const whole = new Float32Array(parameters.get(name).length);
      const width = shape[1] as number;
      const gradient = rows.get(name);
      gradient?.rows.forEach((row, position) =>
        whole.set(gradient.values.subarray(position * width, (position + 1) * width), row * width),
      );
      return [name, whole];
    }),
  );
}

/** Runs a fixture. */
export async function parity(directory: string, runtime: Runtime): Promise<ParityReport> {
  const file = (name: string): string => join(directory, name);
  const tensors = async (name: string): Promise<Map<string, NamedTensor>> => {
    const bytes = await readFile(file(name)).catch((error: unknown) => {
      throw new UserError(`${directory} is not a golden fixture: ${messageOf(error)}`, { cause: error });
    });
    return decodeSafetensors(bytes, file(name));
  };
  const weights = await tensors('weights.safetensors');
  const golden = (await readJson(file('config.json'))) as GoldenConfig;
  const config = readConfig(golden);
  const batches = readBatches(await readJson(file('inputs.json')), config);
  const expected = readExpected(await readJson(file('expected.json')));

  const queries = new GoldenCatalogue();
  const prepared = batches.map((batch) => readRows(batch, queries, config.window));
  const assembler = new BatchAssembler(queries.build(config, batches), config.window, { exact: true });
  const parameters = sesrecParameters(config);
  loadOfficial(parameters, weights);
  const unused = [...weights.keys()].filter(
    (key) => !parameters.descriptions.some(({ name }) => officialPlace(name).key === key),
  );
  if (unused.length > 0)
    throw new UserError(`the fixture's model has parameters that SESRec official lacks: ${unused.join(', ')}`);
  const weightDecay = golden['weight_decay'] as number;
  const model = sesrecModel(config);
  const stepper = new Stepper(model, parameters, runtime, createOptimizer({ kind: 'adam', weightDecay }));

  const twin = sesrecParameters(config);
  loadOfficial(twin, weights);
  const catchingUp = new Stepper(model, twin, runtime, createOptimizer({ kind: 'adamCatchUp', weightDecay }));

  // Entries whose effective gradient was noise at any step so far.
  const noise = new Map(parameters.descriptions.map(({ name }) => [name, new Uint8Array(parameters.get(name).length)]));
  const parameterError = async (name: string): Promise<{ error: number; noisy: number }> => {
    const state = await tensors(name);
    let error = 0;
    let noisy = 0;
    for (const { name: parameter } of parameters.descriptions) {
      const marks = noise.get(parameter) as Uint8Array;
      const [actual, wanted] = [parameters.get(parameter), officialValues(state, parameter)];
      error = Math.max(
        error,
        largestDifference(actual, wanted, (entry) => marks[entry] === 1),
      );
      // Noise is excused up to the learning rate per step, not without bound.
      const bound = (golden['lr'] as number) * stepper.steps + TOLERANCES.afterFiveSteps;
      marks.forEach((mark, entry) => {
        if (mark === 0) return;
        noisy++;
        if (Math.abs(at(actual, entry) - at(wanted, entry)) > bound) error = Infinity;
      });
    }
    return { error, noisy };
  };

  const results: BatchGradients[] = [];
  let afterStep = { error: Infinity, noisy: 0 };
  let gradientError = 0;
  for (const { rows, training } of prepared) {
    const result = await stepper.gradients([assembler.assemble(rows, training)], new Random('parity'), true);
    const whole = fullGradients(parameters, result);
    if (results.length === 0) {
      const state = await tensors('gradients.safetensors');
      for (const [name, gradient] of whole) {
        const wanted = officialValues(state, name);
        // relative to the whole official tensor: the gradient by the key's bias alone, a third of it, is pure rounding
        const scale = Math.max(
          1e-6,
          (state.get(officialPlace(name).key) as NamedTensor).data.reduce(
            (largest, value) => Math.max(largest, Math.abs(value)),
            0,
          ),
        );
        gradientError = Math.max(gradientError, largestDifference(gradient, wanted) / scale);
      }
    }
    for (const [name, gradient] of whole) {
      const [values, marks] = [parameters.get(name), noise.get(name) as Uint8Array];
      for (let i = 0; i < values.length; i++)
        if (Math.abs(at(gradient, i) + weightDecay * at(values, i)) < NOISE) marks[i] = 1;
    }
    results.push(result);
    stepper.update(result, golden['lr'] as number);
    catchingUp.update(result, golden['lr'] as number);
    if (results.length === 1) afterStep = await parameterError('after_one_adam_step.safetensors');
  }
  const afterFiveSteps = await parameterError('after_five_adam_steps.safetensors');

  const [first] = results as [BatchGradients];
  const detail = (result: BatchGradients, key: string): Float32Array => result.details[key] as Float32Array;
  const masks = [
    ['feed similar', expected.mask_rec_similar],
    ['feed dissimilar', expected.mask_rec_dissimilar],
    ['search similar', expected.mask_src_similar],
    ['search dissimilar', expected.mask_src_dissimilar],
  ] as const;
  // The fixtures recorded the co-attention anew at every step, so that expected.json holds that of the last one.
  const coattentionErrors = results.map((result) =>
    Math.max(
      largestDifference(detail(result, 'feed co-attention'), expected.coattention_rec.flat()),
      largestDifference(detail(result, 'search co-attention'), expected.coattention_src.flat()),
    ),
  );
  const coattention = Math.min(...coattentionErrors);
  const errors = {
    scores: largestDifference(
      detail(first, 'logits').map((logit) => 1 / (1 + Math.exp(-logit))),
      expected.scores.flat(),
    ),
    losses: largestDifference(
      ['prediction', 'alignment', 'contrast', 'loss'].map((part) => first.losses[part] ?? Number.NaN),
      [expected.bce, expected.align, expected.contrast, expected.loss],
    ),
    gradients: gradientError,
    afterStep: afterStep.error,
    afterFiveSteps: afterFiveSteps.error,
    lossesOfSteps: largestDifference(
      results.map(({ losses }) => losses.loss),
      expected.losses_of_five_steps,
    ),
  };
  const wrongSides = masks.reduce(
    (total, [key, wanted]) => total + detail(first, key).filter((value, i) => value !== wanted.flat()[i]).length,
    0,
  );
  const failures = Object.entries(errors)
    .filter(([name, error]) => !(error <= TOLERANCES[name as keyof typeof TOLERANCES]))
    .map(([name]) => name);
  if (wrongSides > 0) failures.push('masks');
  catchingUp.level();
  const catchUpDifferences = parameters.descriptions.reduce((total, { name }) => {
    const values = twin.get(name);
    return total + parameters.get(name).filter((value, i) => value !== values[i]).length;
  }, 0);
  if (catchUpDifferences > 0) failures.push('adamCatchUp');
  return {
    ok: failures.length === 0,
    ...errors,
    masks: wrongSides,
    coattention,
    coattentionStep: coattentionErrors.indexOf(coattention) + 1,
    noiseEntries: [afterStep.noisy, afterFiveSteps.noisy],
    catchUpDifferences,
    tolerances: TOLERANCES,
    failures,
  };
}
