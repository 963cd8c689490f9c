/**
 * One training step: run the graph, sum gradients per row, update. Knows the training graph of a model, and what can be
 * made while the graph of the step before works; does not know epochs, data or files.
 */
import { type Random, assert, at, getOrCreate } from '../base/index.js';
import type { Batch } from '../features/index.js';
import {
  type NamedTensor,
  type ParameterDescription,
  type Parameters,
  Scope,
  type SesrecConfig,
  sesrecLosses,
  sharedZeros,
} from '../model/index.js';
import { type Program, type Runtime, type Tensor, gradients, sizeOf } from '../tensor/index.js';
import { checkValues } from './finite.js';
import {
  type Optimizer,
  type Place,
  type RowGradient,
  type RowPlan,
  type Slot,
  WORKING_BYTES,
  placeBytes,
  planRows,
  sumByPlan,
} from './optimizer.js';

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
  /** How long the graph ran. */
  readonly milliseconds: number;
}

interface TrainingProgram {
  readonly program: Promise<Program>;
  readonly scope: Scope;
  /** Output key of each differentiated input. */
  readonly gradientKeys: ReadonlyMap<string, string>;
}

/** What a step needs and can be made while the one before it is under way. */
interface Preparation {
  readonly training: TrainingProgram;
  /** Dropout masks by input key. */
  readonly masks: Readonly<Record<string, Float32Array>>;
  /** By table. */
  readonly plans: ReadonlyMap<string, RowPlan>;
}

const LOSSES = ['loss', 'prediction', 'alignment', 'contrast'] as const;

/** A parameter with fresh moments, those of a table in the room beside it. */
function slotOf(parameters: Parameters, name: string): Slot {
  const values = parameters.get(name);
  const { length } = values;
  const bytes = placeBytes(length);
  const room = parameters.roomBeside(name, 2 * bytes + WORKING_BYTES);
  if (!room) return { values, first: sharedZeros(length), second: sharedZeros(length) };
  const { memory, from } = room;
  const place: Place = { memory, values: 0, first: from, second: from + bytes, work: from + 2 * bytes };
  return {
    values,
    first: new Float32Array(memory.buffer, place.first, length),
    second: new Float32Array(memory.buffer, place.second, length),
    place,
  };
}

/** Trains one model: its parameters, their moments, and the programs for the shapes met so far. */
export class Stepper {
  readonly parameters: Parameters;
  readonly #config: SesrecConfig;
  readonly #runtime: Runtime;
  readonly #optimizer: Optimizer;
  readonly #slots: ReadonlyMap<string, Slot>;
  /** One program per kind of batch (its rows and their room): other sizes never shrink, so an outgrown one is not met again. */
  readonly #programs = new Map<string, { readonly shapes: string; readonly training: TrainingProgram }>();
  readonly #prepared = new WeakMap<Batch, Preparation>();
  /** Arrays that came back from a run, by input. */
  readonly #spare = new Map<string, Float32Array[]>();
  /** Optimiser steps taken. */
  steps = 0;

  constructor(config: SesrecConfig, parameters: Parameters, runtime: Runtime, optimizer: Optimizer) {
    this.#config = config;
    this.parameters = parameters;
    this.#runtime = runtime;
    this.#optimizer = optimizer;
    this.#slots = new Map(parameters.descriptions.map(({ name }) => [name, slotOf(parameters, name)]));
  }

  /** Moments as named tensors that share memory with them: part of a resumable state. */
  momentTensors(): Map<string, NamedTensor> {
    return new Map(
      this.parameters.descriptions.flatMap(({ name, shape }) => {
        const { first, second } = this.#slots.get(name) as Slot;
        return [
          [`${name} / first moment`, { shape, data: first }],
          [`${name} / second moment`, { shape, data: second }],
        ] as const;
      }),
    );
  }

  /** @param outgrown a program that is not needed any more */
  #compile(batch: Batch, details: boolean, outgrown: Promise<Program> | undefined): TrainingProgram {
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
    const compile = async (): Promise<Program> => {
      await (await outgrown)?.dispose();
      return this.#runtime.compile(outputs);
    };
    const program = compile();
    program.catch(() => undefined); // who runs it is told; a batch that was only prepared leaves nothing unheard
    return { program, scope, gradientKeys };
  }

  #denseNames(scope: Scope): string[] {
    return [...scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name);
  }

  #programFor(batch: Batch, details: boolean): TrainingProgram {
    const { rows, feed, search, candidates } = batch.sizes;
    const kind = `${details} ${rows} ${feed} ${search} ${candidates}`;
    const shapes = Object.values(batch.sizes).join(' ');
    const known = this.#programs.get(kind);
    if (known?.shapes === shapes) return known.training;
    const training = this.#compile(batch, details, known?.training.program);
    this.#programs.set(kind, { shapes, training });
    return training;
  }

  /**
   * Makes ready what does not depend on the step before: the program, dropout masks that `random` draws, an order in which to
   * sum gradients, rows that have steps to catch up with. To be called while that step's graph works; changes no result.
   */
  prepare(batch: Batch, random: Random): void {
    if (!this.#prepared.has(batch)) this.#prepared.set(batch, this.#preparation(batch, random, false));
  }

  #preparation(batch: Batch, random: Random, details: boolean): Preparation {
    const training = this.#programFor(batch, details);
    const masks: Record<string, Float32Array> = {};
    for (const { key, shape, rate } of training.scope.dropouts) {
      const mask = this.#take(key, sizeOf(shape));
      random.fillMask(mask, rate, 1 / (1 - rate));
      masks[key] = mask;
    }
    const plans = new Map<string, RowPlan>();
    for (const { table, ids } of training.scope.lookups.values()) {
      assert(!plans.has(table), `table ${table} is looked up twice`);
      plans.set(table, planRows(batch.ids[ids], this.#description(table).padding !== 'none'));
    }
    this.#catchUp(training.scope, batch);
    return { training, masks, plans };
  }

  /** An array for an input: one that came back, if there is one of that length. */
  #take(key: string, length: number): Float32Array {
    const spare = this.#spare.get(key)?.pop();
    return spare?.length === length ? spare : new Float32Array(length);
  }

  /** Losses and gradients of one batch; one call at a time. `random` draws the dropout masks, unless they were prepared. */
  async gradients(batch: Batch, random: Random, details = false): Promise<BatchGradients> {
    const prepared = details ? undefined : this.#prepared.get(batch);
    const { training, masks, plans } = prepared ?? this.#preparation(batch, random, details);
    this.#prepared.delete(batch);
    const { scope, gradientKeys } = training;
    const program = await training.program;
    this.#catchUp(scope, batch);
    const handedOver: Record<string, Float32Array> = { ...masks };
    for (const { key, table, ids } of scope.lookups.values()) {
      const indices = batch.ids[ids];
      const rows = this.#take(key, indices.length * this.parameters.widthOf(table));
      handedOver[key] = this.parameters.rowsOf(table, indices, rows);
    }
    for (const [name, values] of Object.entries(this.parameters.dense())) {
      handedOver[name] = this.#take(name, values.length);
      handedOver[name].set(values);
    }
    const inputs: Record<string, Float32Array | Int32Array> = { ...handedOver, ...batch.inputs };
    const keys = program.inputs.map(({ key }) => key);
    const { outputs, returned, milliseconds } = await program.runHandingOver(
      Object.fromEntries(keys.map((key) => [key, inputs[key] as Float32Array])),
      keys.filter((key) => key in handedOver),
    );
    for (const [key, array] of Object.entries(returned))
      getOrCreate(this.#spare, key, () => []).push(array as Float32Array);

    const part = (key: (typeof LOSSES)[number]): number => at(outputs[key] as Float32Array, 0);
    const losses = Object.fromEntries(LOSSES.map((key) => [key, part(key)])) as unknown as LossParts;
    const dense = new Map(
      this.#denseNames(scope).map((name) => [name, outputs[gradientKeys.get(name) as string] as Float32Array]),
    );
    const rows = new Map<string, RowGradient>();
    for (const { key, table } of scope.lookups.values()) {
      const gradient = outputs[gradientKeys.get(key) as string] as Float32Array;
      rows.set(table, sumByPlan(plans.get(table) as RowPlan, gradient, this.parameters.widthOf(table)));
    }
    return { losses, dense, rows, details: outputs, milliseconds };
  }

  /** Makes the rows that a batch is about to read what they are by now. */
  #catchUp(scope: Scope, batch: Batch): void {
    for (const { table, ids } of scope.lookups.values())
      if (!this.#optimizer.catchUp(this.#slots.get(table) as Slot, batch.ids[ids])) this.#check(table);
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
      const slot = this.#slots.get(name) as Slot;
      const rowGradient = rows.get(name);
      const gradient = dense.get(name);
      const sound = rowGradient
        ? this.#optimizer.updateRows(slot, shape[1] as number, rowGradient, size)
        : !gradient || this.#optimizer.updateDense(slot, gradient, size);
      if (!sound) this.#check(name);
    }
  }

  /**
   * Makes every parameter and moment what the steps so far say. To be called before anybody but this stepper reads
   * them: to validate, to save.
   */
  level(): void {
    if (!this.#optimizer.level()) for (const name of this.#slots.keys()) this.#check(name);
  }

  #check(name: string): void {
    const slot = this.#slots.get(name) as Slot;
    checkValues(`parameter ${name}`, slot.values);
    checkValues(`the first moment of ${name}`, slot.first);
    checkValues(`the second moment of ${name}`, slot.second);
  }
}
