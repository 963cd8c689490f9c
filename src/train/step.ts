/**
 * One training step: run the graph, sum gradients per row, update. Knows the training graph of a model, and what can be
 * made while the graph of the step before works; does not know epochs, data or files.
 */
import { type Random, assert, at, concatenated, roundUp } from '../base/index.js';
import { type Batch, sizesKey } from '../features/index.js';
import {
  type NamedTensor,
  type ParameterDescription,
  type Model,
  type Parameters,
  Scope,
  sharedZeros,
} from '../model/index.js';
import {
  type InputDescription,
  type NumberArray,
  type Placement,
  type Program,
  type RunResult,
  type Runtime,
  type Shape,
  type Tensor,
  gradients,
  sizeOf,
} from '../tensor/index.js';
import type { BatchGradients, LossParts } from './batch-gradients.js';
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

/** What one step learns from: a batch, cut into parts that are computed side by side where there are threads for it. */
export type StepBatch = readonly [Batch, ...Batch[]];

interface TrainingProgram {
  readonly program: Promise<Program>;
  readonly scope: Scope;
  /** Names of the losses. */
  readonly losses: readonly string[];
  /** Output key of each differentiated input. */
  readonly gradientKeys: ReadonlyMap<string, string>;
  readonly inputs: readonly InputDescription[];
  /** Bytes of all inputs together, which lie on one buffer: one thing to hand over. */
  readonly inputBytes: number;
}

/** What a step needs and can be made while the one before it is under way. */
interface Preparation {
  readonly parts: readonly PreparedPart[];
  /** How many lanes share the parts. */
  readonly lanes: number;
  /** By table: where the rows of the parts are, which follow one another. */
  readonly plans: ReadonlyMap<string, RowPlan>;
  /** Programs that no later step needs. */
  readonly outgrown: readonly Promise<Program>[];
}
interface PreparedPart {
  readonly batch: Batch;
  readonly training: TrainingProgram;
  readonly buffer: ArrayBuffer;
  /** All inputs by key, on the buffer; so far, what the batch brings and the dropout masks are filled in. */
  readonly inputs: Readonly<Record<string, NumberArray>>;
}

const lossKey = (name: string): string => `loss ${name}`;

/** Room for an input on the buffer; a multiple of what processors read at once. */
const bytesOf = (shape: Shape): number => roundUp(4 * sizeOf(shape), 64);

/** The sum of arrays of one length, in their order; it takes the place of the first. */
function summed([total, ...others]: readonly Float32Array[]): Float32Array {
  assert(total, 'there is nothing to add up');
  for (const values of others)
    for (let i = 0; i < total.length; i++) total[i] = (total[i] as number) + (values[i] as number);
  return total;
}

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

const slotsOf = (parameters: Parameters): ReadonlyMap<string, Slot> =>
  new Map(parameters.descriptions.map(({ name }) => [name, slotOf(parameters, name)]));

/** Trains one model: its parameters, their moments, and the programs for the shapes met so far. */
export class Stepper {
  #parameters: Parameters;
  readonly #model: Model;
  readonly #runtime: Runtime;
  #optimizer: Optimizer;
  #slots: ReadonlyMap<string, Slot>;
  /** One program per lane and kind of batch (its rows and their room): other sizes never shrink, so an outgrown one is not met again. */
  readonly #programs = new Map<string, { readonly shapes: string; readonly training: TrainingProgram }>();
  readonly #prepared = new WeakMap<StepBatch, Preparation>();
  /** Buffers that came back from a run, for whatever batch they are large enough for. */
  readonly #spare: ArrayBuffer[] = [];
  /** Optimiser steps taken. */
  steps = 0;

  constructor(model: Model, parameters: Parameters, runtime: Runtime, optimizer: Optimizer) {
    this.#model = model;
    this.#runtime = runtime;
    this.#optimizer = optimizer;
    this.#parameters = parameters;
    this.#slots = slotsOf(parameters);
  }

  get parameters(): Parameters {
    return this.#parameters;
  }

  /** Trains other parameters of the model from now on, which may hold fewer rows of tables; their moments are zero. */
  take(parameters: Parameters): void {
    this.#parameters = parameters;
    this.#slots = slotsOf(parameters);
  }

  /** Goes on from values and moments that somebody has put in place, and so many steps, with an optimiser that remembers no others. */
  beginFrom(steps: number, optimizer: Optimizer): void {
    this.#optimizer = optimizer;
    this.steps = steps;
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

  #compile(batch: Batch, details: boolean, placement: Placement): TrainingProgram {
    const scope = new Scope(this.#model.config.dropout);
    const built = this.#model.losses(scope, batch.sizes);
    const losses = { loss: built.loss, prediction: built.prediction, ...built.others };
    const outputs: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(losses)) outputs[lossKey(name)] = tensor;
    if (details) Object.assign(outputs, { logits: built.logits, ...built.details });
    const differentiated = [...this.#denseNames(scope), ...scope.lookups.keys()];
    const tensors = differentiated.map((key) => scope.known(key));
    const gradientKeys = new Map<string, string>();
    gradients(built.loss, tensors).forEach((gradient, position) => {
      const key = differentiated[position] as string;
      gradientKeys.set(key, `gradient of ${key}`);
      outputs[`gradient of ${key}`] = gradient;
    });
    const model = this.#runtime.lower(outputs, placement);
    const program = this.#runtime.compileModel(model, placement);
    program.catch(() => undefined); // who runs it is told; a batch that was only prepared leaves nothing unheard
    const inputBytes = model.inputs.reduce((total, { shape }) => total + bytesOf(shape), 0);
    return { program, scope, losses: Object.keys(losses), gradientKeys, inputs: model.inputs, inputBytes };
  }

  #denseNames(scope: Scope): string[] {
    return [...scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name);
  }

  /** @param outgrown gets a program that no later batch needs */
  #programFor(batch: Batch, details: boolean, placement: Placement, outgrown: Promise<Program>[]): TrainingProgram {
    const { rows, feed, search, candidates } = batch.sizes;
    const kind = [...Object.values(placement), details, rows, feed, search, candidates].join(' ');
    const shapes = sizesKey(batch.sizes);
    const known = this.#programs.get(kind);
    if (known?.shapes === shapes) return known.training;
    if (known) outgrown.push(known.training.program);
    const training = this.#compile(batch, details, placement);
    this.#programs.set(kind, { shapes, training });
    return training;
  }

  /**
   * Makes ready what does not depend on the step before: the program, dropout masks that `random` draws, an order in which to
   * sum gradients, rows that have steps to catch up with. To be called while that step's graph works; changes no result.
   */
  prepare(batch: StepBatch, random: Random): void {
    if (!this.#prepared.has(batch)) this.#prepared.set(batch, this.#preparation(batch, random, false));
  }

  #preparation(batch: StepBatch, random: Random, details: boolean): Preparation {
    const lanes = Math.min(batch.length, this.#runtime.threads);
    const outgrown: Promise<Program>[] = [];
    const parts = batch.map((part, position): PreparedPart => {
      const training = this.#programFor(part, details, { lane: position % lanes, threads: 1 }, outgrown);
      const buffer = this.#bufferOf(training.inputBytes);
      const inputs: Record<string, NumberArray> = {};
      let end = 0;
      for (const { key, shape, dtype } of training.inputs) {
        inputs[key] = new (dtype === 'int32' ? Int32Array : Float32Array)(buffer, end, sizeOf(shape));
        end += bytesOf(shape);
      }
      for (const [key, values] of Object.entries(part.inputs)) inputs[key]?.set(values);
      for (const { key, rate } of training.scope.dropouts) {
        const mask = inputs[key]; // a graph that is only looked at has masks that no loss takes
        if (mask) random.fillMask(mask as Float32Array, rate, 1 / (1 - rate));
      }
      this.#catchUp(training.scope, part);
      return { batch: part, training, buffer, inputs };
    });
    const plans = new Map<string, RowPlan>();
    for (const { table, ids } of (parts[0] as PreparedPart).training.scope.lookups.values()) {
      assert(!plans.has(table), `table ${table} is looked up twice`);
      const indices = concatenated(batch.map((part) => part.ids[ids]));
      plans.set(table, planRows(indices, this.#description(table).padding !== 'none'));
    }
    return { parts, lanes, plans, outgrown };
  }

  /** A buffer for inputs: the smallest spare one that is large enough; where there is none, a new one takes the place of a spare one. */
  #bufferOf(bytes: number): ArrayBuffer {
    this.#spare.sort((a, b) => a.byteLength - b.byteLength);
    const place = this.#spare.findIndex(({ byteLength }) => byteLength >= bytes);
    const [found] = this.#spare.splice(Math.max(0, place), 1);
    return place >= 0 && found ? found : new ArrayBuffer(bytes);
  }

  /**
   * Losses and gradients of one batch, added up over its parts in their order; one call at a time. `random` draws the dropout
   * masks, unless they were prepared.
   */
  async gradients(batch: StepBatch, random: Random, details = false): Promise<BatchGradients> {
    const prepared = details ? undefined : this.#prepared.get(batch);
    const { parts, lanes, plans, outgrown } = prepared ?? this.#preparation(batch, random, details);
    this.#prepared.delete(batch);
    const runs = await Promise.all(parts.map(async (part) => this.#run(part)));
    await Promise.all(outgrown.map(async (program) => (await program).dispose())); // an earlier part may have needed it still
    const [first] = runs as [RunResult];
    const { scope, gradientKeys, losses: names } = (parts[0] as PreparedPart).training;
    const partsOf = (key: string): Float32Array[] => runs.map(({ outputs }) => outputs[key] as Float32Array);

    const losses = Object.fromEntries(
      names.map((name) => [name, partsOf(lossKey(name)).reduce((total, part) => total + at(part, 0), 0)]),
    ) as unknown as LossParts;
    const dense = new Map(
      this.#denseNames(scope).map((name) => [name, summed(partsOf(gradientKeys.get(name) as string))]),
    );
    const rows = new Map<string, RowGradient>();
    for (const { key, table } of scope.lookups.values()) {
      const parts = partsOf(gradientKeys.get(key) as string);
      rows.set(table, sumByPlan(plans.get(table) as RowPlan, parts, this.parameters.widthOf(table)));
    }
    const milliseconds = runs.reduce((total, run) => total + run.milliseconds, 0) / lanes;
    return { losses, dense, rows, details: first.outputs, milliseconds };
  }

  async #run({ batch, training, buffer, inputs }: PreparedPart): Promise<RunResult> {
    const { scope } = training;
    const program = await training.program;
    this.#catchUp(scope, batch);
    for (const { key, table, ids } of scope.lookups.values())
      this.parameters.rowsOf(table, batch.ids[ids], inputs[key] as Float32Array);
    for (const [name, values] of Object.entries(this.parameters.dense())) inputs[name]?.set(values);
    const result = await program.runHandingOver(inputs, [buffer]);
    this.#spare.push(...result.buffers);
    return result;
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
