/**
 * One request, one model, one answer. Knows the order in which a list comes about; does not know stores, nor which model is active.
 *
 * A catalogue that is not too large is ranked in full; from a larger one candidates are retrieved and ranked exactly. What a filter
 * or an exclusion forbids never stands in a list. Where too few items are left, the list is filled: with what is popular and new, then
 * past the cap, then with items already met; notes say so.
 */
import { Random, UserError, range, countOf, inTime } from '../base/index.js';
import { FIRST_INDEX, UNKNOWN, parseInstant } from '../data/index.js';
import { explain } from '../model/index.js';
import type { Popularity } from './popularity.js';
import type {
  AnswerSource,
  Because,
  ItemSource,
  LiveEvent,
  Note,
  RecommendationRequest,
  RecommendedItem,
  SessionEvent,
} from './questions.js';
import type { Retrieval } from './retrieval.js';
import { type Scored, type Selected, type Selection, select } from './selection.js';
import type { KnownUser } from './known-user.js';
import type { ServedModel } from './served-model.js';
import { tellReason } from './telling.js';

export interface Answerer {
  readonly model: ServedModel;
  readonly popularity: Popularity;
  /** Null where the whole catalogue is ranked. */
  readonly retrieval: Retrieval | null;
}

/** A list, and what is to be said of it. */
export interface List {
  readonly source: AnswerSource;
  readonly degraded: boolean;
  readonly notes: Note[];
  readonly items: RecommendedItem[];
}

/** Somebody whom no request names. */
const NOBODY = '';

/** Events of a session as those of the user asked for; a query is a search just made. */
export function sessionOf({ user = NOBODY, session = [], query }: RecommendationRequest, now: number): LiveEvent[] {
  const events = session.map(({ time, ...event }: SessionEvent): LiveEvent => ({
    ...event,
    user,
    time: typeof time === 'string' ? instantOf(time) : (time ?? now),
  }));
  return query === undefined ? events : [...events, { type: 'search', user, time: now, query, source: 'typed' }];
}

function instantOf(text: string): number {
  const time = parseInstant(text);
  if (time === null)
    throw new UserError(
      `the time ${JSON.stringify(text)} of a session event is neither ISO 8601 nor milliseconds since 1970`,
    );
  return time;
}

/** Scores, where they are from, and what each item was found by. */
export interface Ranking extends Scored {
  readonly source: AnswerSource;
  readonly sourceOf: (item: number) => ItemSource;
}

/** Answers, in time or with something simpler. `id`: of the answer. */
export async function listFor(
  answerer: Answerer,
  request: RecommendationRequest,
  id: string,
  signal: AbortSignal | undefined,
): Promise<List> {
  const { model } = answerer;
  const session = sessionOf(request, Date.now());
  const start = performance.now();
  const { user = null, deadline_ms: deadline } = request;
  const left = (): number | undefined =>
    deadline === undefined ? undefined : Math.max(0, deadline - (performance.now() - start));
  const known = (await inTime(model.known(user, session), left())) ?? model.knownByRun(user, session);
  const notes = notesOn(answerer, request, known);
  const ranking = await inTime(rankingFor(answerer, known), left(), signal);
  const popular = popularRanking(answerer);
  if (!ranking)
    notes.push({ code: 'late', message: 'The ranking was not done in time: what is popular came instead.' });
  const choice = choose(answerer, request, known, ranking ?? popular, popular, id, notes);
  const because =
    request.explain && ranking && ranking.source !== 'popular'
      ? await inTime(reasonsFor(answerer, request, known, choice), left(), signal)
      : null;
  if (because === undefined) notes.push({ code: 'late', message: 'There was no time left for reasons.' });
  return {
    source: (ranking ?? popular).source,
    degraded: !ranking || because === undefined || known.missing !== null,
    notes,
    items: choice.map(({ item, score, source, probability }, position) => {
      const reasons = because?.get(item);
      return {
        item: model.items.id(item),
        rank: position + 1,
        score,
        source,
        ...(request.explore ? { probability } : {}),
        ...(reasons ? { because: reasons } : {}),
      };
    }),
  };
}

/** Ranks for somebody, or takes what is popular where the model has nothing to go by. */
export async function rankingFor(answerer: Answerer, known: KnownUser): Promise<Ranking> {
  const { model, retrieval } = answerer;
  if (!model.sees(known.history)) return popularRanking(answerer);
  if (retrieval) return { source: 'retrieval', ...(await retrieval.candidates(known, answerer.popularity.counts())) };
  const scores = await known.ranker.scoreAllFor(await known.encoded());
  return {
    source: 'model',
    scores: model.seesAttributes ? scores : scores.subarray(0, model.items.firstNew),
    sourceOf: (item) => (item >= model.items.firstNew ? 'attributes' : 'model'),
  };
}

export function popularRanking({ model, popularity }: Answerer): Ranking {
  const counts = popularity.counts();
  return {
    source: 'popular',
    scores: counts,
    sourceOf: (item) => (item >= model.items.firstNew && counts[item] === 0 ? 'new' : 'popular'),
  };
}

export function notesOn({ model }: Answerer, request: RecommendationRequest, { history, missing }: KnownUser): Note[] {
  const notes: Note[] = [];
  const note = (code: string, message: string): void => void notes.push({ code, message });
  if (missing !== null)
    note(
      'store_away',
      missing === 'newest'
        ? 'The live store does not answer: what the user did last may be missing.'
        : 'The live store does not answer: what the user did since the model was trained is missing.',
    );
  if (!model.sees(history))
    note(
      request.user === undefined ? 'nobody' : 'unknown_user',
      'Nothing that the model looks at is known of whom this is for: the list is what is popular.',
    );
  if (history.unknown.items > 0)
    note('unknown_items', `Nothing is known of the item of ${countOf(history.unknown.items, 'event')}.`);
  if (history.unknown.queries > 0)
    note(
      'unknown_queries',
      `New to the model, which goes by the words: ${countOf(history.unknown.queries, 'query', 'queries')}.`,
    );
  if (!model.run.model.seesSearches && history.searchCount > 0)
    note('searches_unseen', 'This model does not look at searches.');
  for (const { attribute } of request.filters ?? [])
    if (!model.items.hasAttribute(attribute))
      note('unknown_attribute', `No item has the attribute ${JSON.stringify(attribute)} that a filter asks for.`);
  if (request.cap && !model.items.hasAttribute(request.cap.attribute))
    note('unknown_attribute', `No item has the attribute ${JSON.stringify(request.cap.attribute)} of the cap.`);
  return notes;
}

interface Chosen extends Selected {
  readonly source: ItemSource;
}

/** The list: ranked items first, then what fills it. */
export function choose(
  { model }: Answerer,
  request: RecommendationRequest,
  { history }: KnownUser,
  ranking: Ranking,
  popular: Ranking,
  id: string,
  notes: Note[],
): Chosen[] {
  const { k = 10, exclude = [], filters = [], cap, repeat = 'unseen', explore = 0 } = request;
  const excluded = new Set(exclude.map((item) => model.items.index(item)).filter((item) => item !== UNKNOWN));
  const matchers = filters.map((filter) => model.items.matcher(filter));
  const mayStand = (item: number): boolean => !excluded.has(item) && matchers.every((matches) => matches(item));
  const isNew = (item: number): boolean => mayStand(item) && !history.met.has(item);
  const chosen: Chosen[] = [];
  const random = new Random('exploration', id);
  const add = (from: Ranking, changes: Partial<Selection>): number => {
    const before = chosen.length;
    const selected = select(from, {
      count: k - before,
      allows: repeat === 'all' ? mayStand : isNew,
      cap: cap ? { groups: (item) => model.items.values(item, cap.attribute), most: cap.most } : null,
      taken: chosen.map(({ item }) => item),
      explore: null,
      ...changes,
    });
    chosen.push(
      ...selected.map((one) => ({ ...one, source: one.isDrawn ? 'explored' : from.sourceOf(one.item) }) as const),
    );
    return chosen.length - before;
  };
  add(ranking, { explore: explore > 0 ? { share: explore, random } : null });
  const left = (): boolean => chosen.length < k;
  if (left() && ranking.source !== 'popular') {
    const filled = add(popular, {});
    if (filled > 0)
      notes.push({
        code: 'filled',
        message: `${filled} items are there because they are popular or new: the rest was left out.`,
      });
  }
  if (left() && cap) {
    const filled = add(ranking, { cap: null }) + (left() ? add(popular, { cap: null }) : 0);
    if (filled > 0)
      notes.push({
        code: 'cap_lifted',
        message: `${filled} items are there although the cap on ${JSON.stringify(cap.attribute)} was reached.`,
      });
  }
  if (left() && repeat === 'unseen') {
    const again = { cap: null, allows: mayStand };
    const filled = add(ranking, again) + (left() ? add(popular, again) : 0);
    if (filled > 0)
      notes.push({ code: 'repeated', message: `${filled} items are there although they were met before.` });
  }
  if (left()) {
    const total = model.items.size - FIRST_INDEX;
    const matching = range(total).reduce((count, i) => (mayStand(FIRST_INDEX + i) ? count + 1 : count), 0);
    notes.push({
      code: 'short',
      message: `Filters and exclusions leave ${matching} of ${total} items: the list has ${chosen.length} instead of ${k}.`,
    });
  }
  return chosen;
}

export async function reasonsFor(
  { model }: Answerer,
  { reasons: most = 3, language = 'en' }: RecommendationRequest,
  { ranker, history }: KnownUser,
  chosen: readonly Chosen[],
): Promise<Map<number, Because[]>> {
  const items = chosen.filter(({ source }) => source !== 'popular' && source !== 'new').map(({ item }) => item);
  const listed = new Set(items);
  const excluded = new Set([...history.met].filter((item) => !listed.has(item)));
  const found = await explain(ranker, history.dataset, history.moment, items, { most, excluded });
  return new Map(
    items.map((item, i) => [
      item,
      (found[i] ?? []).map((reason) => tellReason(history, model.items, reason, language)),
    ]),
  );
}
