/**
 * The rows of a comparison: which models, with which settings of their own, and what is tried for each. Knows how rows are written
 * on a command line; does not know data sets, budgets or results.
 */
import { UserError } from '../../base/index.js';
import {
  type ModelId,
  RANKER_IDS,
  type RankerId,
  type ShapeName,
  type Trial,
  cardOf,
  isCounted,
  models,
} from '../../model/index.js';
import { namesIn, readSetting } from '../options.js';
import { refuseForAll } from './row-training.js';

/** A row that is trained. */
export interface TrainedEntry {
  /** What the row, and its folder, are called: the model's id unless told. */
  readonly label: string;
  readonly model: ModelId;
  readonly preset: string;
  /** Its settings, as `--set` takes them: what holds for all rows, then what holds for this one, of its model and of its training (row-training.ts). */
  readonly set: readonly string[];
  /** What is tried on validation, each on top of the settings; a single one is taken untried. Never none. */
  readonly trials: readonly Trial[];
}

/** A row that only counts. */
export interface CountedEntry {
  readonly label: string;
  readonly model: Exclude<RankerId, ModelId>;
}

export type Entry = TrainedEntry | CountedEntry;

export const isTrained = (entry: Entry): entry is TrainedEntry => 'trials' in entry;

export interface EntryRequest {
  /** `all`, or rows separated by commas, each `[label=]model[:preset]`. */
  readonly models: string;
  readonly shape: ShapeName;
  /** `name=value` for all rows, `label.name=value` for one. */
  readonly set: readonly string[];
  /** At most so many trials of each model; 0 for none, and its defaults. */
  readonly trials: number;
  /** The learning rate is given, so it is not tried. */
  readonly isRateFixed?: boolean;
}

/** The rows that somebody asks for, in the order of tables. */
export function planEntries({ models: list, set, trials, isRateFixed = false }: EntryRequest): Entry[] {
  const entries: (Pick<Entry, 'label'> & { readonly model: RankerId; readonly preset: string | null })[] = [];
  for (const name of namesIn(list))
    for (const entry of name === 'all' ? RANKER_IDS.map((id) => entryOf(id)) : [entryOf(name)]) {
      const same = entries.find(({ label }) => label === entry.label);
      if (same && JSON.stringify(same) !== JSON.stringify(entry))
        throw new UserError(`--models ${list}: two rows are called ${entry.label}; write one as another-name=${name}`);
      if (!same) entries.push(entry);
    }
  if (entries.length === 0) throw new UserError('--models names no model');
  for (const setting of set) {
    const row = ofOneRow(setting);
    if (!row) refuseForAll(setting);
    const entry = row && entries.find(({ label }) => label === row.label);
    if (row && !entry) throw new UserError(`--set ${setting}: no row is called ${row.label}`);
    if (entry && entry.preset === null) throw new UserError(`--set ${setting}: ${entry.label} has no settings`);
  }
  const order = ({ model }: { readonly model: RankerId }): number => RANKER_IDS.indexOf(model);
  return entries
    .sort((one, other) => order(one) - order(other))
    .map(({ label, model, preset }) => {
      if (preset === null || isCounted(model)) return { label, model } as CountedEntry;
      const settings = [...set.filter((setting) => ofOneRow(setting) === null), ...ownSettings(set, label)];
      return {
        label,
        model,
        preset,
        set: settings,
        trials: trialsOf(
          models[model].tuning(preset),
          [...settings.map((setting) => readSetting(setting).name), ...(isRateFixed ? ['learningRate'] : [])],
          trials,
        ),
      };
    });
}

/** The label and the setting of `label.name=value`; null where all rows are meant. */
export function ofOneRow(setting: string): { readonly label: string; readonly own: string } | null {
  const [, label, own] = /^([A-Za-z0-9-]+)\.([^=]+=.*)$/s.exec(setting) ?? [];
  return label === undefined || own === undefined ? null : { label, own };
}

/** What is said of one row alone. */
export const ownSettings = (set: readonly string[], label: string): string[] =>
  set.map(ofOneRow).flatMap((row) => (row?.label === label ? [row.own] : []));

/** A row as it is written: `[label=]model[:preset]`. */
function entryOf(written: string): { label: string; model: RankerId; preset: string | null } {
  const [, given, id = '', preset] = /^(?:([^=]*)=)?([^:=]*)(?::(.*))?$/.exec(written) ?? [];
  const model = RANKER_IDS.find((known) => known === id);
  if (model === undefined)
    throw new UserError(
      `--models ${written}: there is no model ${JSON.stringify(id)}; there are ${RANKER_IDS.join(', ')}`,
    );
  const label = given ?? (preset === undefined ? model : `${model}-${preset}`);
  if (!/^[A-Za-z0-9][A-Za-z0-9-]*$/.test(label))
    throw new UserError(
      `--models ${written}: a row is called by letters, digits and hyphens, not ${JSON.stringify(label)}`,
    );
  if (label !== model && RANKER_IDS.some((known) => known === label))
    throw new UserError(`--models ${written}: ${label} is another model; call the row by another name`);
  if (isCounted(model)) {
    if (preset !== undefined) throw new UserError(`--models ${written}: ${model} is counted and has no presets`);
    return { label, model, preset: null };
  }
  const { presets } = models[model];
  if (preset !== undefined && !presets.includes(preset))
    throw new UserError(
      `--models ${written}: ${model} has ${presets.length === 1 ? 'only ' : ''}${presets.join(', ')}`,
    );
  return { label, model, preset: preset ?? presets[0] };
}

/** The first declared trials that differ in what nobody fixed. */
function trialsOf(declared: readonly Trial[], fixed: readonly string[], most: number): Trial[] {
  const free = declared.map((trial) =>
    Object.fromEntries(Object.entries(trial).filter(([name]) => !fixed.includes(name))),
  );
  const distinct = free.filter(
    (trial, position) => free.findIndex((other) => JSON.stringify(other) === JSON.stringify(trial)) === position,
  );
  const kept = distinct.slice(0, most);
  return kept.length === 0 ? [{}] : kept;
}

/** A row in a table. */
export function nameOf(entry: Entry): string {
  const { label, model } = entry;
  const { name } = cardOf(model);
  if (label === model) return name;
  return isTrained(entry) && label === `${model}-${entry.preset}` ? `${name} ${entry.preset}` : `${name}, ${label}`;
}
