/**
 * SESRec's scores of many candidates per user (Eq. 17 to 21) with little work per candidate. Knows the arithmetic of
 * `scoreCandidates` in another order, exact but for rounding; does not know how users and items are brought here.
 *
 * - Project before you mix: the first layer of the prediction is linear, W (sum_j a_j h_j) = sum_j a_j (W h_j), so it acts
 *   on the encoded positions, once per user, and a candidate meets nothing wider than its own attention weights.
 * - The similar and the dissimilar positions of a lane either share no position, or both are the whole history. So one
 *   column per position is enough for both: its value is the sum of what it adds to either.
 * - All softmaxes of a candidate are one exponential, one product that sums it within each interest's mask, and one that
 *   brings the reciprocals back. There is no running maximum, so attention scores must stay below `MAXIMAL_SCORE`:
 *   |h^T W_d e_v| <= |h| |W_d e_v|, the product of the two `reach`es, tells whether they do. Where it may not,
 *   `scoreCandidates` is the way.
 *
 * Shapes: B users, C candidates, d model width, d_v candidate width, L lanes (feed, search), d_q = L d, S softmaxes and one
 * constant, f units of the prediction's first layer, K columns: a constant one that carries the user's share, and for
 * each lane its positions once for the interest of all, and with multi-interest once more for the other two.
 */
import type { Extent } from '../../../features/index.js';
import { type Tensor, nn, ops } from '../../../tensor/index.js';
import { type Scope, linear } from '../../layers/layers.js';
import { type Interests, type UserState, firstLayer, laterLayers } from './sesrec.js';
import type { SesrecConfig } from './sesrec-config.js';

const { add, concat, div, matmul, mul, reshape, slice, sub } = ops;

/** e to it, summed over any history, is finite in float32, and so is the reciprocal of e to its negative. */
export const MAXIMAL_SCORE = 80;

/** Users as candidates meet them. */
export interface ProjectedUsers {
  /** (B,K,d_q): what a candidate's queries are multiplied with; zero in the other lane, and all zero for the constant. */
  readonly keys: Tensor;
  /** (B,K,S): 1 where a softmax sums a column. */
  readonly sums: Tensor;
  /** (B,S,K): 1 where a column is divided by that sum. */
  readonly spread: Tensor;
  /** (B,K,f): what a column adds to the first layer. */
  readonly values: Tensor;
}

const hasSides = (config: SesrecConfig): boolean => config.useMultiInterest && config.useSearch;
const laneCount = (config: SesrecConfig): number => (config.useSearch ? 2 : 1);
const softmaxesPerLane = (config: SesrecConfig): number => (hasSides(config) ? 3 : 1);

/** The first layer of the prediction, for users and candidates of some widths. */
function firstLayerOf(scope: Scope, config: SesrecConfig, widths: { user: number; candidate: number }) {
  return firstLayer(scope, config, {
    interests: laneCount(config) * softmaxesPerLane(config) * config.width,
    ...widths,
  });
}

const zeros = (shape: readonly number[]): Tensor => ops.broadcast(ops.constant(0), shape);
const ones = (shape: readonly number[]): Tensor => ops.broadcast(ops.constant(1), shape);

/** Works out once per user what all candidates share. */
export function projectUsers(
  scope: Scope,
  config: SesrecConfig,
  { feed, search, masks, user }: Omit<UserState, 'split'>,
  candidateWidth: number,
): ProjectedUsers {
  const [rows] = feed.shape as [number];
  const { shares, bias } = firstLayerOf(scope, config, {
    user: user.shape[1] as number,
    candidate: candidateWidth,
  });
  const units = bias.shape[0] as number;
  const lanes = [{ history: feed, interests: masks.feed }];
  if (search && masks.search) lanes.push({ history: search, interests: masks.search });
  const perLane = softmaxesPerLane(config);
  const softmaxes = lanes.length * perLane + 1;

  // the constant column is the last softmax's, of one entry
  const keys = [zeros([rows, 1, lanes.length * config.width])];
  const sums = [concat([zeros([rows, 1, softmaxes - 1]), ones([rows, 1, 1])], 2)];
  const spread = [concat([zeros([rows, softmaxes - 1, 1]), ones([rows, 1, 1])], 1)];
  const values = [reshape(nn.linear(user, shares.user, bias), [rows, 1, units])];
  for (const [lane, { history, interests }] of lanes.entries()) {
    const length = history.shape[1] as number;
    const column = (mask: Tensor): Tensor => reshape(mask, [rows, length, 1]);
    const row = (mask: Tensor): Tensor => reshape(mask, [rows, 1, length]);
    const value = (mask: Tensor, softmax: number): Tensor => {
      const start = (lane * perLane + softmax) * config.width;
      const ofInterest = slice(shares.interests, 1, start, start + config.width);
      return mul(nn.linear(history, ofInterest), column(mask));
    };
    const key = ops.pad(history, 2, lane * config.width, (lanes.length - 1 - lane) * config.width);
    const sumOf = ({ all, similar, dissimilar }: Interests<Tensor>): Tensor =>
      ops.pad(
        concat(perLane === 3 ? [column(all), column(similar), column(dissimilar)] : [column(all)], 2),
        2,
        lane * perLane,
        softmaxes - (lane + 1) * perLane,
      );
    const spreadOver = (parts: readonly (readonly [softmax: number, mask: Tensor])[]): Tensor =>
      concat(
        Array.from({ length: softmaxes }, (_, softmax) => {
          const part = parts.find(([own]) => lane * perLane + own === softmax);
          return part ? row(part[1]) : zeros([rows, 1, length]);
        }),
        1,
      );
    const { all, similar, dissimilar } = interests;
    keys.push(key);
    sums.push(sumOf(interests));
    spread.push(spreadOver([[0, all]]));
    values.push(value(all, 0));
    if (perLane === 1) continue;
    keys.push(key);
    sums.push(zeros([rows, length, softmaxes])); // the positions are summed once
    // where both sides are the whole history their sums are the same: one of them is taken
    spread.push(spreadOver([[1, similar], [2, mul(dissimilar, sub(1, similar))]])); // prettier-ignore
    values.push(add(value(similar, 1), value(dissimilar, 2)));
  }
  return { keys: concat(keys, 1), sums: concat(sums, 1), spread: concat(spread, 2), values: concat(values, 1) };
}

/** The same as inputs of another graph. */
export function projectedInputs(scope: Scope, config: SesrecConfig, rows: number, extent: Extent): ProjectedUsers {
  const positions = extent.feed + (config.useSearch ? extent.search : 0);
  const columns = 1 + (hasSides(config) ? 2 : 1) * positions;
  const softmaxes = laneCount(config) * softmaxesPerLane(config) + 1;
  return {
    keys: scope.input('keys', [rows, columns, laneCount(config) * config.width]),
    sums: scope.input('sums', [rows, columns, softmaxes]),
    spread: scope.input('spread', [rows, softmaxes, columns]),
    values: scope.input('values', [rows, columns, config.hidden[0] as number]),
  };
}

/** W_d e_v of each lane, side by side. candidates: (…,d_v). Result (…,d_q). */
function attentionQueries(scope: Scope, config: SesrecConfig, candidates: Tensor): Tensor {
  return concat(
    (config.useSearch ? (['feed', 'search'] as const) : (['feed'] as const)).map((lane) =>
      linear(scope, `${lane}.interest`, candidates, config.width, { bias: false }),
    ),
    candidates.shape.length - 1,
  );
}

/** Upper bounds of |h|, (B,K), and of |W_d e_v|, (C): a product of the two that is at most `MAXIMAL_SCORE` allows this form. */
export const reachOfUsers = ({ keys }: ProjectedUsers): Tensor => nn.norm(keys);
export const reachOfCandidates = (scope: Scope, config: SesrecConfig, candidates: Tensor): Tensor =>
  nn.norm(attentionQueries(scope, config, candidates));

/** The weight of every column for every candidate. (…,C,d_q), (…,K,d_q), … Result (…,C,K). */
function columnWeights(queries: Tensor, { keys, sums, spread }: Omit<ProjectedUsers, 'values'>): Tensor {
  const exponentials = ops.exp(matmul(queries, keys, { transposeB: true }));
  const total = ops.maximum(matmul(exponentials, sums), 1e-36); // nothing real is that small; empty histories are 0
  return mul(exponentials, matmul(div(1, total), spread));
}

/** Scores candidates of each user's own. candidates: (B,C,d_v). Result (B,C). */
export function scoreOwnCandidates(
  scope: Scope,
  config: SesrecConfig,
  users: ProjectedUsers,
  candidates: Tensor,
  userWidth: number,
): Tensor {
  const [rows, , candidateWidth] = candidates.shape as [number, number, number];
  const weights = columnWeights(attentionQueries(scope, config, candidates), users);
  const { shares, bias } = firstLayerOf(scope, config, { user: userWidth, candidate: candidateWidth });
  // Candidates are met once: they are further columns, and their share of the first layer further values.
  const share = ops.broadcast(
    reshape(ops.transpose(shares.candidate, [1, 0]), [1, candidateWidth, bias.shape[0] as number]),
    [rows, candidateWidth, bias.shape[0] as number],
  );
  return laterLayers(scope, config, matmul(concat([weights, candidates], 2), concat([users.values, share], 1)));
}

/**
 * Scores the same candidates for every user. candidates: (C,d_v). Result (B,C). What depends on candidates only is worked
 * out once; the rest goes user by user, so that what lies between two layers stays in cache.
 */
export function scoreSharedCandidates(
  scope: Scope,
  config: SesrecConfig,
  users: ProjectedUsers,
  candidates: Tensor,
  userWidth: number,
): Tensor {
  const [count, candidateWidth] = candidates.shape as [number, number];
  const queries = attentionQueries(scope, config, candidates);
  const share = nn.linear(
    candidates,
    firstLayerOf(scope, config, { user: userWidth, candidate: candidateWidth }).shares.candidate,
  );
  const scores = Array.from({ length: users.keys.shape[0] as number }, (_, user) => {
    const own = (x: Tensor): Tensor => reshape(slice(x, 0, user, user + 1), x.shape.slice(1));
    const weights = columnWeights(queries, {
      keys: own(users.keys),
      sums: own(users.sums),
      spread: own(users.spread),
    });
    return reshape(laterLayers(scope, config, add(matmul(weights, own(users.values)), share)), [1, count]);
  });
  return concat(scores, 0);
}
