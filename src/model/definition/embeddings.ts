/**
 * Items, queries and users as vectors, the same for every model (SESRec, 4.2.1 and section 5.1.4: the item embedding is the
 * same for all that are compared). Knows ids, attributes and words; does not know what a model does with them.
 *
 * Shapes: I, Q, V distinct items, queries, words of a batch, B rows; d_i, d_q, d_u widths of an item, a query, a user. Slot 0
 * of items, queries and words is padding.
 */
import type { BatchSizes } from '../../features/index.js';
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type ParameterDescription, type Scope, embedding } from '../layers/layers.js';
import type { AttributeConfig, CommonConfig } from './model.js';

type Padding = ParameterDescription['padding'];

/** What a model may want of its tables. */
export interface TableOptions {
  readonly padding?: Padding;
  /**
   * Share of ids that a training batch leaves out, so that what else is known of an item or a query learns to speak for it: one that
   * training never met, whose id is still small and random, is then like those.
   */
  readonly idDropout?: number;
}

/** Rows of a table of ids. */
export function idRows(
  scope: Scope,
  table: string,
  shape: readonly [number, number],
  [kind, count]: readonly ['items' | 'queries', number],
  { padding = 'zero', idDropout = 0 }: TableOptions = {},
): Tensor {
  const rows = scope.rows(table, shape, kind, count, padding);
  return scope.withoutSome(`ids of ${kind}`, rows, idDropout);
}

/** Ids and attributes of the distinct items, side by side. Result (I,d_i). */
export function embedItems(scope: Scope, config: CommonConfig, count: number, options: TableOptions = {}): Tensor {
  const id = idRows(scope, 'item.id', [config.sizes.items, config.itemIdWidth], ['items', count], options);
  return withAttributes(scope, 'item', id, config.itemAttributes);
}

/** Ids of the distinct queries beside the means of their words. Result (Q,d_q). */
export function embedQueries(
  scope: Scope,
  config: CommonConfig,
  sizes: BatchSizes,
  options: TableOptions = {},
): Tensor {
  const { queryIdWidth } = config;
  const shape = [config.sizes.queries, queryIdWidth] as const;
  const id = idRows(scope, 'query.id', shape, ['queries', sizes.queries], options);
  return ops.concat([id, embedWords(scope, config, sizes, options.padding)], 1);
}

/** The means of the words of the distinct queries. Result (Q, word width). */
export function embedWords(scope: Scope, config: CommonConfig, sizes: BatchSizes, padding: Padding = 'zero'): Tensor {
  const { window } = config;
  const words = wordRows(scope, config, sizes, padding);
  const slots = scope.input('queryWords', [sizes.queries, window.words], 'int32');
  return nn.maskedMean(ops.gather(words, slots), scope.input('wordMask', [sizes.queries, window.words]));
}

/** The distinct words themselves. Result (V, word width). */
export function wordRows(scope: Scope, config: CommonConfig, sizes: BatchSizes, padding: Padding = 'zero'): Tensor {
  return scope.rows('query.word', [config.sizes.words, config.wordWidth], 'words', sizes.words, padding);
}

/** Ids and attributes of the rows' users, side by side. Result (B,d_u). */
export function embedUsers(scope: Scope, config: CommonConfig, rows: number): Tensor {
  const id = scope.rows('user.id', [config.sizes.users, config.userIdWidth], 'users', rows);
  return withAttributes(scope, 'user', id, config.userAttributes);
}

function withAttributes(
  scope: Scope,
  owner: 'item' | 'user',
  id: Tensor,
  attributes: readonly AttributeConfig[],
): Tensor {
  const count = id.shape[0] as number;
  const parts = attributes.map(({ name, size, width }) =>
    embedding(scope, `${owner}.${name}`, [size, width], scope.input(`${owner}Attribute.${name}`, [count], 'int32')),
  );
  return parts.length === 0 ? id : ops.concat([id, ...parts], 1);
}

const total = (attributes: readonly AttributeConfig[]): number => attributes.reduce((sum, { width }) => sum + width, 0);
/** d_i */
export const itemWidthOf = ({ itemIdWidth, itemAttributes }: CommonConfig): number =>
  itemIdWidth + total(itemAttributes);
/** d_u */
export const userWidthOf = ({ userIdWidth, userAttributes }: CommonConfig): number =>
  userIdWidth + total(userAttributes);
/** d_q */
export const queryWidthOf = ({ queryIdWidth, wordWidth }: CommonConfig): number => queryIdWidth + wordWidth;

/** A lane of a history, or what lies behind its searches, and where it is real. */
export interface Behaviours {
  /** (B,T,width). */
  readonly vectors: Tensor;
  /** (B,T), 1 for real positions. */
  readonly mask: Tensor;
}

/** The feed of every row, from vectors of the distinct items (I,d). Result (B,T_r,d). */
export function feedOf(scope: Scope, sizes: BatchSizes, items: Tensor): Behaviours {
  const shape = [sizes.rows, sizes.feed];
  return { vectors: ops.gather(items, scope.input('feed', shape, 'int32')), mask: scope.input('feedMask', shape) };
}

/** The searches of every row, from vectors of the distinct queries (Q,d). Result (B,T_s,d). */
export function searchesOf(scope: Scope, sizes: BatchSizes, queries: Tensor): Behaviours {
  const shape = [sizes.rows, sizes.search];
  return {
    vectors: ops.gather(queries, scope.input('search', shape, 'int32')),
    mask: scope.input('searchMask', shape),
  };
}

/** The items clicked in the searches of every row, from vectors of the distinct items (I,d). Result (B,T_s K,d). */
export function clicksOf(scope: Scope, sizes: BatchSizes, items: Tensor, clicksPerSearch: number): Behaviours {
  const shape = [sizes.rows, sizes.search, clicksPerSearch];
  const flat = [sizes.rows, sizes.search * clicksPerSearch];
  return {
    vectors: ops.gather(items, ops.reshape(scope.input('clicks', shape, 'int32'), flat)),
    mask: ops.reshape(scope.input('clickMask', shape), flat),
  };
}

/**
 * The mean of the items clicked in each search, zeros where there is none, from vectors of the distinct items (I,d). Result
 * (B,T_s,d).
 */
export function clickMeansOf(
  scope: Scope,
  { rows, search }: BatchSizes,
  items: Tensor,
  clicksPerSearch: number,
): Tensor {
  const shape = [rows, search, clicksPerSearch];
  const clicked = ops.gather(items, scope.input('clicks', shape, 'int32'));
  const width = items.shape[1] as number;
  const flat = [rows * search, clicksPerSearch];
  const mean = nn.maskedMean(
    ops.reshape(clicked, [...flat, width]),
    ops.reshape(scope.input('clickMask', shape), flat),
  );
  return ops.reshape(mean, [rows, search, width]);
}

/**
 * Feed and searches of every row in order of time (features/timeline.ts), from vectors at their places. feed: (B,T_r,d), searches:
 * (B,T_s,d), clicks: (B,T_s K,d) where they are tokens. Result (B,L,d), of which padding is some token's vector.
 * @param length L, see `timelineLength`
 */
export function timelineOf(
  scope: Scope,
  { rows }: BatchSizes,
  length: number,
  [feed, ...others]: readonly [feed: Tensor, searches: Tensor, clicks?: Tensor],
): Behaviours {
  const places = ops.concat([feed, ...others.filter((lane) => lane !== undefined)], 1);
  const [, perRow, width] = places.shape as [number, number, number];
  const shape = [rows, length];
  return {
    vectors: ops.gather(ops.reshape(places, [rows * perRow, width]), scope.input('timeline', shape, 'int32')),
    mask: scope.input('timelineMask', shape),
  };
}

/**
 * The other way round: what the slots of a timeline have, the same in every row, at the places of its tokens; zeros at padding. slots:
 * (L,d), places: how many a row has. Result (B,places,d).
 */
export function atTokens(scope: Scope, { rows }: BatchSizes, slots: Tensor, places: number): Tensor {
  const [length, width] = slots.shape as [number, number];
  const mask = ops.reshape(scope.input('timelineMask', [rows, length]), [rows, length, 1]);
  const given = ops.reshape(ops.mul(slots, mask), [rows * length, width]);
  const indices = ops.reshape(scope.input('timeline', [rows, length], 'int32'), [rows * length]);
  return ops.reshape(ops.scatterAdd(indices, given, rows * places), [rows, places, width]);
}
