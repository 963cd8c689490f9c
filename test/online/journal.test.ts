/** The journal of the live store: what was noted is read, whatever was released, cut off or altered; the ring goes round, and grows. */
import assert from 'node:assert/strict';
import { open, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { array, assert as check, asyncProperty, constant, integer, nat, oneof, record } from 'fast-check';
import { Journal, JOURNAL_FILE, followingOf, readJournal } from '../../src/online/store/journal.js';

const BLOCK = 4096;
let folder: string;
let made = 0;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-journal-'));
});
after(async () => rm(folder, { recursive: true, force: true }));

async function fresh(blocks: number, makeRoom = async (): Promise<void> => Promise.reject(new Error('no room'))) {
  const directory = await mkdtemp(join(folder, `${made++}-`));
  const journal = await Journal.open(directory, 0, { makeRoom, ringBytes: blocks * BLOCK });
  return { directory, journal };
}

const nothing = (): void => undefined;
const linesOf = async (directory: string, after = 0): Promise<string[]> =>
  (followingOf(await readJournal(directory), after) ?? ['gap']).flatMap((noted) =>
    typeof noted === 'string' ? noted : noted.lines,
  );

test('what was noted is there when that is promised, in order; what comes together is one record', async () => {
  const { directory, journal } = await fresh(8);
  await journal.note(1, '["a"]', nothing);
  assert.deepEqual(await linesOf(directory), ['["a"]']);
  const durable: number[] = [];
  await Promise.all(
    [2, 3, 4, 5].map(async (number) => journal.note(number, `["${number}"]`, () => durable.push(number))),
  );
  assert.deepEqual(durable, [2, 3, 4, 5]);
  const noted = await readJournal(directory);
  assert.deepEqual(
    noted.map(({ before, through }) => [before, through]),
    [
      [0, 1],
      [1, 5],
    ],
  );
  assert.deepEqual(await linesOf(directory), ['["a"]', '["2"]', '["3"]', '["4"]', '["5"]']);
  assert.deepEqual(await linesOf(directory, 5), []);
  await journal.close();
});

test('a full ring asks for room; without any, nothing is promised and nothing that was is lost', async () => {
  let mayRelease = false;
  const { directory, journal } = await fresh(3, async () => {
    if (!mayRelease) throw new Error('no room');
    journal.release(3);
  });
  for (const number of [1, 2, 3]) await journal.note(number, `${number}`, nothing);
  await assert.rejects(journal.note(4, '4', nothing), /no room/);
  assert.deepEqual(await linesOf(directory), ['1', '2', '3']);
  mayRelease = true;
  await journal.note(5, '5', nothing);
  assert.deepEqual(await linesOf(directory, 3), ['5']);
  await journal.close();
});

test('a line that is longer than the ring makes it longer', async () => {
  const { directory, journal } = await fresh(2, async () => journal.release(1));
  const long = 'x'.repeat(10 * BLOCK);
  await journal.note(1, 'short', nothing);
  await journal.note(2, long, nothing);
  assert.deepEqual(await linesOf(directory, 1), [long]);
  await journal.close();
  const again = await Journal.open(directory, 2, { makeRoom: async () => undefined });
  await again.note(3, long, nothing);
  assert.deepEqual(await linesOf(directory, 2), [long]);
  await again.close();
});

test('whatever is noted and released, in any sizes: what was not released is read', async () => {
  const step = oneof(
    { weight: 4, arbitrary: record({ note: integer({ min: 1, max: 3 * BLOCK }) }) },
    { weight: 1, arbitrary: record({ release: nat() }) },
    { weight: 1, arbitrary: constant({ wipe: true } as const) },
  );
  await check(
    asyncProperty(array(step, { maxLength: 30 }), integer({ min: 1, max: 9 }), async (steps, blocks) => {
      let [number, released] = [0, 0];
      const kept = new Map<number, string>();
      const { directory, journal } = await fresh(blocks, async () => {
        released = number;
        journal.release(released);
      });
      const durable = new Set<number>();
      for (const one of steps)
        if ('note' in one) {
          const own = number + 1;
          const line = `${own}`.padEnd(one.note, '.');
          await journal.note(own, line, () => durable.add(own));
          number = own;
          kept.set(own, line);
        } else if ('release' in one) {
          released = Math.max(released, one.release % (number + 1));
          journal.release(released);
        } else await journal.wipe();
      const expected = [...kept].filter(([own]) => own > released).map(([, line]) => line);
      assert.deepEqual(await linesOf(directory, released), expected);
      assert.equal(durable.size, number);
      await journal.close();
    }),
    { numRuns: 60 },
  );
});

test('a record that was cut off is none; one that is missing between others is noticed; wiped is wiped', async () => {
  const { directory, journal } = await fresh(8, async () => journal.release(3));
  for (const number of [1, 2, 3]) await journal.note(number, `secret ${number}`, nothing);
  const path = join(directory, JOURNAL_FILE);
  const whole = await readFile(path);
  const altered = async (at: number): Promise<ReturnType<typeof followingOf>> => {
    const bytes = Buffer.from(whole);
    bytes.writeUInt8((bytes[at] as number) ^ 1, at);
    await writeFile(path, bytes);
    return followingOf(await readJournal(directory), 0);
  };
  await check(
    asyncProperty(nat({ max: 2 }), nat({ max: 47 }), async (record, byte) => {
      const found = await altered(record * BLOCK + byte);
      // the newest may have been under way; the others were promised
      if (record === 2)
        assert.deepEqual(
          found?.map(({ through }) => through),
          [1, 2],
        );
      else assert.equal(found, null);
    }),
    { numRuns: 60 },
  );
  const file = await open(path, 'w');
  await file.writeFile(whole);
  await file.close();
  await journal.wipe();
  assert.ok((await readFile(path)).every((byte) => byte === 0));
  await journal.note(4, 'after', nothing);
  assert.deepEqual(await linesOf(directory, 3), ['after']);
  await journal.close();
});
