/** `sesrec keys`: who may ask a server. Knows the file of keys; does not know the server. */
import { Command } from 'commander';
import { UsageError, UserError, isThere, readJson, writeAtomically } from '../../base/index.js';
import { type KeyFile, NO_KEYS, SCOPES, type Scope, keyFileFrom, newKey } from '../../serve/index.js';
import { jsonOption, namesIn } from '../options.js';
import { note, printJson, printText } from '../output.js';

interface KeysFlags {
  readonly name?: string;
  readonly scopes?: string;
  readonly remove?: string;
  readonly json?: boolean;
}

export function keysCommand(): Command {
  return new Command('keys')
    .description('makes, removes and lists the keys of a server; only their hashes are kept')
    .argument('<file>', 'the file of keys; made if it is not there')
    .option('--name <name>', 'make a key of this name; it is shown once')
    .option('--scopes <list>', `what it may do: ${SCOPES.join(', ')}`)
    .option('--remove <name>', 'remove the key of this name')
    .addOption(jsonOption())
    .action(async (file: string, { name, scopes, remove, json = false }: KeysFlags) => {
      if (name !== undefined && remove !== undefined) throw new UsageError('give --name or --remove, not both');
      const known = (await isThere(file)) ? await readKeys(file) : NO_KEYS;
      if (name !== undefined) {
        const { key, kept } = newKey(name, scopesFrom(scopes));
        if (known.keys.some((other) => other.name === name))
          throw new UserError(`${file} has a key ${name} already: choose another name, or --remove it first`);
        await write(file, { keys: [...known.keys, kept] });
        note(`${file} keeps the hash only: the key cannot be shown again`);
        if (json) printJson({ name, scopes: kept.scopes, key });
        else printText(key);
        return;
      }
      if (remove !== undefined && !known.keys.some((key) => key.name === remove))
        throw new UserError(`${file} has no key ${remove}`);
      const keys = known.keys.filter((key) => key.name !== remove);
      if (remove !== undefined) await write(file, { keys });
      const told = keys.map((key) => ({ name: key.name, scopes: key.scopes }));
      if (json) printJson({ keys: told });
      else printText(told.map((key) => `${key.name}  ${key.scopes.join(', ')}`).join('\n') || 'no keys');
    });
}

export const readKeys = async (file: string): Promise<KeyFile> => keyFileFrom(await readJson(file), file);

async function write(file: string, keys: KeyFile): Promise<void> {
  await writeAtomically(file, `${JSON.stringify(keyFileFrom(keys, file), null, 2)}\n`);
}

function scopesFrom(list: string | undefined): Scope[] {
  const names = namesIn(list);
  const strange = names.find((name) => !SCOPES.some((scope) => scope === name));
  if (strange !== undefined || names.length === 0)
    throw new UsageError(`--scopes ${list ?? ''}: give some of ${SCOPES.join(', ')}, separated by commas`);
  return names as Scope[];
}
