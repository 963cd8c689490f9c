/**
 * The text format of S3-Rec: a line per user, `user item item …` in order of time, without times or searches; and, as a file
 * that begins with {, its JSON object of item attributes. Knows that format and nothing else.
 */
import { UserError, messageOf } from '../../../base/index.js';
import type { Format, InputFile, Staging } from './format.js';

export const s3rec: Format = {
  name: 's3rec',
  about: 'lines `user item item …`, and a JSON file {"item": [attribute, …]}',
  specification: 'https://github.com/RUCAIBox/CIKM2020-S3Rec',
  order: 'file',
  repeated: 'reject',
  recognise: (_first, beginning) =>
    beginning
      .split('\n')
      .slice(0, -1)
      .every((line) => /^\d+( \d+){2,}$/.test(line)) && beginning.includes('\n'),
  parse: async (files, staging) => {
    for (const file of files) await parseFile(file, staging);
  },
};

async function parseFile(file: InputFile, staging: Staging): Promise<void> {
  if (/\.json(\.gz|\.zst)?$/.test(file.name)) return parseAttributes(file, staging);
  const lines = new Map<string, number>();
  let isFirst = true;
  for await (const batch of file.records()) {
    if (isFirst && batch[0]?.text.trimStart().startsWith('{')) return parseAttributes(file, staging);
    for (const record of batch) {
      const { text, line } = record;
      isFirst = false;
      const [user = '', ...items] = text.trim().split(/\s+/u);
      const earlier = lines.get(user);
      if (items.length === 0)
        staging.reject(
          record,
          `the user ${JSON.stringify(user.slice(0, 80))} has no items: a line is "user item item …"`,
        );
      else if (earlier !== undefined)
        staging.reject(
          record,
          `the user ${JSON.stringify(user.slice(0, 80))} is already on line ${earlier}: keep one line a user`,
        );
      else {
        lines.set(user, line);
        for (const item of items) staging.entry(record, { kind: 'action', user, item, type: 'interaction' });
      }
    }
  }
}

async function parseAttributes(file: InputFile, staging: Staging): Promise<void> {
  let text = '';
  for await (const batch of file.records()) text += batch.map((line) => `${line.text}\n`).join('');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file.name} is not valid JSON: ${messageOf(error).slice(0, 200).replaceAll(/\s+/gu, ' ')}`, {
      cause: error,
    });
  }
  const isList = (value: unknown): boolean =>
    Array.isArray(value) && value.every((entry) => typeof entry === 'string' || typeof entry === 'number');
  const isObject = typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed);
  const entries = isObject ? Object.entries(parsed as object) : [];
  if (
    Array.isArray(parsed) ||
    !entries.every(([item, value]) => item.trim() !== '' && !/\p{Surrogate}/u.test(item) && isList(value))
  )
    throw new UserError(
      `${file.name} must hold one JSON object {"item": [attribute, …], …} of items and their lists of texts or numbers`,
    );
  for (const [item, values] of entries) {
    const attributes = { attributes: [...new Set(values as (string | number)[])].join(' ') };
    const record = { file: file.index, line: 1, record: 0, text: JSON.stringify({ [item]: values }) };
    staging.entry(record, { kind: 'item', item, attributes });
  }
}
