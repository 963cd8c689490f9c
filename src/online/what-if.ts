/**
 * The list as it would be, beside the list as it is: had somebody searched, met or not done something. Knows both rankings and what
 * became of the places; does not know stores, and keeps nothing.
 */
import { at, firstWhere } from '../base/index.js';
import { FIRST_INDEX } from '../data/index.js';
import {
  type Answerer,
  type Ranking,
  choose,
  notesOn,
  popularRanking,
  rankingFor,
  reasonsFor,
  sessionOf,
} from './answering.js';
import type { FallenItem, WhatIfAnswer, WhatIfItem, WhatIfRequest } from './inspection.js';
import { withoutOrdinals } from './live-history.js';
import type { Note } from './questions.js';
import type { KnownUser } from './known-user.js';

/** A signal ends it between its steps, with its reason. */
export async function whatIf(answerer: Answerer, request: WhatIfRequest, signal?: AbortSignal): Promise<WhatIfAnswer> {
  const start = performance.now();
  const { model } = answerer;
  const { user = null, without = [], k = 10 } = request;
  const session = sessionOf(request, Date.now());
  const before = await model.known(user, []);
  const later = session.length === 0 ? before : await model.known(user, session);
  const history = withoutOrdinals(later.history, without);
  const after = history === later.history ? later : model.imagined(history);
  const isChanged = after !== before;
  const question = { ...request, k };
  const rankingBefore = await rankingFor(answerer, before);
  signal?.throwIfAborted();
  const rankingAfter = isChanged ? await rankingFor(answerer, after) : rankingBefore;
  signal?.throwIfAborted();
  const popular = popularRanking(answerer);
  const notes: Note[] = notesOn(answerer, question, after);
  const list = choose(answerer, question, after, rankingAfter, popular, '', notes);
  const listBefore = isChanged ? choose(answerer, question, before, rankingBefore, popular, '', []) : list;
  const because =
    request.explain && rankingAfter.source !== 'popular' ? await reasonsFor(answerer, question, after, list) : null;
  const listed = new Set(list.map(({ item }) => item));
  const gone = listBefore.filter(({ item }) => !listed.has(item)).map(({ item }) => item);
  const ranksBefore = ranksIn(rankingBefore, before, [...listed]);
  const ranksAfter = ranksIn(rankingAfter, after, gone);
  const place = new Map(listBefore.map(({ item }, i) => [item, i + 1]));
  return {
    model: model.name,
    source: rankingAfter.source,
    ranks: rankingBefore.source === 'retrieval' ? 'candidates' : 'exact',
    changed: isChanged,
    notes,
    took_ms: performance.now() - start,
    items: list.map(({ item, score, source }, i): WhatIfItem => {
      const reasons = because?.get(item);
      return {
        item: model.items.id(item),
        title: model.items.title(item),
        rank: i + 1,
        rank_before: place.get(item) ?? ranksBefore.get(item) ?? null,
        score,
        source,
        ...(reasons ? { because: reasons } : {}),
      };
    }),
    fallen: gone.map((item): FallenItem => ({
      item: model.items.id(item),
      title: model.items.title(item),
      rank_before: place.get(item) as number,
      rank: ranksAfter.get(item) ?? null,
      met: after.history.met.has(item),
    })),
  };
}

/** Where items stand among those that may: met ones, and those that were not ranked, stand nowhere. Equal scores in order of index. */
export function ranksIn(
  { scores, items }: Ranking,
  { history }: KnownUser,
  wanted: readonly number[],
): Map<number, number> {
  const itemAt = (place: number): number => (items ? at(items, place) : place);
  const scoreOf = items ? new Map(Array.from(items, (item, place) => [item, at(scores, place)])) : null;
  const sorted = wanted
    .filter((item) => !history.met.has(item))
    .map((item) => ({ item, score: scoreOf ? scoreOf.get(item) : scores[item] }))
    .filter((one): one is { item: number; score: number } => one.score !== undefined && !Number.isNaN(one.score))
    .sort((a, b) => b.score - a.score || a.item - b.item);
  const isBetter = (item: number, score: number, than: { item: number; score: number }): boolean =>
    score > than.score || (score === than.score && item < than.item);
  /** How many items stand before each wanted one and not before the one before it. */
  const standing = new Int32Array(sorted.length + 1);
  for (let place = items ? 0 : FIRST_INDEX; place < scores.length; place++) {
    const [item, score] = [itemAt(place), at(scores, place)];
    if (item < FIRST_INDEX || history.met.has(item)) continue;
    const wanted = firstWhere(0, sorted.length, (i) =>
      isBetter(item, score, sorted[i] as { item: number; score: number }),
    );
    standing[wanted] = at(standing, wanted) + 1;
  }
  const ranks = new Map<number, number>();
  let rank = 1;
  sorted.forEach(({ item }, i) => ranks.set(item, (rank += at(standing, i))));
  return ranks;
}
