/**
 * Imports the text format of S3-Rec: a line per user, `user item item …` in order of time, without times or searches;
 * and its JSON file of item attributes. Knows that format and nothing else.
 */
import { basename } from 'node:path';
import { UserError, messageOf } from '../../base/index.js';
import { createAttributeTable, createEventTables } from '../prepare.js';
import type { Database } from '../database.js';
import { runImport, type FilledTables, type ImportOptions, type ImportResult } from './import.js';
import { readLines, readText } from './lines.js';

/** Options of `importS3rec`. */
export interface S3recOptions extends ImportOptions {
  /** The file of sequences. */
  readonly sequences: string;
  /** The JSON file `{"item": [attribute, …]}`; kept as one attribute named `attributes`, joined by spaces. */
  readonly attributes?: string;
}

/** Imports a file of sequences into a data directory. */
export async function importS3rec(options: S3recOptions): Promise<ImportResult> {
  const paths = [options.sequences, options.attributes].filter((path) => path !== undefined);
  return runImport('s3rec', paths, options, {}, async (database) => fill(database, options));
}

async function fill(database: Database, options: S3recOptions): Promise<FilledTables> {
  const itemAttributes = options.attributes === undefined ? [] : ['attributes'];
  const items = await createAttributeTable(database, 'item', itemAttributes);
  if (options.attributes !== undefined) {
    const entries = Object.entries(await readAttributes(options.attributes));
    for (const [index, [item, values]] of entries.entries()) items.row(index, item, [...new Set(values)].join(' '));
  }
  items.finish();
  (await createAttributeTable(database, 'user', [])).finish();
  await fillSequences(database, options.sequences);
  return { itemAttributes, userAttributes: [], warnings: [] };
}

async function fillSequences(database: Database, path: string): Promise<void> {
  const { feed, searches, clicks } = await createEventTables(database);
  const lines = new Map<string, number>();
  let ordinal = 0;
  for await (const batch of readLines(path)) {
    for (const { text, number } of batch) {
      const [user = '', ...items] = text.trim().split(/\s+/u);
      if (items.length === 0)
        throw new UserError(
          `${path}, line ${number}: the user ${JSON.stringify(user.slice(0, 80))} has no items: a line is "user item item …"`,
        );
      const earlier = lines.get(user);
      if (earlier !== undefined)
        throw new UserError(
          `${path}, line ${number}: the user ${JSON.stringify(user)} is already on line ${earlier}: keep one line a user`,
        );
      lines.set(user, number);
      for (const item of items) feed.row(user, ordinal++, null, 'interaction', item, null);
    }
  }
  for (const writer of [feed, searches, clicks]) writer.finish();
  if (lines.size === 0) throw new UserError(`${path} is empty: it needs lines of the form "user item item …"`);
}

async function readAttributes(path: string): Promise<Record<string, (string | number)[]>> {
  let text = '';
  for await (const part of readText(path)) text += part;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path} is not valid JSON: ${messageOf(error).slice(0, 200).replaceAll(/\s+/gu, ' ')}`, {
      cause: error,
    });
  }
  const isList = (value: unknown): boolean =>
    Array.isArray(value) && value.every((entry) => typeof entry === 'string' || typeof entry === 'number');
  if (
    typeof parsed !== 'object' ||
    parsed === null ||
    Array.isArray(parsed) ||
    !Object.entries(parsed).every(
      ([item, value]) => item.trim() !== '' && !/\p{Surrogate}/u.test(item) && isList(value),
    )
  ) {
    throw new UserError(
      `${basename(path)} must hold one JSON object {"item": [attribute, …], …} of items and their lists of texts or numbers`,
    );
  }
  return parsed as Record<string, (string | number)[]>;
}
