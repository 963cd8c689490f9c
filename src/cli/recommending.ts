/**
 * Recommends for somebody and tells why, in words. Knows a run and how people describe items; does not know options.
 */
import { UserError, at, counted } from '../base/index.js';
import { type Dataset, UNKNOWN, knownWords, normaliseQuery, withSearch } from '../data/index.js';
import { clicksBefore, metBefore } from '../features/index.js';
import {
  type Case,
  type GraphRanker,
  REASON_METHODS,
  type ModelId,
  type Reason,
  type ReasonMethod,
  type Run,
  type SidedAction,
  explain,
  ranksOfItems,
  recommend,
} from '../model/index.js';
import type { Runtime } from '../tensor/index.js';
import { Rankers, momentAfter } from './scoring/lists.js';

/** An action of a history, told. */
export interface ToldAction {
  readonly type: 'search' | 'feed';
  /** The query as it was normalised, for a search. */
  readonly query?: string;
  /** Items clicked in the search, or the item acted on in the feed. */
  readonly items: readonly string[];
  /** The same items as people know them: by title or name, else by id and category. */
  readonly described: readonly string[];
  readonly time: string | null;
  readonly side: Reason['side'];
}

/** A reason, told: what speaks for an item, the weightiest first. */
export interface ToldReason extends ToldAction {
  /** By the method of the answer: see `Weighed`. Above 0, but for a `stepwise` reason that counts only together with a later one. */
  readonly weight: number;
  /**
   * The rank that the item would have had this action not happened, among the thousand items that are best as things are: what
   * others would come from behind these is not counted, so that a rank far down is rather too good.
   */
  readonly rankWithout: number;
  /** The same had neither this nor any reason told before it happened. */
  readonly rankWithoutAll: number;
}

export interface ToldRecommendation {
  readonly rank: number;
  readonly item: string;
  /** A logit of the model, or a count of popularity: higher is better, comparable within one answer only. */
  readonly score: number;
  /** With an imagined search: the rank without it. */
  readonly rankBefore?: number;
  readonly attributes: Readonly<Record<string, string>>;
  readonly because?: readonly ToldReason[];
}

/** Recommendations for somebody, and where they come from. */
export interface Told {
  /** `popularity` for somebody of whom nothing is known. */
  readonly source: ModelId | 'popularity';
  /** How reasons were found; null where none were asked for, and for popularity, which has none. */
  readonly reasonsBy: ReasonMethod | null;
  readonly items: readonly ToldRecommendation[];
}

/** What is asked for. */
export interface Wanted {
  /** The user's id; nobody in particular when absent. */
  readonly user?: string;
  /** A search that is imagined to have just been made. */
  readonly search?: string;
  readonly k: number;
  readonly explain?: boolean;
  /** The most reasons per item; 3 unless told. */
  readonly reasons?: number;
  /** How reasons are found; stepwise unless told. */
  readonly reasonsBy?: ReasonMethod;
  readonly includeSeen?: boolean;
}

/**
 * Recommends and tells why. A user that the log lacks, and a method that the model is not open to, are a `UserError`; without a
 * user, for somebody new.
 */
export async function recommendFor(run: Run, runtime: Runtime, wanted: Wanted): Promise<Told> {
  const { user, search, k, includeSeen = false } = wanted;
  const { users } = run.dataset;
  if (user !== undefined && !users.has(user))
    throw new UserError(
      `user ${JSON.stringify(user)} is not in the log that ${run.directory} was trained on: leave it out for somebody new`,
    );
  if (search !== undefined && !run.model.seesSearches)
    throw new UserError(`the model of ${run.directory} cannot see searches: --search would change nothing`);
  const index = user === undefined ? UNKNOWN : users.index(user);
  const dataset = search === undefined ? run.dataset : withSearch(run.dataset, index, { query: search });
  const moment = momentAfter(dataset, index);
  const excluded = includeSeen ? new Set<number>() : metBefore(dataset, moment);
  const rankers = new Rankers(run, dataset, runtime);
  const trained = rankers.trainedFor(moment);
  const best = await recommend(trained ?? rankers.popular, moment, k, excluded);
  const items = best.map(({ item }) => item);
  const imagined = search === undefined ? null : at(dataset.searchOffsets, index + 1) - 1;
  const why = wanted.explain && trained ? await reasonsFor(trained, dataset, moment, items, excluded, wanted) : null;
  const before = search === undefined ? null : await ranksBefore(run, runtime, moment, excluded, items);
  return {
    source: trained ? run.manifest.model : 'popularity',
    reasonsBy: why && (wanted.reasonsBy ?? USUAL_METHOD),
    items: best.map(({ item, score }, position) => ({
      rank: position + 1,
      item: dataset.items.ids[item] as string,
      score,
      ...(before ? { rankBefore: before[position] as number } : {}),
      attributes: attributesOf(dataset, item),
      ...(why
        ? {
            because: (why[position] as Reason[]).map((reason) => ({
              ...tellAction(dataset, moment, reason),
              ...(reason.lane === 'search' && reason.position === imagined
                ? { query: normaliseQuery(search as string) }
                : {}),
              weight: reason.weight,
              rankWithout: reason.rankWithout,
              rankWithoutAll: reason.rankWithoutAll,
            })),
          }
        : {}),
    })),
  };
}

/** What a model makes of a query, where training never saw it; null where it did. */
export function strangeQuery({ queries, words }: Dataset, text: string): string | null {
  const query = normaliseQuery(text);
  if (queries.has(query)) return null;
  const known = knownWords(query, words).map((word) => JSON.stringify(words.ids[word]));
  const seen = `${JSON.stringify(text)} was not searched for in training`;
  return known.length > 0
    ? `${seen}: the model goes by its words ${known.join(', ')}`
    : `${seen}, nor any of its words: the model sees an unknown query`;
}

const [USUAL_METHOD] = REASON_METHODS;

async function reasonsFor(
  ranker: GraphRanker,
  dataset: Dataset,
  moment: Case,
  items: readonly number[],
  excluded: ReadonlySet<number>,
  { reasons: most = 3, reasonsBy: method = USUAL_METHOD }: Wanted,
): Promise<Reason[][]> {
  const { reasonMethods } = ranker;
  if (!reasonMethods.includes(method))
    throw new UserError(`${ranker.name} gives no reasons by ${method}: choose ${reasonMethods.join(' or ')}`);
  return explain(ranker, dataset, moment, items, { method, most, excluded });
}

/** The ranks of items in the log as it is, without an imagined search. */
async function ranksBefore(
  run: Run,
  runtime: Runtime,
  moment: Case,
  excluded: ReadonlySet<number>,
  items: readonly number[],
): Promise<number[]> {
  const rankers = new Rankers(run, run.dataset, runtime);
  const ranker = rankers.trainedFor(moment) ?? rankers.popular;
  return [...(await ranksOfItems(ranker, [moment], items, { catalogue: run.dataset.items.ids.length, excluded }))];
}

function attributesOf(dataset: Dataset, item: number): Record<string, string> {
  return Object.fromEntries(
    [...dataset.itemAttributes].flatMap(([name, { values, index }]) => {
      const value = values.ids[at(index, item)];
      return value ? [[name, value]] : [];
    }),
  );
}

/** An action of a history in words. */
export function tellAction(dataset: Dataset, moment: Case, { lane, position, side }: SidedAction): ToldAction {
  const isFeed = lane === 'feed';
  const milliseconds = at(isFeed ? dataset.feedTime : dataset.searchTime, position);
  const items = isFeed ? [at(dataset.feedItem, position)] : clicksBefore(dataset, moment, position);
  const unseen = dataset.unseenQueries;
  const query = isFeed ? UNKNOWN : at(dataset.searchQuery, position);
  return {
    type: lane,
    ...(isFeed
      ? {}
      : {
          query:
            (query === UNKNOWN ? unseen?.ids[unseen.ofSearch[position] ?? -1] : dataset.queries.ids[query]) ??
            '(a query that was not seen in training)',
        }),
    items: items.map((item) => nameOf(dataset, item)),
    described: items.map((item) => described(dataset, item)),
    time: Number.isNaN(milliseconds) ? null : new Date(milliseconds).toISOString(),
    side,
  };
}

const nameOf = (dataset: Dataset, item: number): string =>
  item === UNKNOWN ? '(an item that was not seen in training)' : (dataset.items.ids[item] as string);

/** An item as people know it. */
function described(dataset: Dataset, item: number): string {
  const attributes = attributesOf(dataset, item);
  const title = attributes['title'] ?? attributes['name'];
  if (title) return title;
  const detail = describing(attributes);
  return detail ? `${nameOf(dataset, item)} (${detail})` : nameOf(dataset, item);
}

/** The category of an item; null where the log has none. */
export function categoryOf(dataset: Dataset, item: string): string | null {
  const attributes = attributesOf(dataset, dataset.items.index(item));
  return attributes['category'] ?? attributes['categories'] ?? null;
}

/** The attribute that tells a person most about an item, if it has one. */
function describing(attributes: Readonly<Record<string, string>>): string | undefined {
  const known = ['title', 'name', 'category', 'categories'].find((name) => attributes[name]);
  return known ? attributes[known] : Object.values(attributes)[0];
}

/** How an item moved because of an imagined search. */
function movement(rank: number, before: number | undefined): string {
  if (before === undefined) return '';
  return before === rank ? '  (as before)' : `  (${before < rank ? 'down' : 'up'} from ${before})`;
}

/** Ranks are told as they are up to here: further down they are not exact, nor does anybody look. */
const TOLD_EXACTLY = 100;

/** Where an item would stand without a reason, and without the `earlier` ones told before it too: that is how much they count. */
export function withoutText(rank: number, { rankWithout, rankWithoutAll }: ToldReason, earlier: number): string {
  const furthest = Math.max(rank, TOLD_EXACTLY);
  const stands = (without: number): string => {
    if (without > furthest) return `below ${ordinal(furthest)}`;
    return `${without === rank ? 'still ' : ''}${ordinal(without)}`;
  };
  const together = earlier === 1 ? 'both' : `all ${earlier + 1}`;
  return `without it ${stands(rankWithout)}${earlier === 0 ? '' : `, without ${together} ${stands(rankWithoutAll)}`}`;
}

/** 1 as 1st. */
function ordinal(rank: number): string {
  const isTeen = Math.floor((rank % 100) / 10) === 1;
  const ending = isTeen ? 'th' : (['th', 'st', 'nd', 'rd'][rank % 10] ?? 'th');
  return `${counted(rank)}${ending}`;
}

/** Recommendations as lines of text. */
export function recommendationText(items: readonly ToldRecommendation[]): string {
  return items
    .flatMap(({ rank, item, score, rankBefore, attributes, because }) => {
      const detail = describing(attributes);
      return [
        `${String(rank).padStart(2)}. ${item}  ${score.toFixed(3)}${detail ? `  ${detail}` : ''}${movement(rank, rankBefore)}`,
        ...(because?.length === 0 ? ['      no reason found: no few actions carry it'] : []),
        ...(because ?? []).map(
          (reason, i) =>
            `      because you ${actionText(reason)}  (${withoutText(rank, reason, i)}${reason.side ? `; ${reason.side}` : ''})`,
        ),
      ];
    })
    .join('\n');
}

/** What somebody did: `searched "rain jacket" and clicked …`. */
export function actionText({ type, query, described: items }: ToldAction): string {
  if (type === 'feed') return `met ${items.join(', ')}`;
  const [first, ...others] = items;
  const more = others.length > 0 ? ` and ${others.length} more` : '';
  return `searched "${query}"${first === undefined ? '' : ` and clicked ${first}${more}`}`;
}
