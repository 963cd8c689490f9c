/** Options that several commands share, and how their values are read. Knows wording; does not know the commands. */
import { InvalidArgumentError, Option } from 'commander';
import { UserError } from '../base/index.js';
import { Runtime } from '../tensor/index.js';

/** A whole number from `least`. */
export function wholeNumber(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isSafeInteger(value) || value < least) throw new InvalidArgumentError(`give a whole number from ${least}.`);
    return value;
  };
}

/** A number from `least`. */
export function numberFrom(least: number) {
  return (text: string): number => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isFinite(value) || value < least) throw new InvalidArgumentError(`give a number from ${least}.`);
    return value;
  };
}

export const threadsOption = (): Option => new Option('--threads <number>', 'threads to compute with (default: all); results do not depend on it').argParser(wholeNumber(1));
export const deviceOption = (): Option => new Option('--device <name>', 'ONNX Runtime execution provider; cpu is tested, others (cuda, webgpu, coreml, dml, …) are passed through').default('cpu');
export const jsonOption = (): Option => new Option('--json', 'print one JSON document on standard output');

export interface ComputeFlags {
  readonly threads?: number;
  readonly device: string;
}

/** Lends a runtime to some work and ends its thread afterwards, whatever happens. */
export async function withRuntime<Result>({ threads, device }: ComputeFlags, work: (runtime: Runtime) => Promise<Result>): Promise<Result> {
  const runtime = new Runtime({ device, ...(threads === undefined ? {} : { threads }) });
  try {
    return await work(runtime);
  } finally {
    await runtime.dispose();
  }
}

/** Reads `key=value` settings into changes of an object: each key must exist there, and keeps its kind of value. */
export function applySettings<Target extends object>(target: Target, settings: readonly string[]): Target {
  const changed = { ...target } as Record<string, unknown>;
  for (const setting of settings) {
    const equals = setting.indexOf('=');
    const [key, text] = [setting.slice(0, equals), setting.slice(equals + 1)];
    if (equals < 1) throw new UserError(`--set ${setting}: write it as name=value`);
    if (!Object.hasOwn(changed, key)) throw new UserError(`--set ${key}: there is no such setting; there are ${Object.keys(target).join(', ')}`);
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      value = text;
    }
    const old = changed[key];
    // gamma of the split may be a word or a number; everything else keeps its kind
    const fits = key === 'threshold' ? value === 'mean' || typeof value === 'number' : typeof value === typeof old && Array.isArray(value) === Array.isArray(old);
    if (!fits) throw new UserError(`--set ${key}=${text}: give a value like ${JSON.stringify(old)}`);
    changed[key] = typeof old === 'object' && !Array.isArray(old) && old !== null ? { ...old, ...(value as object) } : value;
  }
  return changed as Target;
}
