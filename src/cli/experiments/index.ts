/**
 * The runs and comparisons right below a directory, for a server to tell of. Knows names and directories, never a path that somebody sent;
 * what the files say is the business of one file per kind.
 */
import { join } from 'node:path';
import { isThere, messageOf } from '../../base/index.js';
import type { ExperimentEntry, Experiments } from '../../serve/index.js';
import { LIMITS } from '../../serve/index.js';
import { comparisonAnswer, comparisonEntry, comparisonProgress } from './comparisons.js';
import { UNKNOWN_ENTRY, changedIn, foldersIn } from './files.js';
import { Reports } from './reports.js';
import { runAnswer, runEntry, runProgress } from './runs.js';

/** As the schema has it, held to again: a name is one segment of a path. */
const NAME = /^(?!\.)[\w.-]{1,256}$/;
/** Directories that are read at the same time. */
const AT_ONCE = 16;

export function experimentsIn(directory: string): Experiments {
  const reports = new Reports();
  const find = async (name: string): Promise<{ readonly path: string; readonly kind: 'run' | 'comparison' } | null> => {
    if (!NAME.test(name)) return null;
    const path = join(directory, name);
    if (await isThere(join(path, 'compare.json'))) return { path, kind: 'comparison' };
    return (await isThere(join(path, 'run.json'))) ? { path, kind: 'run' } : null;
  };
  const entryOf = async (name: string): Promise<ExperimentEntry | null> => {
    const found = await find(name);
    if (!found) return null;
    const { path, kind } = found;
    try {
      return await (kind === 'run' ? runEntry(path, name) : comparisonEntry(path, name));
    } catch (error) {
      const flaw = messageOf(error).replaceAll(`${directory}/`, '');
      return { ...UNKNOWN_ENTRY, name, kind, changed: await changedIn(path, []), flaw };
    }
  };
  return {
    list: async () => {
      const names = await foldersIn(directory);
      const entries: ExperimentEntry[] = [];
      for (let start = 0; start < names.length; start += AT_ONCE) {
        const read = await Promise.all(names.slice(start, start + AT_ONCE).map(entryOf));
        entries.push(...read.filter((entry) => entry !== null));
      }
      entries.sort((a, b) => (a.changed < b.changed ? 1 : a.changed > b.changed ? -1 : a.name < b.name ? -1 : 1));
      const experiments = entries.slice(0, LIMITS.experiments);
      return { experiments, left_out: entries.length - experiments.length };
    },
    one: async (name) => {
      const found = await find(name);
      if (!found) return null;
      return found.kind === 'run' ? runAnswer(found.path, name) : comparisonAnswer(found.path, name);
    },
    progress: async (name) => {
      const found = await find(name);
      if (!found) return null;
      return found.kind === 'run' ? runProgress(found.path, name) : comparisonProgress(found.path);
    },
    report: async (name) => {
      const found = await find(name);
      const entry = found && (await entryOf(name));
      return entry && found ? reports.of(found.path, entry.changed) : null;
    },
  };
}
