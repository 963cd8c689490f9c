/**
 * One training step: run the graph, sum gradients per row, update. Knows the training graph of a model; does not know
 * epochs, data or files.
 */
import { type Random, assert, at } from '../base/index.js';
import type { Batch } from '../features/index.js';
import {
  type DropoutMask,
  type NamedTensor,
  type ParameterDescription,
  type Parameters,
  Scope,
  type SesrecConfig,
  sesrecLosses,
  sharedZeros,
} from '../model/index.js';
import { type Program, type Runtime, type Tensor, gradients } from '../tensor/index.js';
import { checkValues } from './finite.js';
import { type Optimizer, type RowGradient, type Slot, sumByRow } from './optimizer.js';

/** The parts of the loss (Eq. 23). */
export interface LossParts {
  readonly loss: number;
  readonly prediction: number;
  readonly alignment: number;
  readonly contrast: number;
}

/** What one batch says about the parameters. */
export interface BatchGradients {
  readonly losses: LossParts;
  readonly dense: ReadonlyMap<string, Float32Array>;
  readonly rows: ReadonlyMap<string, RowGradient>;
  /** (B,C) logits and, when asked for, the interest masks and co-attentions: for checks. */
  readonly details: Readonly<Record<string, Float32Array>>;
}

interface TrainingProgram {
  readonly program: Program;
  readonly scope: Scope;
  /** Output key of each differentiated input. */
  readonly gradientKeys: ReadonlyMap<string, string>;
}

const LOSSES = ['loss', 'prediction', 'alignment', 'contrast'] as const;

/** Fills dropout masks: 0 with probability `rate`, else 1 / (1 - rate), from 16 random bits each. */
function fillDropout(masks: readonly DropoutMask[], random: Random): Record<string, Float32Array> {
  const result: Record<string, Float32Array> = {};
  for (const { key, shape, rate } of masks) {
    const mask = new Float32Array(shape.reduce((product, size) => product * size, 1));
    const threshold = Math.round(rate * 65536);
    const kept = 1 / (1 - rate);
    for (let i = 0; i < mask.length; i += 2) {
      const bits = random.uint32();
      mask[i] = (bits & 0xffff) < threshold ? 0 : kept;
      mask[i + 1] = bits >>> 16 < threshold ? 0 : kept; // past the end of an odd length: ignored
    }
    result[key] = mask;
  }
  return result;
}

/** Trains one model: its parameters, their moments, and the programs for the shapes met so far. */
export class Stepper {
  readonly parameters: Parameters;
  readonly #config: SesrecConfig;
  readonly #runtime: Runtime;
  readonly #optimizer: Optimizer;
  readonly #moments: ReadonlyMap<string, { first: Float32Array; second: Float32Array }>;
  /** One program per kind of batch (its rows and their room): other sizes never shrink, so an outgrown one is not met again. */
  readonly #programs = new Map<string, { readonly shapes: string; readonly compiled: Promise<TrainingProgram> }>();
  /** Optimiser steps taken. */
  steps = 0;

  constructor(config: SesrecConfig, parameters: Parameters, runtime: Runtime, optimizer: Optimizer) {
    this.#config = config;
    this.parameters = parameters;
    this.#runtime = runtime;
    this.#optimizer = optimizer;
    this.#moments = new Map(
      parameters.descriptions.map(({ name }) => {
        const { length } = parameters.get(name);
        return [name, { first: sharedZeros(length), second: sharedZeros(length) }];
      }),
    );
  }

  /** Moments as named tensors that share memory with them: part of a resumable state. */
  momentTensors(): Map<string, NamedTensor> {
    return new Map(
      this.parameters.descriptions.flatMap(({ name, shape }) => {
        const { first, second } = this.#moments.get(name) as { first: Float32Array; second: Float32Array };
        return [
          [`${name} / first moment`, { shape, data: first }],
          [`${name} / second moment`, { shape, data: second }],
        ] as const;
      }),
    );
  }

  async #compile(batch: Batch, details: boolean): Promise<TrainingProgram> {
    const scope = new Scope(this.#config.dropout);
    const { loss, prediction, alignment, contrast, logits, state } = sesrecLosses(scope, this.#config, batch.sizes);
    const outputs: Record<string, Tensor> = { loss, prediction, alignment, contrast };
    if (details) {
      outputs['logits'] = logits;
      if (state.split && state.masks.search) {
        Object.assign(outputs, {
          'feed co-attention': state.split.feed.attention,
          'search co-attention': state.split.search.attention,
          'feed similar': state.masks.feed.similar,
          'feed dissimilar': state.masks.feed.dissimilar,
          'search similar': state.masks.search.similar,
          'search dissimilar': state.masks.search.dissimilar,
        });
      }
    }
    const differentiated = [...this.#denseNames(scope), ...scope.lookups.keys()];
    const tensors = differentiated.map((key) => scope.known(key));
    const gradientKeys = new Map<string, string>();
    gradients(loss, tensors).forEach((gradient, position) => {
      const key = differentiated[position] as string;
      gradientKeys.set(key, `gradient of ${key}`);
      outputs[`gradient of ${key}`] = gradient;
    });
    return { program: await this.#runtime.compile(outputs), scope, gradientKeys };
  }

  #denseNames(scope: Scope): string[] {
    return [...scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name);
  }

  async #programFor(batch: Batch, details: boolean): Promise<TrainingProgram> {
    const { rows, feed, search, candidates } = batch.sizes;
    const kind = `${details} ${rows} ${feed} ${search} ${candidates}`;
    const shapes = Object.values(batch.sizes).join(' ');
    const known = this.#programs.get(kind);
    if (known?.shapes === shapes) return known.compiled;
    await (await known?.compiled)?.program.dispose();
    const compiled = this.#compile(batch, details);
    this.#programs.set(kind, { shapes, compiled });
    return compiled;
  }

  /** Losses and gradients of one batch; one call at a time. `random` draws the dropout masks. */
  async gradients(batch: Batch, random: Random, details = false): Promise<BatchGradients> {
    const { program, scope, gradientKeys } = await this.#programFor(batch, details);
    const fresh = {
      ...fillDropout(scope.dropouts, random),
      ...this.parameters.rows(scope.lookups.values(), batch.ids),
      ...batch.inputs,
    };
    const inputs: Record<string, Float32Array | Int32Array> = { ...this.parameters.dense(), ...fresh };
    const results = await program.run(
      Object.fromEntries(program.inputs.map(({ key }) => [key, inputs[key] as Float32Array])),
    );

    const part = (key: (typeof LOSSES)[number]): number => at(results[key] as Float32Array, 0);
    const losses = Object.fromEntries(LOSSES.map((key) => [key, part(key)])) as unknown as LossParts;
    const dense = new Map(
      this.#denseNames(scope).map((name) => [name, results[gradientKeys.get(name) as string] as Float32Array]),
    );
    const rows = new Map<string, RowGradient>();
    for (const { key, table, ids } of scope.lookups.values()) {
      const { shape, padding } = this.#description(table);
      const gradient = results[gradientKeys.get(key) as string] as Float32Array;
      assert(!rows.has(table), `table ${table} is looked up twice`);
      rows.set(table, sumByRow(batch.ids[ids], gradient, shape[1] as number, padding !== 'none'));
    }
    return { losses, dense, rows, details: results };
  }

  #description(name: string): ParameterDescription {
    const found = this.parameters.descriptions.find((description) => description.name === name);
    assert(found, `there is no parameter ${name}`);
    return found;
  }

  /**
   * Applies gradients to all parameters. A value or moment that is not finite afterwards is a `NotFiniteError` that
   * names it; the parameters are spoilt then.
   */
  update({ dense, rows }: Pick<BatchGradients, 'dense' | 'rows'>, learningRate: number): void {
    this.steps++;
    const size = { learningRate, step: this.steps };
    for (const { name, shape } of this.parameters.descriptions) {
      const slot: Slot = {
        values: this.parameters.get(name),
        ...(this.#moments.get(name) as { first: Float32Array; second: Float32Array }),
      };
      const rowGradient = rows.get(name);
      const gradient = dense.get(name);
      const sound = rowGradient
        ? this.#optimizer.updateRows(slot, shape[1] as number, rowGradient, size)
        : !gradient || this.#optimizer.updateDense(slot, gradient, size);
      if (sound) continue;
      checkValues(`parameter ${name}`, slot.values);
      checkValues(`the first moment of ${name}`, slot.first);
      checkValues(`the second moment of ${name}`, slot.second);
    }
  }
}
