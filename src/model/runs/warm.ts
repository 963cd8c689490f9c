/**
 * A training that begins where another one ended, on data that have grown since. Knows which rows of tables belong to which raw ids;
 * does not know training.
 */
import { UserError, at } from '../../base/index.js';
import { type Dataset, FIRST_INDEX, UNKNOWN, type Vocabulary } from '../../data/index.js';
import type { CommonConfig } from '../definition/model.js';
import type { Parameters } from '../weights/parameters.js';
import type { Run } from './run.js';

/** What was taken over. */
export interface WarmStart {
  /** Parameters taken over whole, those of which only some rows were, and those that start anew because their shapes differ. */
  readonly whole: readonly string[];
  readonly rows: readonly { readonly name: string; readonly known: number; readonly total: number }[];
  readonly anew: readonly string[];
}

/** The vocabularies that rows of parameters stand for, by the parameter's name. */
function vocabulariesOf(dataset: Dataset, { itemAttributes, userAttributes }: CommonConfig): Map<string, Vocabulary> {
  const { items, queries, words, users, sources } = dataset;
  const found = new Map<string, Vocabulary>([
    ['item.id', items],
    ['query.id', queries],
    ['query.word', words],
    ['user.id', users],
    ['search.source', sources],
  ]);
  for (const [owner, configured, columns] of [
    ['item', itemAttributes, dataset.itemAttributes],
    ['user', userAttributes, dataset.userAttributes],
  ] as const) {
    for (const { name } of configured) {
      const column = columns.get(name);
      if (column) found.set(`${owner}.${name}`, column.values);
    }
  }
  return found;
}

/**
 * Puts the values of a trained run into parameters that were initialised. Rows of items, queries, words, users, sources and attribute
 * values go by raw id: those that the run knows are copied, with padding and unknown, and new ones stay as they were drawn. Every
 * other parameter is copied where its shape is the same. A run of another model is a `UserError`.
 */
export function warmStart(
  parameters: Parameters,
  { model, config, dataset }: { readonly model: string; readonly config: CommonConfig; readonly dataset: Dataset },
  from: Run,
): WarmStart {
  if (from.manifest.model !== model)
    throw new UserError(
      `${from.directory} is a run of ${from.manifest.model}: a training of ${model} cannot begin with it`,
    );
  const [now, before] = [vocabulariesOf(dataset, config), vocabulariesOf(from.dataset, from.manifest.config)];
  const known = from.parameters.tensors();
  const whole: string[] = [];
  const anew: string[] = [];
  const rows: { name: string; known: number; total: number }[] = [];
  for (const { name, shape } of parameters.descriptions) {
    const tensor = known.get(name);
    const [own, old] = [now.get(name), before.get(name)];
    const width = shape.slice(1).reduce((product, size) => product * size, 1);
    if (tensor && own && old && tensor.shape.slice(1).join() === shape.slice(1).join()) {
      rows.push({ name, ...copyRowsById(parameters.get(name), own, tensor.data, old, width) });
    } else if (tensor && !own && tensor.shape.join() === shape.join()) {
      parameters.get(name).set(tensor.data);
      whole.push(name);
    } else anew.push(name);
  }
  return { whole, rows, anew };
}

function copyRowsById(
  values: Float32Array,
  own: Vocabulary,
  before: ArrayLike<number>,
  old: Vocabulary,
  width: number,
): { known: number; total: number } {
  const total = values.length / width; // of users only those with training events have a row
  const oldTotal = before.length / width;
  let known = 0;
  for (let row = 0; row < total; row++) {
    const source = row < FIRST_INDEX ? row : old.index(own.ids[row] as string);
    if ((row >= FIRST_INDEX && source === UNKNOWN) || source >= oldTotal) continue;
    if (row >= FIRST_INDEX) known++;
    for (let i = 0; i < width; i++) values[row * width + i] = at(before, source * width + i);
  }
  return { known, total: total - FIRST_INDEX };
}
