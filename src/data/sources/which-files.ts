/** Which files somebody means: files, folders, patterns, standard input. Knows names; does not know what is in the files. */
import { createWriteStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UserError, messageOf } from '../../base/index.js';
import type { Input } from './input.js';

/** The files that some words mean: files, folders (every file in them, by name), patterns with * ? [ ] **, and `-` for standard input, which is kept in `folder`. */
export async function expandInputs(words: readonly string[], folder: string): Promise<Input[]> {
  const inputs: Input[] = [];
  for (const word of words) {
    if (word === '-') {
      const path = join(folder, 'stdin');
      if (inputs.some((input) => input.path === path)) throw new UserError('standard input (-) can be read only once');
      await pipeline(process.stdin, createWriteStream(path));
      inputs.push({ name: 'stdin', path });
      continue;
    }
    const found = await stat(word).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && /[*?[]/.test(word)) return null;
      throw new UserError(`cannot read ${word}: ${messageOf(error)}`, { cause: error });
    });
    const paths = found === null ? await matching(word) : found.isDirectory() ? await filesIn(word) : [word];
    if (paths.length === 0) throw new UserError(`${word}: there is no such file`);
    if (found && !found.isDirectory() && !found.isFile()) throw new UserError(`cannot read ${word}: it is not a file`);
    inputs.push(...paths.map((path) => ({ name: path, path })));
  }
  return inputs;
}

/** Every file in a folder and in those in it, in order of their paths; those whose name begins with a dot left out. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !path
          .slice(folder.length)
          .split(sep)
          .some((name) => name.startsWith('.')),
    )
    .sort();
}

/** The files that fit a pattern, in order of their paths. Only folders that the pattern speaks of are looked into. */
async function matching(pattern: string): Promise<string[]> {
  const isPattern = (part: string): boolean => /[*?[]/.test(part);
  const within = async (base: string, parts: readonly string[]): Promise<string[]> => {
    const [part, ...rest] = parts;
    if (part === undefined) return [];
    if (!isPattern(part) && rest.length > 0) return within(join(base, part), rest);
    const entries = await readdir(base === '' ? '.' : base, { withFileTypes: true }).catch(() => []);
    const shown = entries.filter(({ name }) => !name.startsWith('.') || part.startsWith('.'));
    const found: string[] = [];
    if (part === '**') {
      found.push(...(await within(base, rest.length > 0 ? rest : ['*'])));
      for (const entry of shown) if (entry.isDirectory()) found.push(...(await within(join(base, entry.name), parts)));
      return found;
    }
    const fits = expressionOf(part);
    for (const entry of shown.filter(({ name }) => fits.test(name))) {
      const path = join(base, entry.name);
      if (rest.length > 0 && entry.isDirectory()) found.push(...(await within(path, rest)));
      else if (rest.length === 0 && entry.isFile()) found.push(path);
    }
    return found;
  };
  const [base, parts] = pattern.startsWith('/') ? ['/', pattern.slice(1).split('/')] : ['', pattern.split('/')];
  return [...new Set(await within(base, parts))].sort();
}

/** The names that one part of a pattern fits. */
function expressionOf(part: string): RegExp {
  const body = part.replaceAll(/\*+|\?|\[[^\]]+\]|[.+^${}()|\\[\]]/g, (mark) => {
    if (mark.startsWith('*')) return '.*';
    if (mark === '?') return '.';
    return mark.length > 1 ? mark.replace('[!', '[^').replaceAll('\\', '\\\\') : `\\${mark}`;
  });
  try {
    return new RegExp(`^${body}$`, 'su');
  } catch (error) {
    throw new UserError(`the pattern ${part} is none: ${messageOf(error)}`, { cause: error });
  }
}
