/** Lists, sentences and retrieval by themselves: what must hold for whatever comes in. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Random, at, copyRows } from '../../src/base/index.js';
import { FIRST_INDEX } from '../../src/data/index.js';
import { KnownUsers } from '../../src/online/known-users.js';
import { open } from '../../src/online/candidate-finder.js';
import { CellSearch } from '../../src/online/cell-search.js';
import { LinearFit } from '../../src/online/linear-fit.js';
import { sentence } from '../../src/online/messages/catalogue.js';
import { LiveCounts, Popularity } from '../../src/online/popularity.js';
import { select } from '../../src/online/selection.js';
import { RoundedProducts, roundedRows } from '../../src/online/rounded-rows.js';
import { RowProducts, sharedRows } from '../../src/online/row-products.js';
import { vectorCells } from '../../src/online/vector-cells.js';

test('a list has the best items that are allowed, within the cap, whatever the scores', () => {
  const scores = fc.array(fc.oneof(fc.integer({ min: 0, max: 4 }), fc.double({ noNaN: true, min: -5, max: 5 })), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(
      scores,
      fc.nat(20),
      fc.integer({ min: 1, max: 4 }),
      fc.boolean(),
      fc.nat(6),
      (given, count, most, caps, kinds) => {
        const allows = (item: number): boolean => item % 3 !== 0;
        const groups = (item: number): string[] => [`g${item % (kinds + 1)}`];
        const selected = select(
          { scores: given },
          { count, allows, cap: caps ? { groups, most } : null, taken: [4], explore: null },
        );
        // the same, plainly: everything in order, one after another
        const expected: number[] = [];
        const counts = new Map([[groups(4)[0], 1]]);
        for (const item of [...given.keys()].sort((a, b) => (given[b] as number) - (given[a] as number) || a - b)) {
          const [group] = groups(item) as [string];
          if (item < FIRST_INDEX || item === 4 || !allows(item) || expected.length === count) continue;
          if (caps && (counts.get(group) ?? 0) >= most) continue;
          counts.set(group, (counts.get(group) ?? 0) + 1);
          expected.push(item);
        }
        assert.deepEqual(
          selected.map(({ item }) => item),
          expected,
        );
      },
    ),
  );
});

test('probabilities of exploration are those of the draws', () => {
  const scores = Float32Array.from({ length: 12 }, (_, i) => -i);
  const [rounds, share] = [20_000, 0.4];
  const seen = new Map<number, { count: number; probability: number }>();
  const random = new Random('exploration, tested');
  for (let i = 0; i < rounds; i++) {
    const [first] = select(
      { scores },
      { count: 1, allows: () => true, cap: null, taken: [], explore: { share, random } },
    );
    assert.ok(first);
    seen.set(first.item, { count: (seen.get(first.item)?.count ?? 0) + 1, probability: first.probability });
  }
  assert.equal(seen.size, 10);
  for (const { count, probability } of seen.values()) {
    const deviation = Math.sqrt(rounds * probability * (1 - probability));
    assert.ok(Math.abs(count - rounds * probability) < 5 * deviation, `${count} of ${rounds} at ${probability}`);
  }
});

test('with a cap, too, also where more has to be looked at to fill the list', () => {
  const scores = Float32Array.from({ length: 3000 }, (_, i) => -i);
  // behind the best one, which is of both kinds, nothing fits for long
  const groups = (item: number): string[] =>
    item === FIRST_INDEX ? ['a', 'b'] : [item >= 1000 ? 'c' : item % 2 === 0 ? 'a' : 'b'];
  const [rounds, share] = [400, 0.3];
  let [first, probability] = [0, 0];
  for (let i = 0; i < rounds; i++) {
    const explore = { share, random: new Random('exploration with a cap', i) };
    const [one, two] = select(
      { scores },
      { count: 2, allows: () => true, cap: { groups, most: 1 }, taken: [], explore },
    );
    assert.ok(one && two);
    if (one.item === FIRST_INDEX) [first, probability] = [first + 1, one.probability];
    // the pool is the best hundred that fit, however far down they stand
    assert.ok(two.probability === 0.3 / 100 || two.probability === 0.7 + 0.3 / 100, `${two.probability}`);
  }
  const deviation = Math.sqrt(rounds * probability * (1 - probability));
  assert.ok(Math.abs(first - rounds * probability) < 5 * deviation, `${first} of ${rounds} at ${probability}`);
});

test('a text cannot leave its isolate, nor grow without bound', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.constantFrom('en', 'ar'), (text, language) => {
      const told = sentence(language, 'searched', { query: text });
      assert.equal(told.split('\u2068').length, 2);
      assert.equal(told.split('\u2069').length, 2);
      assert.ok(told.indexOf('\u2068') < told.indexOf('\u2069'));
      assert.doesNotMatch(told, /[\u202A-\u202E\u2066\u2067]/u);
      assert.ok(told.length < 200);
    }),
  );
  const text = '<img src=x onerror=alert(1)> {item} $& \u202Egnp';
  assert.equal(
    sentence('en', 'searched', { query: text }),
    'Because you searched for “\u2068<img src=x onerror=alert(1)> {item} $& gnp\u2069”',
  );
});

test('products with rows are those of a loop, whatever the width and the stretch; with rounded rows nearly', () => {
  const random = new Random('products with rows');
  for (const width of [1, 3, 4, 7, 16, 17, 32, 600]) {
    const rows = Float32Array.from({ length: 20 * width }, (_, i) => random.normal() * (1 + (i % width)));
    const vector = Float32Array.from({ length: width }, () => random.normal());
    const order = random.shuffle(Int32Array.from({ length: 20 }, (_, i) => i)).subarray(0, 15);
    const exact = (row: number): number => vector.reduce((sum, value, i) => sum + value * at(rows, row * width + i), 0);
    const float = new RowProducts(sharedRows(rows, width));
    const rounded = new RoundedProducts(roundedRows(rows, width, order));
    const largest = Array.from({ length: width }, (_, i) =>
      Math.max(...Array.from({ length: 20 }, (__, row) => Math.abs(at(rows, row * width + i)))),
    );
    // half a step of each column, and half a step of the vector in each
    const off = vector.reduce((sum, value, i) => sum + (Math.abs(value) / 2 + 1e-3) * (at(largest, i) / 127), 1e-4);
    for (const [from, to] of [
      [0, 15],
      [3, 9],
      [5, 5],
      [14, 15],
    ] as const) {
      const found = float.with(vector, from, to).slice();
      const nearly = rounded.with(vector)(from, to);
      assert.deepEqual([found.length, nearly.length], [to - from, to - from]);
      for (let place = from; place < to; place++) {
        const [own, about] = [exact(place), exact(at(order, place))];
        assert.ok(Math.abs(at(found, place - from) - own) < 1e-6 * width * width, `width ${width}, row ${place}`);
        assert.ok(Math.abs(at(nearly, place - from) - about) <= off, `rounded, width ${width}, row ${place}`);
        const copy = new Float32Array(width + 1);
        rounded.copyRow(place, copy, 1);
        for (let i = 0; i < width; i++)
          assert.ok(
            Math.abs(at(copy, 1 + i) - at(rows, at(order, place) * width + i)) <= (at(largest, i) / 127) * 0.501,
          );
      }
    }
  }
});

test('rounded rows at their largest do not overflow; a vector or a column of zeros is nothing', () => {
  const productsOf = (rows: Float32Array, width: number, vector: number): Float32Array =>
    new RoundedProducts(roundedRows(rows, width, Int32Array.of(0, 1))).with(new Float32Array(width).fill(vector))(0, 2);
  for (const width of [1, 64, 512, 513, 2000]) {
    const rows = new Float32Array(2 * width).fill(-3, 0, width);
    const [most, none] = productsOf(rows, width, -2);
    assert.ok(Math.abs((most ?? 0) / (6 * width) - 1) < 1e-4, `${most} of ${6 * width}`);
    assert.equal(none, 0);
    assert.deepEqual(productsOf(rows, width, 0), Float32Array.of(0, 0));
    assert.deepEqual(productsOf(new Float32Array(2 * width), width, 1), Float32Array.of(0, 0));
  }
});

test('a linear function is found again from its values; cells find the largest products', async () => {
  const [items, width] = [60_000, 8];
  const random = new Random('vectors to be retrieved');
  // steps of a 32nd up to 127 of them, and a vector of whole numbers: rounding takes nothing away that tells two products apart
  const vectors = Float32Array.from(
    { length: items * width },
    () => Math.max(-127, Math.min(127, Math.round(32 * random.normal()))) / 32,
  ).fill(127 / 32, 0, width);
  const wanted = Float32Array.of(3, -2, 5, 1, 0, -4, 2, 1);
  const productOf = (item: number): number =>
    wanted.reduce((sum, value, i) => sum + value * (vectors[item * width + i] as number), 0);
  const sample = Int32Array.from({ length: 200 }, (_, i) => FIRST_INDEX + 7 * i);
  const rowsOf = (of: Int32Array): Float32Array => copyRows(vectors, width, of);
  const scoresOf = (of: Int32Array): Float32Array => Float32Array.from(of, (item) => 3 + productOf(item));
  const [some, others] = [sample.subarray(0, 90), sample.subarray(90)];
  const base = new LinearFit(width).meet(rowsOf(some));
  const found = new LinearFit(width, base)
    .hear(rowsOf(some), scoresOf(some))
    .meet(rowsOf(others))
    .hear(rowsOf(others), scoresOf(others))
    .solve(1e-3);
  for (let i = 0; i < width; i++) assert.ok(Math.abs((found[i] as number) - (wanted[i] as number)) < 0.01);

  const search = new CellSearch(await vectorCells(vectors, width));
  const best = Array.from({ length: items - FIRST_INDEX }, (_, i) => FIRST_INDEX + i).sort(
    (a, b) => productOf(b) - productOf(a),
  );
  const products = (of: Iterable<number>): number[] => Array.from(of, productOf).sort((a, b) => b - a);
  assert.deepEqual(products(search.best(wanted, 50, 1)), products(best.slice(0, 50)), 'all cells: the largest');
  const few = new Set(search.best(found, 300, 0.1));
  const recall = best.slice(0, 20).filter((item) => few.has(item)).length;
  assert.ok(recall >= 14, `${recall} of 20 from a tenth of the vectors`);
});

test('candidates: each once, in order, with the scores of the ranker; what is named is among them, and nothing is remembered', async () => {
  const [items, width, count] = [20_000, 8, 400];
  const random = new Random('candidates that are found');
  const vectors = Float32Array.from({ length: items * width }, () => random.normal());
  const sample = Int32Array.from({ length: 80 }, (_, i) => FIRST_INDEX + 11 * i);
  const rounds = [120, 200] as const;
  const find = open({ cells: await vectorCells(vectors, width), sample, rounds });
  for (const named of [[5, 7, 19_999, items, items + 2], [], [5]]) {
    const wanted = Float32Array.from({ length: width }, () => random.normal());
    // no linear function of the vectors, and those that came since the run have none
    const scoreOf = (item: number): number => {
      const own = vectors.subarray(item * width, (item + 1) * width);
      const product = own.reduce((sum, value, i) => sum + value * at(wanted, i), 0);
      return Math.fround(Math.tanh(product / 3) + 0.1 * Math.sin(item));
    };
    const asked: number[] = [];
    const found = await find({ named: Int32Array.from(named) }, async (some) => {
      asked.push(some.length);
      return Float32Array.from(some, scoreOf);
    });
    assert.deepEqual(asked, [sample.length, ...rounds], 'as many as there are programs for');
    assert.deepEqual(found.items, Int32Array.from(new Set(found.items)).sort());
    assert.equal(found.items.length, count);
    assert.deepEqual(found.scores, Float32Array.from(found.items, scoreOf));
    for (const item of [...sample, ...named]) assert.ok(found.items.includes(item), `item ${item}`);
    const best = Array.from({ length: items - FIRST_INDEX }, (_, i) => FIRST_INDEX + i)
      .sort((a, b) => scoreOf(b) - scoreOf(a))
      .slice(0, 20);
    const recall = best.filter((item) => found.items.includes(item)).length;
    assert.ok(recall >= 17, `${recall} of the best 20 among a fiftieth of the items`);
  }
});

test('users are kept within bounds, the one not asked for longest goes first, and a failure is not kept', async () => {
  const made: string[] = [];
  const later: ((bytes: number) => void)[] = [];
  const users = new KnownUsers<string>(3, 100);
  const get = async (user: string, bytes = 10): Promise<string> =>
    users.get(user, async (charge) => {
      made.push(user);
      charge(bytes);
      later.push(charge);
      return user;
    });
  for (const user of ['a', 'b', 'c', 'a', 'd', 'a', 'b']) assert.equal(await get(user), user);
  assert.deepEqual(made, ['a', 'b', 'c', 'd', 'b']);
  assert.deepEqual(users.size, { users: 3, bytes: 30 });
  later.at(-1)?.(75); // what is worked out later counts too: d, asked for longest ago, goes
  assert.deepEqual(users.size, { users: 2, bytes: 95 });
  users.forget('b');
  later.at(-1)?.(1000); // it is not kept any more
  assert.deepEqual(users.size, { users: 1, bytes: 10 });
  await assert.rejects(
    users.get('x', async () => Promise.reject(new Error('no'))),
    /no/,
  );
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(users.size, { users: 1, bytes: 10 });
});

test('counts that are brought up to date are those that are counted anew, however they changed', () => {
  const step = fc.oneof(
    { weight: 8, arbitrary: fc.record({ item: fc.nat(7), count: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 3, arbitrary: fc.constantFrom('look', 'clear', 'another item') },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const training = Float32Array.from([0, 0, 5, 3]);
      const ids = ['', 'unknown', 'i0', 'i1'];
      const items = {
        get size() {
          return ids.length;
        },
        index: (item: string) => Math.max(1, ids.indexOf(item)),
      };
      const live = new LiveCounts();
      const popularity = new Popularity(live, items, training, -1);
      const expected = new Map<string, number>();
      for (const one of [...steps, 'look'] as const) {
        if (typeof one === 'object') {
          live.add(`i${one.item}`, one.count);
          expected.set(`i${one.item}`, (expected.get(`i${one.item}`) ?? 0) + one.count);
        } else if (one === 'clear') {
          live.clear();
          expected.clear();
        } else if (one === 'another item') ids.push(`i${ids.length - 2}`);
        else {
          const known = ids.slice(2);
          assert.deepEqual(
            [...popularity.counts().subarray(2)],
            known.map((id, i) => (training[2 + i] ?? 0) + (expected.get(id) ?? 0)),
          );
        }
      }
    }),
  );
});

test('counts that changed more often than is remembered are counted anew', () => {
  const live = new LiveCounts();
  const items = { size: 4, index: (item: string) => Number(item) };
  const popularity = new Popularity(live, items, new Float32Array(4), -1);
  live.add('2', 1);
  popularity.counts();
  for (let i = 0; i < 100_000; i++) live.add('3', 1);
  assert.deepEqual([...popularity.counts()], [0, 0, 1, 100_000]);
});
