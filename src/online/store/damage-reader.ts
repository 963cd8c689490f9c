/**
 * The process that reads one table of a store that may be damaged: `damage-reader.js FOLDER TABLE forwards|backwards`. An entry a line, and at the end a line that says
 * what failed, null if nothing did. It may be ended by what it reads. Knows nothing of what the entries mean.
 */
import { join } from 'node:path';
import { open } from 'lmdb';
import { messageOf } from '../../base/index.js';

const [folder, table, direction] = process.argv.slice(2) as [string, string, string];
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
let failure: string | null = null;
try {
  const root = open({ path: join(folder, 'live.mdb'), maxDbs: 16, encoding: 'msgpack', overlappingSync: false });
  const database = root.openDB({ name: table, encoding: 'msgpack' });
  for (const { key, value } of database.getRange({ reverse: direction === 'backwards' })) say({ key, value });
} catch (error) {
  failure = messageOf(error).split('\n')[0] ?? '';
}
say({ end: failure });
