/** A small site whose users and items have ids that break careless programs. Knows how to rename those of a planted log. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QUICK, sesrec } from './command-line.js';
import { writePlantedLog } from './planted.js';

/** Ids with what delimits, quotes, escapes and ends in one language or another. */
export const STRANGE_IDS = [
  'tab\tin',
  'line\nend',
  'carriage\rreturn',
  '"quoted" and \'quoted\'',
  '\\N',
  'NULL',
  'null',
  ' led and trailed ',
  'back\\slash\\',
  'caf\u00e9 \u65e5\u672c\u8a9e \u{1F375}',
  '\u2028\u2029\u0085\uFEFF',
  '\u0001\u0002\u001F\u007F',
  '{"user": 1}',
  '$(touch x); `y` ${z} %s',
  '007',
  'x'.repeat(3000),
] as const;

export interface StrangeWorld {
  readonly data: string;
  readonly run: string;
}

/** A data directory, and a run of a single epoch, in `folder`: the first users and items of a planted log have strange ids. */
export async function strangeWorld(folder: string, ...more: readonly string[]): Promise<StrangeWorld> {
  const log = join(folder, 'log.jsonl');
  await writePlantedLog({ users: 24, items: 120, categories: 6, eventsPerUser: 8, seed: 3 }, log);
  const renamed = (letter: string) => (id: string) => STRANGE_IDS[Number(id.slice(letter.length))] ?? id;
  const rename = (line: string): string => {
    const event = JSON.parse(line) as Record<string, unknown>;
    for (const [field, letter] of [
      ['user', 'u'],
      ['item', 'i'],
    ] as const)
      if (typeof event[field] === 'string') event[field] = renamed(letter)(event[field]);
    return JSON.stringify(event);
  };
  const lines = (await readFile(log, 'utf8')).trimEnd().split('\n');
  await writeFile(log, `${lines.map(rename).join('\n')}\n`);
  const world = { data: join(folder, 'data'), run: join(folder, 'run') };
  for (const args of [
    ['import', 'events', log, '--out', world.data],
    ['train', world.data, '--out', world.run, '--epochs', '1', ...QUICK, ...more],
  ]) {
    const { code, err } = await sesrec(...args);
    assert.equal(code, 0, err);
  }
  return world;
}
