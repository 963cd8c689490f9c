/** An import on Spark makes the bytes that one on DuckDB makes: data, ids, quarantine, manifest. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { UserError } from '../../src/base/index.js';
import { SparkEngine } from '../../src/data/cluster/engine.js';
import { copyToParquet, literal, withDatabase } from '../../src/data/database.js';
import {
  importInteractions,
  importLog,
  type ImportResult,
  type LogOptions,
  type SparkImport,
} from '../../src/data/index.js';
import type { Dialect } from '../../src/data/sources/dialects/dialect.js';
import { EXPORT_FOLDERS, simulateData } from '../../src/simulate/index.js';
import { withSpark } from '../../src/spark/index.js';
import { onSpark, SMALL, smallSpark, onSparkInFull } from '../support/spark.js';
import { jsonLines, put, scratchFolder } from './folders.js';

/** Imports on both engines, and holds every file of one data directory to that of the other. */
async function sameOnBoth(t: TestContext, spark: SparkImport, options: Omit<LogOptions, 'out'>): Promise<ImportResult> {
  const folder = await scratchFolder(t);
  const [here, there] = [join(folder, 'duckdb'), join(folder, 'spark')];
  const expected = await importLog({ ...options, out: here });
  const found = await importLog({ ...options, out: there, spark });
  assert.deepEqual(found, expected);
  const names = (await readdir(here)).sort();
  assert.deepEqual((await readdir(there)).sort(), names);
  for (const name of names)
    assert.ok((await readFile(join(here, name))).equals(await readFile(join(there, name))), `${name} differs`);
  return expected;
}

const QUERIES = [
  'green tea',
  'GREEN  Tea',
  ' \u0130stanbul',
  'stra\u00DFe',
  'STRASSE',
  '\u039F\u0394\u039F\u03A3',
  'cafe\u0301',
  'caf\u00E9',
  '\u{1F375} \u7DD1\u8336',
  '',
  ' \u3000 ',
  `'"\\$\{x}`,
  'a\0b',
  '\uFB01ne',
];

/** A log with everything that can be wrong with one, and what is only strange: 600 events and their oddities. */
function hostileEvents(seed: number): string[] {
  let state = seed;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const user = (): string | number => (draw(9) === 0 ? draw(5) : `u${draw(12)}${draw(20) === 0 ? '\u00E9' : ''}`);
  const lines: string[] = [];
  const searches: string[] = [];
  for (let i = 0; i < 600; i++) {
    const time =
      draw(4) === 0
        ? new Date(1.7e12 + draw(400) * 1000).toISOString()
        : 1.7e12 + draw(400) * 500 + (draw(9) === 0 ? 0.25 : 0);
    const kind = draw(12);
    const id = draw(3) === 0 ? { id: `e${draw(300)}` } : {};
    if (kind < 4) {
      searches.push(`s${seed}-${i}`);
      lines.push(
        JSON.stringify({
          type: 'search',
          id: draw(20) === 0 ? searches[0] : searches.at(-1),
          time,
          user: user(),
          query: QUERIES[draw(QUERIES.length)],
          ...(draw(2) ? { source: 'typed' } : {}),
        }),
      );
    } else if (kind < 8)
      lines.push(
        JSON.stringify({
          type: 'click',
          ...id,
          time,
          user: user(),
          item: `i${draw(9)}`,
          search: searches[draw(searches.length)] ?? 'none',
        }),
      );
    else if (kind < 10)
      lines.push(
        JSON.stringify({
          type: draw(2) ? 'view' : 'purchase',
          ...id,
          time,
          user: user(),
          item: draw(8) ? `i${draw(9)}` : `it"em\t${draw(3)}`,
        }),
      );
    else if (kind === 10) {
      const fields = {
        title: QUERIES[draw(QUERIES.length)],
        price: draw(100) / 8,
        tags: ['a', 'b'],
        [`n "${draw(2)}", \u00E9`]: draw(2) === 1,
        ...(draw(9) === 0 ? { deep: { a: 1 } } : {}),
      };
      lines.push(
        JSON.stringify(
          draw(3) ? { type: 'item', item: `i${draw(9)}`, fields } : { type: 'user', user: `u${draw(12)}`, fields },
        ),
      );
    } else
      lines.push(
        [
          '{"type":"view"',
          '',
          ' \u00A0',
          '[1]',
          '{"type":"nothing"}',
          '{"type":"impression"}',
          '{"type":"view","user":9007199254740993,"item":"i","time":1}',
          '{"type":"view","user":"u1","item":"i1","time":"yesterday"}',
          '{"type":"view","user":" ","item":"i1","time":1}',
          '{"type":"search","id":"x","user":"u1","time":1,"query":7.5}',
        ][draw(10)] as string,
      );
  }
  return lines;
}

test('imports on Spark', onSpark, async (t) => {
  const folder = await scratchFolder(t);
  await withSpark(smallSpark(join(folder, 'work')), async (session) => {
    await t.test('the words of both dialects say the same of any text', async () => {
      const texts = fc.sample(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 90 }), fc.string({ unit: 'grapheme' })),
        120,
      );
      texts.push(
        ...QUERIES,
        // every character of the first blocks, some at once
        ...Array.from({ length: 32 }, (_, i) =>
          String.fromCodePoint(...Array.from({ length: 24 }, (_, unit) => 24 * i + unit)),
        ),
      );
      const query = ({ literal: write, shown, fingerprint, jsonObject }: Dialect): string => {
        const rows = texts.map((text, i) => `(${i}, ${write(text)})`).join(', ');
        return `SELECT ${shown('text')}, hex(${fingerprint('text')}), ${jsonObject([
          ['a', 'text'],
          [`'"`, 'other'],
          ['b', 'text'],
        ])}
          FROM (SELECT number, text, CASE WHEN number % 2 = 0 THEN text END AS other FROM (VALUES ${rows}) AS texts(number, text)) ORDER BY number`;
      };
      const kinds = { shown: 'text', print: 'text', json: 'text' } as const;
      await withDatabase(async (database) => {
        const expected = await database.read(query(database.dialect), kinds);
        await SparkEngine.with(session, database, join(folder, 'words'), async (engine) => {
          const found = await engine.read(query(engine.dialect), kinds);
          for (const word of ['shown', 'print', 'json'] as const)
            for (const [i, text] of texts.entries())
              assert.equal(found[word][i], expected[word][i], `${word} of ${JSON.stringify(text)}`);
        });
      });
    });

    await t.test('a log with all that can be wrong, in lines cut anywhere, gzip and Parquet', async (t) => {
      const [first, second] = [hostileEvents(1), hostileEvents(2)];
      const latin = Buffer.from('{"type":"view","user":"caf\u00e9","item":"i1","time":1}\n', 'latin1');
      const plain = Buffer.concat([
        Buffer.from(`\uFEFF${first.slice(0, 300).join('\r\n')}\n`),
        latin,
        Buffer.from(`\n${first.slice(300).join('\n')}`),
      ]);
      const rows = await put(
        folder,
        'rows.jsonl',
        jsonLines(
          Array.from({ length: 40 }, (_, i) => ({
            type: i % 3 ? 'view' : 'search',
            id: `p${i % 30}`,
            user: `u${i % 12}`,
            item: i % 7 ? `i${i % 9}` : null,
            query: QUERIES[i % QUERIES.length],
            time: 1.7e12 + i * 4000,
          })),
        ),
      );
      await withDatabase(async (database) =>
        database.run(
          copyToParquet(
            `SELECT * FROM read_json(${literal(rows)}, columns = {type: 'VARCHAR', id: 'VARCHAR', user: 'VARCHAR', item: 'VARCHAR', query: 'VARCHAR', time: 'DOUBLE'})`,
            join(folder, 'c.parquet'),
          ),
        ),
      );
      const files = [
        await put(folder, 'a.jsonl', plain),
        await put(folder, 'b.jsonl.gz', gzipSync(second.join('\n'))),
        join(folder, 'c.parquet'),
      ];
      const { manifest } = await sameOnBoth(
        t,
        { session, unitBytes: 5000 },
        { format: 'events', files, dropRepeats: true },
      );
      const { rejected = 0, duplicates = 0, ignored = 0 } = manifest.read ?? {};
      assert.ok(rejected > 100 && duplicates > 50 && ignored > 0, JSON.stringify(manifest.read));
      assert.ok(manifest.sizes.queries > 5 && manifest.itemAttributes.length > 3, JSON.stringify(manifest.sizes));
    });

    const sought = 'a format whose searches are sought, global time with new items, both sides, a k-core';
    await t.test(sought, onSparkInFull, async (t) => {
      const site = join(folder, 'site');
      await simulateData({ users: 120, items: 60, seed: 1, searchSignal: 0.5, as: 'ga4', out: site });
      const files = [join(site, EXPORT_FOLDERS.ga4)];
      const split = { strategy: 'global-time', newItems: true } as const;
      const { manifest } = await sameOnBoth(
        t,
        { session },
        { format: 'auto', files, split, requireBoth: true, kCore: 5 },
      );
      const [imported, both, core] = manifest.counts;
      assert.ok(
        imported && both && both.users < imported.users && both.searches > 100,
        JSON.stringify(manifest.counts),
      );
      assert.ok(core && core.feed < both.feed, JSON.stringify(manifest.counts));
    });
  });
});

test('executors that are killed change nothing', onSparkInFull, async (t) => {
  const folder = await scratchFolder(t);
  const log = await put(folder, 'log.jsonl', hostileEvents(4).join('\n'));
  const executors = (): number[] =>
    execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('CoarseGrainedExecutorBackend') && line.includes(folder))
      .map((line) => Number.parseInt(line, 10));
  const conf = [...SMALL, `spark.executor.extraJavaOptions=-XX:TieredStopAtLevel=1 -Dsesrec.test=${folder}`];
  let killed = 0;
  const moments = new Set(['reading the log', 'making duplicates', 'making held_out', 'making written_searches']);
  const onProgress = (text: string): void => {
    const moment = [...moments].find((one) => text.includes(one));
    if (moment === undefined || !moments.delete(moment)) return;
    const [pid] = executors();
    if (pid === undefined) return;
    process.kill(pid, 'SIGKILL');
    killed++;
  };
  await sameOnBoth(
    t,
    { master: 'local-cluster[2,1,1024]', conf, unitBytes: 5000, onProgress },
    { format: 'events', files: [log] },
  );
  assert.equal(killed, 4);
});

test('what is not there with Spark is refused in a line, before Spark is started', async (t) => {
  const folder = await scratchFolder(t);
  const file = await put(folder, 'log.jsonl', hostileEvents(1).join('\n'));
  const spark = { master: 'local[1]' };
  const out = join(folder, 'out');
  const refuses = async (work: Promise<unknown>, pattern: RegExp): Promise<void> =>
    assert.rejects(work, (error) => error instanceof UserError && pattern.test(error.message));
  await refuses(
    importLog({ format: 'events', files: [file], out, spark, append: folder }),
    /--append is not there with --engine spark/,
  );
  await refuses(
    importLog({ format: 'algolia', files: [file], out, spark }),
    /does not read algolia, which has a parser/,
  );
  await refuses(importInteractions({ file, out, spark }), /does not read interactions/);
  const run = (...flags: string[]): string =>
    spawnSync(process.execPath, ['bin/sesrec.js', 'import', 'events', file, '--out', out, ...flags], {
      encoding: 'utf8',
      env: { PATH: '/nowhere' },
    }).stderr.trim();
  assert.match(run('--engine', 'spark'), /needs --master/);
  assert.match(run('--master', 'local[2]'), /belong to --engine spark/);
  assert.match(run('--engine', 'spark', '--master', 'local[2]'), /there is no Spark here/);
});
