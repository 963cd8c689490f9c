/** docs/import-formats.md has a section for every format, with its specification. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FORMATS } from '../../src/data/index.js';

const OURS = ['events', 's3rec']; // docs/events.md has them

test('every format has a section that names its specification', async () => {
  const text = await readFile(join(import.meta.dirname, '../../../docs/import-formats.md'), 'utf8');
  const sections = new Map(
    text
      .split(/^## /m)
      .slice(1)
      .map((section) => [section.split('\n', 1)[0], section] as const),
  );
  const formats = FORMATS.filter(({ name }) => !OURS.includes(name));
  for (const { name, specification } of formats) {
    const section = sections.get(`\`${name}\``);
    assert.ok(section, `${name} has no section`);
    assert.ok(section.includes(specification), `${name}: ${specification} is not in its section`);
  }
  assert.equal([...sections.keys()].filter((title) => title?.startsWith('`')).length, formats.length);
});
