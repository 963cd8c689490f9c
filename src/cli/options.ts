/** Options that several commands share, and how their values are read. Knows wording; does not know the commands. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, Option } from 'commander';
import { UserError } from '../base/index.js';
import type { ProtocolName } from '../evaluate/index.js';
import { dataOf } from '../model/index.js';
import { Runtime, ops } from '../tensor/index.js';

/** A whole number from `least` to `most`. */
export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        `give a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`,
      );
    }
    return value;
  };
}

/** A number from `least` to `most`. */
export function numberFrom(least: number, most = Infinity) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least || value > most)
      throw new InvalidArgumentError(`give a number from ${least}${most === Infinity ? '' : ` to ${most}`}.`);
    return value;
  };
}

export const threadsOption = (): Option =>
  new Option('--threads <number>', 'threads to compute with (default: all); results do not depend on it').argParser(
    wholeNumber(1, 1024),
  );
export const deviceOption = (): Option =>
  new Option(
    '--device <name>',
    'ONNX Runtime execution provider; cpu is tested, others (cuda, webgpu, coreml, dml, …) are passed through',
  ).default('cpu');
/** Small catalogues have no 99 items that a user never met. */
export const candidateCountOption = (): Option =>
  new Option('--candidate-count <number>', 'how many candidates are drawn beside the target')
    .argParser(wholeNumber(1))
    .default(99);
export const validationProtocolOption = (): Option =>
  new Option(
    '--validation-protocol <name>',
    'what the MRR of validation is among: candidates (sampled), or all items that were not met (full), which costs more where a model scores pairs',
  )
    .choices(['sampled', 'full'])
    .default('sampled');
/** What a training stops by. */
export const validationScore = (protocol: ProtocolName | undefined): string =>
  protocol === 'full' ? 'validation MRR among all items' : 'validation MRR';
export const jsonOption = (): Option => new Option('--json', 'print one JSON document on standard output');

/** An option as it is written on a command line, by its name in the program. */
export const optionName = (name: string): string =>
  `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The distinct numbers in a list separated by commas; NaN for what is none. */
export const numbersIn = (list: string): number[] => [...new Set(namesIn(list).map(Number))];

/** The distinct names in a list separated by commas. */
export function namesIn(list: string | undefined): string[] {
  const names = (list ?? '').split(',').map((name) => name.trim());
  return [...new Set(names)].filter(Boolean);
}

/** The data directory that somebody means: the one named, or that of the run named. */
export function dataDirectoryOf(named: string): string {
  return existsSync(join(named, 'run.json')) ? dataOf(named) : named;
}

export interface ComputeFlags {
  readonly threads?: number;
  readonly device: string;
}

/** Lends a runtime to some work and ends its thread afterwards, whatever happens. */
export async function withRuntime<Result>(
  { threads, device }: ComputeFlags,
  work: (runtime: Runtime) => Promise<Result>,
): Promise<Result> {
  const runtime = new Runtime({ device, ...(threads === undefined ? {} : { threads }) });
  try {
    return await work(runtime);
  } finally {
    await runtime.dispose();
  }
}

/** Fails if the device cannot be used: for commands that would otherwise find out after they have begun to write. */
export async function checkDevice(flags: ComputeFlags): Promise<void> {
  if (flags.device === 'cpu') return; // always there
  await withRuntime(flags, async (runtime) =>
    runtime.compile({ sum: ops.add(ops.placeholder('a', [1]), ops.placeholder('b', [1])) }),
  );
}

const isRecord = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The parts of `name=value`. A value that is not JSON is a text. */
export function readSetting(setting: string): { readonly name: string; readonly value: unknown } {
  const equals = setting.indexOf('=');
  const [name, text] = [setting.slice(0, equals), setting.slice(equals + 1)];
  if (equals < 1) throw new UserError(`--set ${setting}: write it as name=value`);
  try {
    return { name, value: JSON.parse(text) };
  } catch {
    return { name, value: text };
  }
}

/** Reads `key=value` settings into changes of an object: each key must exist there. Whether a value fits is for the object's owner to say. */
export function applySettings<Target extends object>(target: Target, settings: readonly string[]): Target {
  const changed = { ...target } as Record<string, unknown>;
  for (const setting of settings) {
    const { name: key, value } = readSetting(setting);
    if (!Object.hasOwn(changed, key))
      throw new UserError(`--set ${key}: there is no such setting; there are ${Object.keys(target).join(', ')}`);
    const old = changed[key];
    if (isRecord(old) && isRecord(value)) {
      const strange = Object.keys(value).find((name) => !Object.hasOwn(old, name));
      if (strange !== undefined)
        throw new UserError(`--set ${key}: there is no ${key}.${strange}; there are ${Object.keys(old).join(', ')}`);
      changed[key] = { ...old, ...value };
    } else changed[key] = value;
  }
  return changed as Target;
}
