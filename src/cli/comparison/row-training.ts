/**
 * What a row of a comparison may see and train differently from the others, `--set label.batchSize=512`. Knows names and what they may be;
 * does not know models' own settings, nor what a training makes of it.
 */
import { type Rule, UserError, isNotNegative, isOneOf, isPositive, isText, isWhole } from '../../base/index.js';
import { OPTIMIZERS } from '../../train/index.js';
import { optionName, readSetting } from '../options.js';
import type { ComparisonOptions } from './options.js';

const rules = {
  batchSize: isWhole(1),
  optimizer: isOneOf(...OPTIMIZERS),
  learningRate: isPositive,
  learningRatePatience: isWhole(0),
  weightDecay: isNotNegative,
  bucketBatches: isWhole(0),
  batchParts: isWhole(1, 64),
  seeds: isWhole(1),
  epochs: isWhole(1),
  patience: isWhole(1),
  validationProtocol: isOneOf('sampled', 'full'),
  itemAttributes: isText,
  userAttributes: isText,
} satisfies Partial<Record<keyof ComparisonOptions, Rule>>;

export type RowTraining = Partial<Pick<ComparisonOptions, keyof typeof rules>>;

const isOfTraining = (name: string): name is keyof typeof rules => Object.hasOwn(rules, name);

/** Refuses what is an option of the command, and so the same for all rows, unless one row is named. */
export function refuseForAll(setting: string): void {
  const { name } = readSetting(setting);
  if (isOfTraining(name))
    throw new UserError(
      `--set ${setting}: write ${optionName(name)} for all rows, or --set LABEL.${setting} for one row`,
    );
}

/** Tells settings of a row that are of its training from those of its model. */
export function trainingOfRow(set: readonly string[]): {
  readonly training: RowTraining;
  readonly settings: readonly string[];
} {
  const known = set.map((setting) => ({ setting, ...readSetting(setting) }));
  const own = known.filter(({ name }) => isOfTraining(name));
  for (const { setting, name, value } of own) {
    const wrong = rules[name as keyof typeof rules](value, name);
    if (wrong !== null) throw new UserError(`--set ${setting}: ${wrong}`);
  }
  return {
    training: Object.fromEntries(own.map(({ name, value }) => [name, value])),
    settings: known.filter(({ name }) => !isOfTraining(name)).map(({ setting }) => setting),
  };
}
