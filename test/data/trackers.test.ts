/** What the logs of trackers have in common: partial items, sign-ins, names of actions, ids put together. Each format's fields are in its fixture. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { copyToParquet, withDatabase } from '../../src/data/database.js';
import type { ReadCounts } from '../../src/data/schema.js';
import { FORMATS } from '../../src/data/sources/formats/index.js';
import { recogniseFormat } from '../../src/data/sources/log.js';
import { settle } from '../../src/data/sources/settle.js';
import { stage } from '../../src/data/sources/stage.js';
import { jsonLines, put, scratchFolder } from './folders.js';

const DAY = Date.UTC(2026, 0, 1);

interface Become {
  /** `user item type` of the events of the feed, in order. */
  readonly feed: readonly string[];
  /** `user: query` of the searches, in order. */
  readonly searches: readonly string[];
  readonly items: readonly Readonly<Record<string, string>>[];
  readonly users: readonly Readonly<Record<string, string>>[];
  readonly rejected: readonly { readonly line: number; readonly reason: string; readonly raw: string }[];
  readonly counts: ReadCounts;
}

/** What a log becomes; a list is JSON lines. */
async function become(t: TestContext, name: string, log: string | readonly object[]): Promise<Become> {
  const format = FORMATS.find((each) => each.name === name);
  assert.ok(format);
  const path = await put(await scratchFolder(t), 'log', typeof log === 'string' ? log : jsonLines(log));
  return withDatabase(async (database) => {
    const records = await stage(database, format, [{ input: { name: 'log', path } }]);
    const { counts } = await settle(database, format, records, false);
    const texts = async (query: string): Promise<string[]> => (await database.read(query, { text: 'text' })).text;
    const rows = async <T>(query: string): Promise<T[]> =>
      (await texts(`SELECT CAST(to_json(found) AS VARCHAR) FROM (${query}) AS found`)).map(
        (row) => JSON.parse(row) as T,
      );
    return {
      feed: await texts(`SELECT "user" || ' ' || item || ' ' || type FROM feed ORDER BY ordinal`),
      searches: await texts(`SELECT "user" || ': ' || query FROM searches ORDER BY ordinal`),
      items: await rows('SELECT * EXCLUDE "index" FROM items ORDER BY "index"'),
      users: await rows('SELECT * EXCLUDE "index" FROM users ORDER BY "index"'),
      rejected: await rows('SELECT line, reason, raw FROM rejected ORDER BY line, record, part'),
      counts,
    };
  });
}

const ga4 = (second: number, name: string, more: object): object => ({
  event_timestamp: String((DAY + 1000 * second) * 1000),
  event_name: name,
  event_params: [],
  user_pseudo_id: 'd1',
  ...more,
});
const segment = (second: number, type: string, more: object): object => ({
  type,
  messageId: `m${second}`,
  anonymousId: 'a1',
  timestamp: new Date(DAY + 1000 * second).toISOString(),
  ...more,
});
const snowplow = (second: number, more: object): object => ({
  event_id: `e${second}`,
  collector_tstamp: new Date(DAY + 1000 * second).toISOString(),
  domain_userid: 'd1',
  event: 'page_view',
  ...more,
});
const commerce = (type: string, ...products: readonly object[]): object => ({
  unstruct_event_com_snowplowanalytics_snowplow_ecommerce_snowplow_ecommerce_action_1: { type },
  contexts_com_snowplowanalytics_snowplow_ecommerce_product_1: products,
});

test('a cart that tells less of an item than its page leaves what is known', async (t) => {
  const logs: Readonly<Record<string, readonly object[]>> = {
    ga4: [
      ga4(1, 'view_item', { items: [{ item_id: 'i', item_name: 'Coat', item_brand: 'Acme' }] }),
      ga4(2, 'add_to_cart', { items: [{ item_id: 'i', item_name: 'Rain coat' }] }),
      ga4(3, 'purchase', { items: [{ item_id: 'i' }] }),
    ],
    segment: [
      segment(1, 'track', { event: 'Product Viewed', properties: { product_id: 'i', name: 'Coat', brand: 'Acme' } }),
      segment(2, 'track', { event: 'Product Added', properties: { product_id: 'i', name: 'Rain coat' } }),
      segment(3, 'track', { event: 'Order Completed', properties: { products: [{ product_id: 'i' }] } }),
    ],
    snowplow: [
      snowplow(1, commerce('product_view', { id: 'i', name: 'Coat', brand: 'Acme' })),
      snowplow(2, commerce('add_to_cart', { id: 'i', name: 'Rain coat' })),
      snowplow(3, commerce('transaction', { id: 'i' })),
    ],
  };
  for (const [format, log] of Object.entries(logs)) {
    const { items } = await become(t, format, log);
    assert.deepEqual(items, [{ item: 'i', title: 'Rain coat', brand: 'Acme' }], format);
  }
});

test('traits stay when a later identify has none', async (t) => {
  const { users } = await become(t, 'segment', [
    segment(1, 'identify', { userId: 'U', traits: { plan: 'pro', age: 5 } }),
    segment(2, 'track', { userId: 'U', event: 'Product Viewed', properties: { product_id: 'i' } }),
    segment(3, 'identify', { userId: 'U', traits: { age: 6 } }),
    segment(4, 'identify', { userId: 'U' }),
  ]);
  assert.deepEqual(users, [{ user: 'U', plan: 'pro', age: '6' }]);
});

test('a sign-in counts on events, too, that are left out or tell of items', async (t) => {
  const viewed = { items: [{ item_id: 'i' }] };
  const product = { event: 'Product Viewed', properties: { product_id: 'i' } };
  const logs: Readonly<Record<string, readonly object[]>> = {
    ga4: [ga4(1, 'view_item', viewed), ga4(2, 'login', { user_id: 'U' })],
    'ga4 ': [ga4(1, 'view_item', viewed), ga4(2, 'view_item_list', { ...viewed, user_id: 'U' })],
    segment: [segment(1, 'track', product), segment(2, 'identify', { userId: 'U' })],
    'segment ': [segment(1, 'track', product), segment(2, 'page', { userId: 'U' })],
    snowplow: [snowplow(1, commerce('product_view', { id: 'i' })), snowplow(2, { user_id: 'U' })],
    ubi: [
      {
        action_name: 'view',
        client_id: 'c',
        timestamp: DAY,
        event_attributes: { object: { object_id: 'i' } },
      },
      { action_name: 'login', client_id: 'c', user_id: 'U', timestamp: DAY + 1 },
    ],
    retail: [
      {
        eventType: 'detail-page-view',
        visitorId: 'v',
        eventTime: '2026-01-01T00:00:00Z',
        productDetails: [{ product: { id: 'i' } }],
      },
      { eventType: 'home-page-view', visitorId: 'v', userInfo: { userId: 'U' }, eventTime: '2026-01-01T00:00:01Z' },
    ],
    metarank: [
      { event: 'interaction', id: '1', session: 's', timestamp: DAY, item: 'i', type: 'view' },
      { event: 'ranking', id: '2', session: 's', user: 'U', timestamp: DAY + 1, fields: [], items: [] },
    ],
  };
  for (const [name, log] of Object.entries(logs)) {
    const format = name.trim();
    assert.deepEqual((await become(t, format, log)).feed, ['U i view'], name);
    // and so does that of a second person, which makes the device nobody's
    const [, signIn] = log as [object, Record<string, unknown>];
    const other = JSON.parse(JSON.stringify(signIn).replaceAll('"U"', '"V"').replace('"e2"', '"e3"')) as object;
    const [event] = (await become(t, format, [...log, other])).feed;
    assert.doesNotMatch(event as string, /^[UV] /, name);
  }
});

test('names of actions are compared without case, blanks, dashes and underscores, those that show no interest, too', async (t) => {
  const names: Readonly<Record<string, string | null>> = {
    'Add to cart': 'cart',
    Add_to_cart: 'cart',
    'ADD-TO-CART': 'cart',
    addToCart: 'cart',
    'Wish List': 'save',
    'view\u00A0item': 'view',
    'U-turn': 'interaction',
    DownVote: null,
    down_vote: null,
    'Dis-like': null,
    IMPRESSION: null,
  };
  const rows = Object.keys(names);
  const expected = Object.values(names).flatMap((type, i) => (type === null ? [] : [`u i${i} ${type}`]));
  const second = DAY / 1000;
  const logs: Readonly<Record<string, string | readonly object[]>> = {
    personalize: `USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n${rows.map((name, i) => `u,i${i},${second + i},${name}`).join('\n')}`,
    'personalize ': [
      {
        trackingId: 't',
        sessionId: 's',
        userId: 'u',
        eventList: rows.map((name, i) => ({ itemId: `i${i}`, sentAt: second + i, eventType: name })),
      },
    ],
    gorse: rows.map((name, i) => ({
      FeedbackType: name,
      UserId: 'u',
      ItemId: `i${i}`,
      Timestamp: new Date(DAY + i).toISOString(),
    })),
    metarank: rows.map((name, i) => ({
      event: 'interaction',
      id: `e${i}`,
      timestamp: DAY + i,
      user: 'u',
      item: `i${i}`,
      type: name,
    })),
  };
  for (const [name, log] of Object.entries(logs)) {
    const { feed, counts } = await become(t, name.trim(), log);
    assert.deepEqual(feed, expected, name);
    assert.equal(counts.ignored, rows.length - expected.length, name);
  }
});

test('formats with a parser of their own read JSON over several lines and lists, too, and say what they reject', async (t) => {
  const click = (item: unknown, more: object = {}): object => ({
    eventType: 'click',
    eventName: 'x',
    userToken: 't',
    timestamp: DAY,
    objectIDs: [item],
    ...more,
  });
  const log = [click('a'), { events: [click('b'), { eventType: 'wink', timestamp: DAY }, click(12)] }, click(null)];
  const expected = ['t a click', 't b click', 't 12 click'];
  for (const text of [
    jsonLines(log),
    JSON.stringify(log),
    JSON.stringify(log, null, 1),
    log.map((event) => JSON.stringify(event, null, 2)).join('\n'),
  ]) {
    const { feed, rejected, counts } = await become(t, 'algolia', text);
    assert.deepEqual(feed, expected);
    assert.deepEqual([counts.records, counts.read, counts.rejected], [3, 5, 2]);
    for (const [i, { raw }] of rejected.entries()) assert.deepEqual(JSON.parse(raw), log[i + 1]);
  }
  const views = [1, 2].map((second) => snowplow(second, commerce('product_view', { id: second })));
  assert.deepEqual((await become(t, 'snowplow', JSON.stringify(views, null, 1))).feed, ['d1 1 view', 'd1 2 view']);
});

test('auto recognises formats with a parser of their own in JSON lists, too, and Parquet is refused', async (t) => {
  const folder = await scratchFolder(t);
  const path = await put(
    folder,
    'list.json',
    JSON.stringify([snowplow(1, commerce('product_view', { id: 7 }))], null, 1),
  );
  const parquet = join(folder, 'log.parquet');
  await withDatabase(async (database) => {
    const { format } = await recogniseFormat(database, [{ name: 'list.json', path }]);
    assert.equal(format.name, 'snowplow');
    await database.run(copyToParquet('SELECT 1 AS event_id', parquet));
    await assert.rejects(
      stage(database, format, [{ input: { name: 'log.parquet', path: parquet } }]),
      /log\.parquet is a Parquet file: this format is read from text/,
    );
  });
});

test('ga4: a search that is reported once more is an echo, whatever blanks and capitals it has', async (t) => {
  const search = (second: number, name: string, term: string): object =>
    ga4(second, name, { event_params: [{ key: 'search_term', value: { string_value: term } }] });
  const { searches } = await become(t, 'ga4', [
    search(1, 'search', '\u03A1\u039F\u039B\u039F\u03A3'),
    search(2, 'view_search_results', '\u03C1\u03BF\u03BB\u03BF\u03C2'),
    search(3, 'search', 'rain jacket'),
    search(4, 'view_search_results', 'Rain\u00A0jacket\u3000'),
    search(5, 'view_search_results', 'rain jackets'),
  ]);
  assert.deepEqual(searches, ['d1: \u03A1\u039F\u039B\u039F\u03A3', 'd1: rain jacket', 'd1: rain jackets']);
});

test('ids that are put together are the same only of what is the same, blanks in them or not', async (t) => {
  const [user, item] = ['u a', 'a b'];
  const second = DAY / 1000;
  const logs: Readonly<Record<string, string | readonly object[]>> = {
    personalize: `USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n${[`${user},b`, `u,${item}`, `u,${item}`].map((ids) => `${ids},${second},view`).join('\n')}`,
    gorse: [
      [user, 'b'],
      ['u', item],
      ['u', item],
    ].map(([UserId, ItemId]) => ({ FeedbackType: 'view', UserId, ItemId, Timestamp: '2026-01-01T00:00:00Z' })),
  };
  for (const [format, log] of Object.entries(logs)) {
    const { feed, counts } = await become(t, format, log);
    assert.deepEqual(feed, ['u a b view', 'u a b view'], format);
    assert.equal(counts.duplicates, 1, format);
  }
});

test('ga4: a parameter is the first of its columns that is not blank, numbers with fractions, too', async (t) => {
  const values = [
    { double_value: 3.5 },
    { string_value: '', int_value: '1984' },
    { string_value: ' ', float_value: 2 },
    { string_value: 'tea', int_value: '1' },
  ];
  const log = values.map((value, i) => ga4(i, 'search', { event_params: [{ key: 'search_term', value }] }));
  const { searches } = await become(t, 'ga4', [...log, ga4(9, 'search', { event_params: [] })]);
  assert.deepEqual(searches, ['d1: 3.5', 'd1: 1984', 'd1: 2', 'd1: tea']);
});

test('what is empty in some way is empty', async (t) => {
  const ubi = await become(t, 'ubi', [
    { query_id: 'q1', user_query: ' \u00A0', client_id: 'c', timestamp: DAY },
    { query_id: 'q2', user_query: 'tea', client_id: 'c', timestamp: DAY },
  ]);
  assert.deepEqual([ubi.searches, ubi.counts.ignored], [['c: tea'], 1]);
  const starred = (ItemId: string, Timestamp: string): object => ({
    FeedbackType: 'star',
    UserId: 'u',
    ItemId,
    Timestamp,
  });
  const gorse = await become(t, 'gorse', [
    starred('a', '0001-01-01T00:00:00Z'),
    starred('b', '0001-01-01T00:00:00+00:00'),
    starred('c', '2026-01-01T00:00:00Z'),
  ]);
  assert.deepEqual([gorse.feed, gorse.counts.rejected], [['u c favorite'], 2]);
});

test('retail: an unknown type is told with all that are known', async (t) => {
  const { rejected } = await become(t, 'retail', [{ eventType: 'wink', visitorId: 'v', eventTime: '2026-01-01' }]);
  assert.match(rejected[0]?.reason ?? '', /unknown eventType "wink": use search, detail-page-view, .*home-page-view, /);
});
