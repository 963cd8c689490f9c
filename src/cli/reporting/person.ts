/**
 * One person, as a report shows them: what they did, how the model divides it, and what it recommends. Knows by what rule the person is
 * chosen; does not know how they are shown.
 */
import { UserError, at } from '../../base/index.js';
import { type Dataset, FIRST_INDEX } from '../../data/index.js';
import { ordinalOf } from '../../features/index.js';
import { type Run, type SidedAction, rankerOf } from '../../model/index.js';
import type { TimelineAction } from '../../report/index.js';
import type { Runtime } from '../../tensor/index.js';
import { type Told, categoryOf, recommendFor, tellAction } from '../recommending.js';

/** Whom a report shows unless told: enough of both lanes to look at. */
const ENOUGH = { searches: 5, feed: 8 } as const;

export interface Person {
  readonly user: string;
  /** Why this one, in words. */
  readonly rule: string;
  /** What the model looks at, oldest first. */
  readonly actions: readonly TimelineAction[];
  /** How much else there was, before what the model looks at. */
  readonly earlier: { readonly searches: number; readonly feed: number };
  readonly told: Told;
}

/** The person named, or the one that the rule gives; null where nobody did anything. Somebody the log lacks is a `UserError`. */
export async function personOf(run: Run, runtime: Runtime, wanted?: string): Promise<Person | null> {
  const { dataset } = run;
  const { users } = dataset;
  if (wanted !== undefined && !users.has(wanted))
    throw new UserError(`user ${JSON.stringify(wanted)} is not in the log that ${run.directory} was trained on`);
  const chosen = wanted === undefined ? chooseUser(dataset) : { index: users.index(wanted), rule: 'as asked for' };
  if (!chosen) return null;
  const user = users.ids[chosen.index] as string;
  const actions = await actionsOf(run, runtime, chosen.index);
  const moment = nowOf(dataset, chosen.index);
  const all = lengthsOf(dataset, chosen.index);
  const shown = (lane: SidedAction['lane']): number => actions.filter((action) => action.lane === lane).length;
  return {
    user,
    rule: chosen.rule,
    actions: inOrder(dataset, actions).map((action) => timelineAction(dataset, moment, action)),
    earlier: { searches: all.searches - shown('search'), feed: all.feed - shown('feed') },
    told: await recommendFor(run, runtime, { user, k: 5, explain: true, reasons: 1 }),
  };
}

const nowOf = (dataset: Dataset, user: number) => ({ user, feedPosition: at(dataset.feedOffsets, user + 1) });

const lengthsOf = ({ feedOffsets, searchOffsets }: Dataset, user: number) => ({
  searches: at(searchOffsets, user + 1) - at(searchOffsets, user),
  feed: at(feedOffsets, user + 1) - at(feedOffsets, user),
});

function chooseUser(dataset: Dataset): { index: number; rule: string } | null {
  const first = (least: typeof ENOUGH | { searches: number; feed: number }): number => {
    for (let user = FIRST_INDEX; user < dataset.users.ids.length; user++) {
      const { searches, feed } = lengthsOf(dataset, user);
      if (searches >= least.searches && feed >= least.feed) return user;
    }
    return -1;
  };
  const rules = [
    [
      ENOUGH,
      `the first in the order of the data with at least ${ENOUGH.searches} searches and ${ENOUGH.feed} feed events`,
    ],
    [{ searches: 1, feed: 1 }, 'the first in the order of the data with a search and a feed event'],
    [{ searches: 0, feed: 1 }, 'the first in the order of the data with a feed event'],
  ] as const;
  for (const [least, rule] of rules) {
    const index = first(least);
    if (index >= 0) return { index, rule };
  }
  return null;
}

/** What the model looks at, each with the side that SESRec puts it on; other models have no sides. */
async function actionsOf({ dataset, parameters, model }: Run, runtime: Runtime, user: number): Promise<SidedAction[]> {
  const [actions] = await rankerOf(model, parameters, dataset, runtime).sides([nowOf(dataset, user)]);
  return actions as SidedAction[];
}

function inOrder(dataset: Dataset, actions: readonly SidedAction[]): SidedAction[] {
  return actions.toSorted((one, other) => ordinalOf(dataset, one) - ordinalOf(dataset, other));
}

function timelineAction(dataset: Dataset, moment: ReturnType<typeof nowOf>, action: SidedAction): TimelineAction {
  const { type, query, items, described, time, side } = tellAction(dataset, moment, action);
  const base = { lane: type, time: time === null ? null : Date.parse(time), side };
  if (type === 'search') {
    const [first, ...others] = described;
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    return { ...base, title: query as string, detail: first === undefined ? 'no click' : `clicked ${first}${more}` };
  }
  const [title = ''] = described;
  const category = categoryOf(dataset, items[0] as string);
  return { ...base, title, detail: category === null || title.includes(category) ? null : category };
}
