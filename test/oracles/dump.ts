/**
 * Writes the questions to the oracles into a folder: `node dist/test/oracles/dump.js FOLDER`. Knows files; see README.md.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeAtomically } from '../../src/base/index.js';
import { questionOf, subjects } from './questions.js';

const [folder] = process.argv.slice(2);
if (!folder) throw new Error('give the folder to write to');
await mkdir(folder, { recursive: true });
for (const name of Object.keys(subjects))
  await writeAtomically(join(folder, `${name}.json`), JSON.stringify(questionOf(name)));
