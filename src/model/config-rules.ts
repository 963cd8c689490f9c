/**
 * What a configuration of SESRec must be to be built at all. Knows bounds; does not know where a configuration comes
 * from: `--set` and run.json meet the same rules. The bounds above are far beyond any use, and keep a slip of the
 * finger from asking for more memory than there is.
 */
import {
  type Rule,
  isEither,
  isListOf,
  isNumber,
  isOneOf,
  isRecordOf,
  isText,
  isTrueOrFalse,
  isWhole,
} from '../base/index.js';
import type { SesrecConfig } from './sesrec-config.js';

const width = isWhole(1, 4096);
const steps = isWhole(1, 10_000);
const size = isWhole(2, 2 ** 31 - 1);
const notNegative = isNumber('a number from 0', (value) => value >= 0);
/** Attributes share their owner's prefix with its other parameters, so they cannot have the names of those. */
const attributesBeside = (...taken: readonly string[]): Rule => {
  const isFree: Rule = (value, name) =>
    isText(value, name) ??
    (taken.includes(value as string)
      ? `${name} cannot be ${JSON.stringify(value)}, the name of a parameter: rename the attribute in the log`
      : null);
  return isListOf(isRecordOf({ name: isFree, size, width }));
};

const rules: { readonly [Key in keyof SesrecConfig]: Rule } = {
  thresholdIncludesTies: isTrueOrFalse,
  threshold: isEither(
    isOneOf('mean', 'median'),
    isNumber('"mean", "median" or a number from 0 to 1', (value) => value >= 0 && value <= 1),
  ),
  maskCoAttention: isTrueOrFalse,
  meanCoAttention: isTrueOrFalse,
  projectionBias: isTrueOrFalse,
  projectCandidate: isTrueOrFalse,
  alignmentIncludesPositive: isTrueOrFalse,
  alignmentReduction: isOneOf('pairs', 'rows'),
  transposedItemToQuery: isTrueOrFalse,
  zeroPaddingRows: isTrueOrFalse,
  flatAttentionInitialisation: isTrueOrFalse,
  userBeforeCandidate: isTrueOrFalse,
  negativeSampling: isOneOf('popular', 'uniform'),
  fixedNegatives: isTrueOrFalse,
  useAlignment: isTrueOrFalse,
  useContrast: isTrueOrFalse,
  useMultiInterest: isTrueOrFalse,
  useSearch: isTrueOrFalse,
  width,
  itemIdWidth: width,
  queryIdWidth: width,
  wordWidth: width,
  userIdWidth: width,
  window: isRecordOf({ feed: steps, search: steps, clicks: steps, words: steps }),
  blocks: isWhole(0, 64),
  heads: width,
  hidden: isListOf(width),
  temperature: isNumber('a number above 0', (value) => value > 0),
  margin: notNegative,
  alpha: notNegative,
  beta: notNegative,
  dropout: isNumber('a number from 0 and below 1', (value) => value >= 0 && value < 1),
  negatives: isWhole(1, 10_000),
  alignmentNegatives: isWhole(1, 1_000_000),
  sizes: isRecordOf({ items: size, users: size, queries: size, words: size, sources: size }),
  itemAttributes: attributesBeside('id', 'projection.weight', 'projection.bias'),
  userAttributes: attributesBeside('id'),
};

/** What keeps a model from being built with this configuration, in a few words; null when nothing does. */
export const sesrecConfigRule: Rule = (value, name) => {
  const wrong = isRecordOf(rules)(value, name);
  if (wrong !== null) return wrong;
  const config = value as SesrecConfig;
  if (config.width % config.heads !== 0) return `a width of ${config.width} cannot be split into ${config.heads} heads`;
  if (config.hidden.at(-1) !== 1) return `the last layer of hidden must have 1 unit, not ${config.hidden.at(-1)}`;
  if (config.meanCoAttention && !config.maskCoAttention) return 'meanCoAttention needs maskCoAttention';
  return null;
};
