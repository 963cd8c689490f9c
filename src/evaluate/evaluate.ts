/**
 * Ranks the held-out item of every user and sums up. Knows the two protocols and what is removed; does not know how a
 * ranker scores, nor how results are printed.
 */
import { assert, at, InterruptedError, NotFiniteError, UserError } from '../base/index.js';
import { FIRST_INDEX, type Dataset, type HeldOut } from '../data/index.js';
import { metBefore } from '../features/index.js';
import type { Case, Ranker, ScoredStretch } from '../model/index.js';
import { candidatesOf, drawCandidates, hashCandidates, type Candidates } from './candidates.js';
import { type ChosenCases, chooseCases } from './cases.js';
import { chance, everyMetric, place, summarise, type Metrics, type Summary } from './metrics.js';

/** `sampled`: the target among a short list per user. `full`: the target among all items but the seen ones. */
export type ProtocolName = 'sampled' | 'full';

export interface EvaluateOptions {
  /** Which held-out event is predicted. */
  readonly on: HeldOut;
  readonly protocol: ProtocolName;
  /** The lists of the sampled protocol; without them, 99 items are drawn uniformly with `seed`. */
  readonly candidates?: Candidates;
  /** Evaluate a seeded sample of this many users; the result says so. All users unless told. */
  readonly users?: number;
  /** Seed of that sample, and of candidates that are drawn here; 1 unless told. */
  readonly seed?: number;
  /** Cases per call of the ranker; 1024 unless told. */
  readonly batchSize?: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Asks the evaluation to stop before its next batch, with an `InterruptedError`. */
  readonly signal?: AbortSignal;
}

/** How a result was got: all that a reader needs before comparing two of them. */
export interface Protocol extends Omit<ChosenCases, 'cases'> {
  readonly name: ProtocolName;
  readonly on: HeldOut;
  readonly split: string;
  /** How the candidates were drawn, in words. */
  readonly candidates: string;
  /** Candidates per user beside the target; under `full` their mean over users. */
  readonly count: number;
  /** Identity of the candidate lists, null under `full`. */
  readonly hash: string | null;
  /** Seed that the candidates were drawn with, null where nothing was drawn here. */
  readonly seed: number | null;
  /** Whether items known from the history before the target are out of the race. */
  readonly seenItemsRemoved: boolean;
  /** Items that training does not know and that take part all the same (`Split.newItems`), and how many targets are among them; else absent. */
  readonly newItems?: { readonly items: number; readonly targets: number };
  readonly tieRule: string;
}

export interface Evaluation extends Summary {
  readonly ranker: string;
  /** What guessing gets on the same candidates, exactly. */
  readonly chance: Metrics;
  readonly protocol: Protocol;
  /** One entry per user, in order of user index: every metric follows from these. */
  readonly ranks: { readonly user: Int32Array; readonly better: Int32Array; readonly tied: Int32Array };
}

export const TIE_RULE =
  'each metric is its mean over the ranks that the target may take among candidates of equal score';

/**
 * Evaluates a ranker on the target of every user that has one; which event that is, the split of the data says.
 *
 * sampled: the target among the user's candidates. full: the target among all items, without those in the history
 * before the target (feed events, so for test also the validation item; items clicked in searches of the history);
 * the target itself always stays. Ties: see `TIE_RULE`. A NaN score or no user to evaluate is a `UserError`.
 * Source: SESRec, section 5.1.2 (sampled); Krichene and Rendle, KDD 2020 (why to look at full).
 */
export async function evaluate(ranker: Ranker, dataset: Dataset, options: EvaluateOptions): Promise<Evaluation> {
  const { on, protocol, seed = 1 } = options;
  for (const [what, value] of [
    ['users', options.users],
    ['batchSize', options.batchSize],
  ] as const) {
    if (value !== undefined && (!Number.isInteger(value) || value < 1))
      throw new UserError(`${what} is ${value}: give a whole number from 1`);
  }
  const { cases, leftOut, unknownTargets, sample } = chooseCases(dataset, on, options.users, seed);
  const lists = protocol === 'sampled' ? (options.candidates ?? drawCandidates(dataset, { seed })) : undefined;
  const { batchSize = 1024 } = options;

  const better = new Int32Array(cases.length);
  const tied = new Int32Array(cases.length);
  const counts = new Int32Array(cases.length);
  for (let start = 0; start < cases.length; start += batchSize) {
    const goOn = (done: number): void => {
      if (options.signal?.aborted)
        throw new InterruptedError(`the evaluation was stopped after ${start + done} of ${cases.length} users`);
      if (done > 0) options.onProgress?.(start + done, cases.length);
    };
    goOn(0);
    const batch = cases.slice(start, start + batchSize);
    const places = lists
      ? await rankAmongLists(ranker, dataset, batch, lists, goOn)
      : await rankAmongAll(ranker, dataset, batch, goOn);
    for (const [i, found] of places.entries()) {
      better[start + i] = found.better;
      tied[start + i] = found.tied;
      counts[start + i] = found.count;
    }
  }
  return {
    ranker: ranker.name,
    ...summarise({ better, tied }),
    chance: meanChance(counts),
    protocol: {
      name: protocol,
      on,
      split: dataset.manifest.split.strategy,
      candidates: lists ? describe(lists) : 'all items of the catalogue',
      count: counts.reduce((sum, count) => sum + count, 0) / counts.length,
      hash: lists ? hashCandidates(lists, dataset) : null,
      seed: lists?.seed ?? null,
      seenItemsRemoved: protocol === 'full',
      ...newItemsAmong(dataset, cases),
      tieRule: TIE_RULE,
      sample,
      leftOut,
      unknownTargets,
    },
    ranks: { user: Int32Array.from(cases, ({ user }) => user), better, tied },
  };
}

function newItemsAmong({ items, trainedItems, feedItem }: Dataset, cases: readonly Case[]): Pick<Protocol, 'newItems'> {
  if (trainedItems === items.ids.length) return {};
  const targets = cases.filter(({ feedPosition }) => at(feedItem, feedPosition) >= trainedItems).length;
  return { newItems: { items: items.ids.length - trainedItems, targets } };
}

interface Place {
  readonly better: number;
  readonly tied: number;
  /** Candidates beside the target. */
  readonly count: number;
}

async function rankAmongLists(
  ranker: Ranker,
  dataset: Dataset,
  cases: readonly Case[],
  lists: Candidates,
  goOn: (done: number) => void,
): Promise<Place[]> {
  const perCase = 1 + lists.count;
  const candidates = new Int32Array(cases.length * perCase);
  for (const [row, { user, feedPosition }] of cases.entries()) {
    const list = candidatesOf(lists, user);
    if (!list)
      throw new UserError(
        `no candidates for user ${JSON.stringify(dataset.users.ids[user])}: draw them for this data set`,
      );
    candidates[row * perCase] = targetOf(dataset, feedPosition);
    candidates.set(list, row * perCase + 1);
  }
  const scores = await ranker.score(cases, candidates, perCase);
  assert(
    scores.length === candidates.length,
    `${ranker.name} gave ${scores.length} scores for ${candidates.length} candidates`,
  );
  goOn(cases.length);
  return cases.map(({ user }, row) => {
    const found = place(at(scores, row * perCase), scores.subarray(row * perCase + 1, (row + 1) * perCase));
    return { ...(found ?? failOnNaN(ranker, dataset, user)), count: lists.count };
  });
}

/** Counts as the scores come by: they are never all there. */
async function rankAmongAll(
  ranker: Ranker,
  dataset: Dataset,
  cases: readonly Case[],
  goOn: (done: number) => void,
): Promise<Place[]> {
  const items = dataset.items.ids.length;
  const targets = Int32Array.from(cases, ({ feedPosition }) => targetOf(dataset, feedPosition));
  const removed = cases.map((moment, row) => Int32Array.from(metBefore(dataset, moment).add(at(targets, row))).sort());
  const places = cases.map(() => ({ better: 0, tied: 0, count: 0 }));
  const scored = new Int32Array(cases.length);
  let done = 0;
  const consume = ({ position, firstItem, scores, reference }: ScoredStretch): void => {
    const own = places[position] as (typeof places)[number];
    const end = firstItem + scores.length;
    let start = Math.max(firstItem, FIRST_INDEX);
    for (const next of [...(removed[position] as Int32Array), end]) {
      if (next < start) continue;
      const found = place(reference as number, scores.subarray(start - firstItem, Math.min(next, end) - firstItem));
      if (!found) failOnNaN(ranker, dataset, (cases[position] as Case).user);
      own.better += found.better;
      own.tied += found.tied;
      own.count += Math.min(next, end) - start;
      start = next + 1;
      if (start >= end) break;
    }
    scored[position] = at(scored, position) + scores.length;
    if (scored[position] === items) done++;
    goOn(done);
  };
  await ranker.scoreAll(cases, consume, targets);
  assert(
    scored.every((count) => count === items),
    `${ranker.name} left out some of ${cases.length} x ${items} scores`,
  );
  return places;
}

function targetOf(dataset: Dataset, feedPosition: number): number {
  const item = at(dataset.feedItem, feedPosition);
  assert(item >= FIRST_INDEX, `the target at feed position ${feedPosition} is not in the catalogue`);
  return item;
}

function meanChance(counts: Int32Array): Metrics {
  const byCount = new Map<number, number>();
  for (const count of counts) byCount.set(count, (byCount.get(count) ?? 0) + 1);
  if (byCount.size === 1) return chance(at(counts, 0) + 1);
  const levels = Array.from(byCount, ([count, users]) => ({ level: chance(count + 1), users }));
  return everyMetric((name) => levels.reduce((sum, { level, users }) => sum + level[name] * users, 0) / counts.length);
}

function describe(lists: Candidates): string {
  return lists.origin === 'uniform'
    ? `${lists.count} items per user, uniform without replacement from those the user never interacted with`
    : `${lists.count} items per user, from the file ${lists.origin}`;
}

function failOnNaN(ranker: Ranker, dataset: Dataset, user: number): never {
  throw new NotFiniteError(
    `${ranker.name} scores items for user ${JSON.stringify(dataset.users.ids[user])} as NaN, which has no rank, so the model is broken`,
  );
}
