import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Random, range } from '../../src/base/index.js';
import type { Dataset } from '../../src/data/index.js';
import {
  type Batch,
  BatchAssembler,
  type Case,
  type EdgeEnds,
  InteractionGraph,
  NegativeSampler,
  type NegativeSampling,
  type Neighbour,
  Neighbourhoods,
  SearchPairDraws,
  catalogueOf,
  gatherRows,
  lastTrainingCases,
  recentMeetings,
  timeOf,
  trainingCases,
} from '../../src/features/index.js';
import { type Surrounded, contextsOf, meetersOf } from '../support/neighbourhoods.js';
import { type TinyEvent, tinyDataset } from '../support/tiny-dataset.js';

const counts = { context: 4, neighbours: 3 };
const window = { feed: 3, search: 3, clicks: 1, words: 1 };
interface WorldOptions {
  readonly users?: number;
  readonly items?: number;
  readonly events?: number;
  /** Whether events have times; ordinals go user by user in any case. */
  readonly timed?: boolean;
}

/** Users who meet items at random, in the feed and by searches, all at the same time. */
function world(seed: number, { users = 20, items = 15, events = 12, timed = true }: WorldOptions = {}): Dataset {
  const random = new Random('world', seed);
  const item = (): string => `i${random.integer(items)}`;
  const event = (): TinyEvent =>
    random.float() < 0.6
      ? item()
      : { query: ['red', 'blue', 'green'][random.integer(3)] as string, clicked: [item(), item()] };
  const stories = Object.fromEntries(
    Array.from({ length: users }, (_, user) => [`u${user}`, Array.from({ length: events }, event)]),
  );
  const dataset = tinyDataset(stories, { items: Array.from({ length: items }, (_, i) => `i${i}`) });
  return timed ? withTimes(dataset, random) : dataset;
}

/** Every user begins at some point and goes on at a pace of their own; times of different users may be equal. */
function withTimes(dataset: Dataset, random: Random): Dataset {
  const timeOfOrdinal = new Map<number, number>();
  dataset.users.ids.forEach((_, user) => {
    let time = random.integer(60);
    for (const ordinal of ordinalsOf(dataset, user)) timeOfOrdinal.set(ordinal, (time += random.integer(6)));
  });
  const times = (ordinals: Float64Array): Float64Array =>
    ordinals.map((ordinal) => timeOfOrdinal.get(ordinal) as number);
  return {
    ...dataset,
    feedTime: times(dataset.feedOrdinal),
    searchTime: times(dataset.searchOrdinal),
    clickTime: times(dataset.clickOrdinal),
  };
}

function ordinalsOf(dataset: Dataset, user: number): number[] {
  const { feedOffsets, searchOffsets, clickOffsets } = dataset;
  const [first, end] = [searchOffsets[user] as number, searchOffsets[user + 1] as number];
  return [
    ...dataset.feedOrdinal.subarray(feedOffsets[user], feedOffsets[user + 1]),
    ...dataset.searchOrdinal.subarray(first, end),
    ...dataset.clickOrdinal.subarray(clickOffsets[first], clickOffsets[end]),
  ].sort((a, b) => a - b);
}

interface Meeting {
  readonly user: number;
  readonly item: number;
  readonly query: number;
  readonly time: number;
  readonly ordinal: number;
}

/** All meetings before anything of the user is held out, by another way than the graph's. */
function plainMeetings(dataset: Dataset): Meeting[] {
  const found: Meeting[] = [];
  dataset.users.ids.forEach((_, user) => {
    const from = dataset.heldOutStart[user] as number;
    const cut = from < (dataset.feedOffsets[user + 1] as number) ? (dataset.feedOrdinal[from] as number) : Infinity;
    const add = (item: number, query: number, time: number, ordinal: number): void => {
      if (ordinal < cut) found.push({ user, item, query, time: Number.isNaN(time) ? -Infinity : time, ordinal });
    };
    for (let at = dataset.feedOffsets[user] as number; at < (dataset.feedOffsets[user + 1] as number); at++)
      add(dataset.feedItem[at] as number, 0, dataset.feedTime[at] as number, dataset.feedOrdinal[at] as number);
    for (
      let search = dataset.searchOffsets[user] as number;
      search < (dataset.searchOffsets[user + 1] as number);
      search++
    )
      for (
        let click = dataset.clickOffsets[search] as number;
        click < (dataset.clickOffsets[search + 1] as number);
        click++
      )
        if (dataset.searchIsTraining[search])
          add(
            dataset.clickItem[click] as number,
            dataset.searchQuery[search] as number,
            dataset.clickTime[click] as number,
            dataset.clickOrdinal[click] as number,
          );
  });
  return found;
}

/** What some ends are. */
const named = (ends: EdgeEnds, numbers: readonly number[]): Neighbour[] =>
  numbers.map((end) => ({ node: ends.node(end), query: ends.query(end) }));

/** Everybody at the other end of an item's (a user's) meetings before a time, by the last of them, in order of query and index. */
function plainNeighbours(
  meetings: readonly Meeting[],
  [near, far]: readonly ['item' | 'user', 'item' | 'user'],
  node: number,
  before: number,
): Neighbour[] {
  const last = new Map<number, Meeting>();
  for (const meeting of meetings.filter((one) => one[near] === node && one.time < before)) {
    const known = last.get(meeting[far]);
    const isLater =
      !known || meeting.time > known.time || (meeting.time === known.time && meeting.ordinal > known.ordinal);
    if (isLater) last.set(meeting[far], meeting);
  }
  return [...last]
    .map(([other, { query }]) => ({ node: other, query }))
    .sort((a, b) => a.query - b.query || a.node - b.node);
}

describe('the graph of interactions', () => {
  const everybody = { count: 1000, without: [] };

  test('joins those who met in training and before a time, by their last meeting', () => {
    for (const timed of [true, false]) {
      const dataset = world(1, { timed });
      const graph = new InteractionGraph(dataset);
      const meetings = plainMeetings(dataset);
      const random = new Random('any');
      let most = 0;
      for (const before of [0, 20, 45, 80, Infinity]) {
        for (let item = 2; item < dataset.items.ids.length; item++) {
          const found = named(graph.userEnds, graph.usersOf(item, { ...everybody, before }, random));
          assert.deepEqual(found, plainNeighbours(meetings, ['item', 'user'], item, before));
          most = Math.max(most, found.length);
        }
        for (let user = 2; user < dataset.users.ids.length; user++)
          assert.deepEqual(
            named(graph.itemEnds, graph.itemsOf(user, { ...everybody, before }, random)),
            plainNeighbours(meetings, ['user', 'item'], user, before),
          );
      }
      assert.ok(most > 5);
    }
  });

  test('without times knows no before', () => {
    const dataset = world(1, { timed: false });
    const graph = new InteractionGraph(dataset);
    const of = (before: number): number[] => graph.usersOf(5, { ...everybody, before }, new Random('any'));
    assert.deepEqual(of(0), of(Infinity));
    assert.ok(of(0).length > 0);
  });

  test('gives some neighbours at random, all as likely, however often they met, and never one that is not wanted', () => {
    // ann meets the item nine times, everybody else once
    const often = Array.from({ length: 9 }, (): TinyEvent => 'hub');
    const others = ['bob', 'cat', 'dan', 'eve', 'fay'];
    const dataset = tinyDataset({
      ann: [...often, 'x', 'y'],
      ...Object.fromEntries(others.map((name) => [name, ['hub', 'x', 'y']])),
    });
    const graph = new InteractionGraph(dataset);
    const random = new Random('hub');
    const draws = 6000;
    const times = new Map<string, number>();
    const without = [dataset.users.index('eve')];
    for (let draw = 0; draw < draws; draw++) {
      const found = graph.usersOf(dataset.items.index('hub'), { count: 2, before: Infinity, without }, random);
      const names = named(graph.userEnds, found).map(({ node }) => dataset.users.ids[node] as string);
      assert.equal(new Set(names).size, 2);
      for (const name of names) times.set(name, (times.get(name) ?? 0) + 1);
    }
    assert.deepEqual([...times.keys()].toSorted(), ['ann', 'bob', 'cat', 'dan', 'fay']);
    // each is in two draws of five; four standard deviations
    for (const [name, count] of times)
      assert.ok(Math.abs(count - 0.4 * draws) < 4 * Math.sqrt(draws * 0.4 * 0.6), `${name}: ${count}`);
  });
});

interface BatchChanges {
  /** The place of the first row in the whole, where the cases are a part. */
  readonly from?: number;
  readonly neighbours?: number;
  readonly sampling?: NegativeSampling;
  /** Whether negatives lose somebody too; as it should be, unless told. */
  readonly popularNegatives?: boolean;
}

const NEGATIVES = 4;
const SEARCH_NEGATIVES = 2;
const drawsOf = (purpose: string, row: number): Random => new Random('neighbours test', purpose, row);

/** The training batch of some cases, with candidates as training draws them. */
function trainingBatch(
  dataset: Dataset,
  cases: readonly Case[],
  {
    from = 0,
    neighbours = counts.neighbours,
    sampling = 'popular',
    popularNegatives = sampling === 'popular',
  }: BatchChanges = {},
): { batch: Batch; candidates: Int32Array } {
  const sampler = new NegativeSampler(dataset, trainingCases(dataset, false), { count: NEGATIVES, sampling });
  const candidates = Int32Array.from(
    cases.flatMap((moment, row) => [
      dataset.feedItem[moment.feedPosition] as number,
      ...sampler.draw(moment, drawsOf('negatives', from + row)),
    ]),
  );
  const searchPairs = new SearchPairDraws(dataset, SEARCH_NEGATIVES);
  const options = { context: counts.context, neighbours, popularNegatives, searchPairs };
  const extras = [searchPairs, new Neighbourhoods(dataset, options)];
  const assembler = new BatchAssembler(catalogueOf(dataset), window, { extras });
  const randomOf = (purpose: string, row: number): Random => drawsOf(purpose, from + row);
  return { batch: assembler.assemble(gatherRows(dataset, cases, window), { candidates, randomOf }), candidates };
}

/** Makes batches that are only scored. */
function scoringAssembler(dataset: Dataset): BatchAssembler {
  const options = { ...counts, popularNegatives: true, searchPairs: null };
  return new BatchAssembler(catalogueOf(dataset), window, { extras: [new Neighbourhoods(dataset, options)] });
}

/** What was drawn must be some of what there is, each at most once; all of it if there are no more than were asked for, but for `spared`. */
function checkDrawn(drawn: readonly Neighbour[], possible: readonly Neighbour[], spared = 0): void {
  const keys = possible.map(({ node, query }) => `${node} ${query}`);
  for (const { node, query } of drawn) assert.ok(keys.includes(`${node} ${query}`), `${node} by query ${query}`);
  assert.equal(new Set(drawn.map(({ node }) => node)).size, drawn.length);
  assert.ok(drawn.length <= counts.neighbours);
  assert.ok(drawn.length >= Math.min(counts.neighbours, possible.length - spared), 'fewer than there are');
}

/** Checks what surrounds an item against the plain meetings before a time, without some users. */
function checkMeeters(
  meetings: readonly Meeting[],
  item: number,
  found: readonly Surrounded[],
  { before, without = [], spared = 0 }: { before: number; without?: readonly number[]; spared?: number },
): void {
  const users = plainNeighbours(meetings, ['item', 'user'], item, before);
  checkDrawn(
    found,
    users.filter(({ node }) => !without.includes(node)),
    spared,
  );
  for (const { node, around } of found) {
    const items = plainNeighbours(meetings, ['user', 'item'], node, before);
    checkDrawn(
      around,
      items.filter((other) => other.node !== item),
    );
  }
}

/** Checks what a user met last, and who else met it. */
function checkContext(
  dataset: Dataset,
  meetings: readonly Meeting[],
  moment: Parameters<typeof recentMeetings>[1],
  found: readonly Surrounded[],
): void {
  const met = recentMeetings(dataset, moment, counts.context);
  assert.deepEqual(
    found.map(({ node, query }) => ({ item: node, query })),
    met,
  );
  for (const { node, around } of found) {
    const users = plainNeighbours(meetings, ['item', 'user'], node, timeOf(dataset, moment));
    checkDrawn(
      around,
      users.filter((other) => other.node !== moment.user),
    );
  }
}

describe('neighbourhoods of training rows', () => {
  for (const timed of [true, false]) {
    const dataset = world(2, { timed });
    const meetings = plainMeetings(dataset);
    const cases = trainingCases(dataset, false);

    test(`hold what had happened, and nothing of the row's own user${timed ? '' : ', where there are no times'}`, () => {
      const { batch, candidates } = trainingBatch(dataset, cases);
      const contexts = contextsOf(batch, counts, 'context');
      const meeters = meetersOf(batch, counts, 'candidate');
      cases.forEach((moment, row) => {
        checkContext(dataset, meetings, moment, contexts[row] as Surrounded[]);
        for (let column = 0; column <= NEGATIVES; column++) {
          const place = row * (1 + NEGATIVES) + column;
          const limits = { before: timeOf(dataset, moment), without: [moment.user], spared: column === 0 ? 0 : 1 };
          checkMeeters(meetings, candidates[place] as number, meeters[place] as Surrounded[], limits);
        }
      });
    });

    test(`are there for search pairs too, as of the search, without who searched${timed ? '' : ', where there are no times'}`, () => {
      const { batch } = trainingBatch(dataset, cases);
      const draws = new SearchPairDraws(dataset, SEARCH_NEGATIVES);
      const contexts = contextsOf(batch, counts, 'searchContext');
      const meeters = meetersOf(batch, counts, 'searchCandidate');
      const slots = batch.inputs['searchPairItems'] as Int32Array;
      cases.forEach((_, row) => {
        const pair = draws.draw(drawsOf('search pairs', row));
        assert.equal(batch.ids.users[(batch.inputs['searchUser'] as Int32Array)[row] as number], pair.user);
        checkContext(dataset, meetings, pair, contexts[row] as Surrounded[]);
        pair.candidates.forEach((item, column) => {
          const place = row * (1 + SEARCH_NEGATIVES) + column;
          assert.equal(batch.ids.items[slots[place] as number], item);
          const limits = { before: timeOf(dataset, pair), without: [pair.user], spared: column === 0 ? 0 : 1 };
          checkMeeters(meetings, item, meeters[place] as Surrounded[], limits);
        });
      });
    });
  }

  test('are the same however a batch is cut', () => {
    const dataset = world(3);
    const cases = trainingCases(dataset, false).slice(0, 30);
    const told = (batch: Batch) => [
      contextsOf(batch, counts, 'context'),
      contextsOf(batch, counts, 'searchContext'),
      meetersOf(batch, counts, 'candidate'),
      meetersOf(batch, counts, 'searchCandidate'),
    ];
    const parts = [
      [0, 11],
      [11, 30],
    ].map(([from = 0, end]) => told(trainingBatch(dataset, cases.slice(from, end), { from }).batch));
    const whole = told(trainingBatch(dataset, cases).batch);
    assert.deepEqual(
      whole,
      whole.map((_, kind) => parts.flatMap((part) => part[kind] as Surrounded[][])),
    );
  });
});

describe('neighbourhoods of what is scored', () => {
  const dataset = world(4);
  const meetings = plainMeetings(dataset);
  const users = range(dataset.users.ids.length - 2).map((user) => user + 2);
  const cases = Array.from(users, (user) => ({ user, feedPosition: dataset.targets.validation[user] as number }));

  test('of a case are the same in any company', () => {
    const assembler = scoringAssembler(dataset);
    const contexts = (some: readonly Case[]): Surrounded[][] =>
      contextsOf(assembler.assemble(gatherRows(dataset, some, window)), counts, 'context');
    const together = contexts(cases);
    cases.forEach((moment, row) => {
      checkContext(dataset, meetings, moment, together[row] as Surrounded[]);
      assert.deepEqual(contexts([moment]), [together[row]]);
    });
    assert.deepEqual(contexts(cases.toReversed()), together.toReversed());
  });

  test('of an item are those of all training, whoever asks, the same in any company', () => {
    const assembler = scoringAssembler(dataset);
    const meetersBy = (items: Int32Array): Map<number, Surrounded[]> => {
      const batch = assembler.assembleItems(items);
      const found = meetersOf(batch, counts, 'item');
      assert.equal(found.length, batch.sizes.extras['roots']);
      return new Map(
        Array.from(items, (item, place) => [
          item,
          found[(batch.inputs['itemSlots'] as Int32Array)[place] as number] as Surrounded[],
        ]),
      );
    };
    const all = meetersBy(range(dataset.items.ids.length - 2).map((item) => item + 2));
    for (const [item, found] of all) {
      checkMeeters(meetings, item, found, { before: Infinity });
      assert.deepEqual(meetersBy(Int32Array.of(item, 3)).get(item), found);
    }
  });

  test('never know what is held out', () => {
    const { feedOffsets, heldOutStart, items } = dataset;
    const feedItem = dataset.feedItem.map((item, place) => {
      const user = feedOffsets.findLastIndex((start) => start <= place);
      return place < (heldOutStart[user] as number) ? item : 2 + ((item + 3) % (items.ids.length - 2));
    });
    const other = { ...dataset, feedItem };
    assert.notDeepEqual(other.feedItem, dataset.feedItem);
    const all = range(items.ids.length - 2).map((item) => item + 2);
    assert.deepEqual(scoringAssembler(other).assembleItems(all), scoringAssembler(dataset).assembleItems(all));
    const [one, two] = [dataset, other].map((own) => scoringAssembler(own).assemble(gatherRows(own, cases, window)));
    assert.deepEqual(one, two);
  });
});

/** HIT@1 of the first of `width` candidates per row; among equal scores anyone is first. */
function hitRate(scores: readonly number[], width: number): number {
  const rows = scores.length / width;
  let hits = 0;
  for (let row = 0; row < rows; row++) {
    const [own = 0, ...others] = scores.slice(row * width, (row + 1) * width);
    if (others.every((score) => score <= own)) hits += 1 / (1 + others.filter((score) => score === own).length);
  }
  return hits / rows;
}

/** Nobody meets an item twice, and which they meet has no reason. */
function shuffled(seed: number, { users, items, events, timed }: Required<WorldOptions>): Dataset {
  const random = new Random('shuffled', seed);
  const story = (): TinyEvent[] => {
    const [first = '', ...others] = Array.from(random.shuffle(range(items)).subarray(0, events), (item) => `i${item}`);
    return [first, { query: 'any', clicked: [first] }, ...others];
  };
  const dataset = tinyDataset(Object.fromEntries(Array.from({ length: users }, (_, user) => [`u${user}`, story()])));
  return timed ? withTimes(dataset, random) : dataset;
}

describe('the edge that is to be predicted', () => {
  // without times, and so nothing but whose edge it is keeps it out
  const dataset = shuffled(1, { users: 400, items: 200, events: 8, timed: false });
  const cases = lastTrainingCases(dataset, false);
  const width = 1 + NEGATIVES;
  const contextOf = cases.map((moment) => new Set(recentMeetings(dataset, moment, 100).map(({ item }) => item)));
  /** How much those who met a candidate have met of what the row's user had. */
  const likeness = (row: number, found: readonly Surrounded[]): number =>
    found.reduce((total, { around }) => total + around.filter(({ node }) => contextOf[row]?.has(node)).length, 0);
  const rowOf = (place: number): number => Math.floor(place / width);

  test('would tell everything if it were seen', () => {
    const { candidates } = trainingBatch(dataset, cases);
    const graph = new InteractionGraph(dataset);
    const request = { count: 1000, before: Infinity, without: [] };
    const meetersOfItem = (item: number): Neighbour[] =>
      named(graph.userEnds, graph.usersOf(item, request, new Random('')));
    const isAmongThem = Array.from(candidates, (item, place) =>
      Number(meetersOfItem(item).some(({ node }) => node === cases[rowOf(place)]?.user)),
    );
    assert.equal(hitRate(isAmongThem, width), 1);
    // without a look at who it is: somebody who met the candidate met all that the user had
    const mostAlike = Array.from(candidates, (item, place) =>
      Math.max(
        ...meetersOfItem(item).map(({ node }) => {
          const met = graph.itemsOf(node, { ...request, without: [item] }, new Random(''));
          const around = named(graph.itemEnds, met);
          return likeness(rowOf(place), [{ node, query: 0, around }]);
        }),
      ),
    );
    assert.ok(hitRate(mostAlike, width) > 0.9);
  });

  test('is not seen: neither who met a candidate nor what they met tells it', () => {
    const { batch } = trainingBatch(dataset, cases, { neighbours: 12 });
    const found = meetersOf(batch, { ...counts, neighbours: 12 }, 'candidate');
    const isAmongThem = found.map((meeters, place) =>
      Number(meeters.some(({ node }) => node === cases[rowOf(place)]?.user)),
    );
    assert.ok(Math.abs(hitRate(isAmongThem, width) - 1 / width) < 1e-12);
    const mostAlike = found.map((meeters, place) =>
      Math.max(0, ...meeters.map((one) => likeness(rowOf(place), [one]))),
    );
    const deviation = Math.sqrt(((1 / width) * (1 - 1 / width)) / cases.length);
    const hits = hitRate(mostAlike, width);
    assert.ok(Math.abs(hits - 1 / width) < 4 * deviation, `HIT@1 ${hits}`);
  });

  for (const timed of [true, false])
    test(`leaves no gap${timed ? '' : ', where there are no times'}: a positive has as many neighbours as a negative drawn by popularity`, () => {
      const world = shuffled(2, { users: 400, items: 100, events: 6, timed });
      const rows = trainingCases(world, false);
      /** By how many standard errors positives have more neighbours. */
      const gapOf = (popularNegatives: boolean): number => {
        const { batch } = trainingBatch(world, rows, { neighbours: 20, popularNegatives });
        const sizes = meetersOf(batch, { ...counts, neighbours: 20 }, 'candidate').map(({ length }) => length);
        const gaps = rows.map((_, row) => {
          const [own = 0, ...others] = sizes.slice(row * width, (row + 1) * width);
          return own - others.reduce((a, b) => a + b, 0) / others.length;
        });
        const mean = gaps.reduce((a, b) => a + b, 0) / gaps.length;
        const variance = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / (gaps.length - 1);
        return mean / Math.sqrt(variance / gaps.length);
      };
      const [even, uneven] = [gapOf(true), gapOf(false)];
      assert.ok(Math.abs(even) < 3, `${even} standard errors`);
      assert.ok(uneven < -4, `without the edge that a negative loses: ${uneven}`);
    });
});
