/**
 * Whether the reasons of a model are its reasons: what becomes of an item when they had not happened, and when nothing else had.
 * Knows what is said to be a reason and how ranks move; does not know how reasons are found, nor how findings are told.
 *
 * Removing and keeping are the comprehensiveness and sufficiency of DeYoung et al., "ERASER: A benchmark to evaluate rationalized
 * NLP models", ACL 2020; that the model is asked anew on a history without the actions, so that nothing unnatural such as a masked
 * token is shown to it, is "had this not happened" (features/actions.ts). Ranks are what users see: log2 of their ratio is how
 * often the rank doubled.
 */
import { InterruptedError, Random, UserError, at, range } from '../base/index.js';
import { type Dataset } from '../data/index.js';
import {
  type BootstrapOptions,
  type Protocol,
  type RatioBootstrap,
  chooseCases,
  pairedBootstrap,
  ratioBootstrap,
} from '../evaluate/index.js';
import { type Action, type Case, LANES, metBefore, ordinalOf, without, withOnly } from '../features/index.js';
import {
  CONTENDERS,
  type ExplainingRanker,
  type Question,
  type SidedAction,
  type Weighed,
  ranksOfItems,
  recommend,
} from '../model/index.js';
import type { BootstrapEstimate } from './bootstrap-estimate.js';

/** A way to find reasons under a name: a method of a ranker, or anything else that claims to know them. */
export interface Finder {
  readonly name: string;
  /** @param actions those of the window, as the ranker lists them */
  readonly find: (question: Question, actions: readonly Action[]) => Promise<readonly (readonly Weighed[])[]>;
}

export interface ReasonsOptions {
  /** A seeded sample of so many users; 200 unless told. */
  readonly users?: number;
  /** The items explained: so many of the best of each user, without those met before; 3 unless told. */
  readonly top?: number;
  /** How many actions are removed, or kept: each of these; 1, 2, 3 and 5 unless told. */
  readonly counts?: readonly number[];
  /** Draws of each random control per user; 3 unless told. */
  readonly draws?: number;
  /** 1 unless told. */
  readonly seed?: number;
  /** Of the bootstrap over users; 2,000 unless told. */
  readonly resamples?: number;
  readonly onProgress?: (done: number, total: number) => void;
  /** Asks it to stop before the next user, with an `InterruptedError`. */
  readonly signal?: AbortSignal;
}

/** How items moved: means over users, of means over the items (and draws) of each. */
export interface Movement {
  /** log2 of the rank afterwards over the rank before: 1 is twice as far down. */
  readonly log2: BootstrapEstimate;
  /** The rank afterwards less the rank before. */
  readonly ranks: BootstrapEstimate;
  /** The share that is not among the first ten afterwards. */
  readonly leftTopTen: BootstrapEstimate;
}

/** `removed`: had these actions not happened. `kept`: had nothing else happened. */
export type Intervention = 'removed' | 'kept';
export const INTERVENTIONS = ['removed', 'kept'] as const satisfies readonly Intervention[];

/** What happened with one choice of so many actions. */
export interface ChoiceOutcome extends Readonly<Record<Intervention, Movement>> {
  /** A method; or a control: `random`, `newest`, or a method's name and ` lanes`, random ones of the lanes that it chose. */
  readonly choice: string;
  readonly count: number;
  /** Users with at least two actions more than that. */
  readonly users: number;
  /**
   * Against controls of the same number, on the same users: mean log2 of the method over that of the control for removed actions,
   * and of the control over the method's for kept ones, where less is better. Null for controls.
   */
  readonly against: Readonly<Record<'random' | 'lanes', Readonly<Record<Intervention, RatioBootstrap>>>> | null;
}

export interface ReasonsFound {
  readonly outcomes: readonly ChoiceOutcome[];
  /** By method: see the rule of the protocol. */
  readonly faithfulness: Readonly<Record<string, number>>;
  readonly winner: string;
  readonly protocol: {
    readonly on: 'validation';
    readonly ranker: string;
    readonly users: number;
    /** Where not everybody was asked. */
    readonly sample: Protocol['sample'];
    readonly leftOut: number;
    readonly unknownTargets: number;
    /** By count: users with fewer than two actions more in their window. */
    readonly tooShort: Readonly<Record<string, number>>;
    readonly top: number;
    readonly counts: readonly number[];
    readonly draws: number;
    readonly contenders: number;
    readonly seed: number;
    readonly resamples: number;
    readonly winnerRule: string;
  };
}

const TOP_TEN = 10;
const WINNER_RULE =
  'the largest faithfulness: log2 of the rank without the reasons over the rank as it is, less log2 of the rank with nothing else over it; the mean over counts of means over users';

/** The methods of a ranker as finders. */
export const findersOf = (ranker: ExplainingRanker): Finder[] =>
  ranker.reasonMethods.map((name) => ({ name, find: async (question) => ranker.weigh(name, question) }));

/**
 * Compares ways to find reasons on the validation moments of a seeded sample of users, with random actions of the same number,
 * the newest, and random ones of the same lanes. The candidates are the same before and after: all items that had not been met.
 */
export async function reasons(
  ranker: ExplainingRanker,
  dataset: Dataset,
  finders: readonly Finder[],
  options: ReasonsOptions = {},
): Promise<ReasonsFound> {
  const { users = 200, top = 3, counts = [1, 2, 3, 5], draws = 3, seed = 1, resamples = 2000 } = options;
  const { cases, sample, leftOut, unknownTargets } = chooseCases(dataset, 'validation', users, seed);
  const trials: Trials = new Map();
  const tooShort = new Map(counts.map((count) => [count, 0]));
  for (const [done, moment] of cases.entries()) {
    if (options.signal?.aborted)
      throw new InterruptedError(`the analysis was stopped after ${done} of ${cases.length} users`);
    options.onProgress?.(done, cases.length);
    const [actions] = (await ranker.sides([moment])) as [SidedAction[]];
    for (const count of counts.filter((one) => actions.length < one + 2))
      tooShort.set(count, (tooShort.get(count) as number) + 1);
    const own = counts.filter((count) => actions.length >= count + 2);
    if (own.length === 0) continue;
    const person = await Person.of(ranker, dataset, moment, actions, top);
    for (const trial of await person.trials(finders, own, { draws, seed })) record(trials, trial);
  }
  options.onProgress?.(cases.length, cases.length);
  if (trials.size === 0)
    throw new UserError(`no user has the ${Math.min(...counts) + 2} actions that reasons can be compared on`);

  const names = finders.map(({ name }) => name);
  const outcomes = counts.flatMap((count) => outcomesOf(trials, count, names, { seed, resamples }));
  const faithfulness = Object.fromEntries(names.map((name) => [name, faithfulnessOf(outcomes, name)]));
  return {
    outcomes,
    faithfulness,
    winner: names.reduce((best, name) =>
      (faithfulness[name] as number) > (faithfulness[best] as number) ? name : best,
    ),
    protocol: {
      on: 'validation',
      ranker: ranker.name,
      users: cases.length,
      sample,
      leftOut,
      unknownTargets,
      tooShort: Object.fromEntries(tooShort),
      top,
      counts,
      draws,
      contenders: CONTENDERS,
      seed,
      resamples,
      winnerRule: WINNER_RULE,
    },
  };
}

function faithfulnessOf(outcomes: readonly ChoiceOutcome[], name: string): number {
  const own = outcomes.filter(({ choice }) => choice === name);
  return own.reduce((sum, { removed, kept }) => sum + removed.log2.value - kept.log2.value, 0) / own.length;
}

/** How the items of one user moved on the mean. */
type Moved = Readonly<Record<keyof Movement, number>>;

/** What became of one user's items by one choice of so many actions. */
interface Trial extends Readonly<Record<Intervention, Moved>> {
  readonly choice: string;
  readonly count: number;
}

/** By count and choice: a trial per user, in order of users. */
type Trials = Map<number, Map<string, Trial[]>>;

function record(trials: Trials, trial: Trial): void {
  const ofCount = trials.get(trial.count) ?? new Map<string, Trial[]>();
  trials.set(trial.count, ofCount);
  const ofChoice = ofCount.get(trial.choice) ?? [];
  ofCount.set(trial.choice, ofChoice);
  ofChoice.push(trial);
}

/** One user at one moment, the items that are explained, and what may be imagined away. */
class Person {
  private constructor(
    readonly ranker: ExplainingRanker,
    readonly dataset: Dataset,
    readonly moment: Case,
    readonly actions: readonly Action[],
    readonly excluded: ReadonlySet<number>,
    readonly contenders: readonly number[],
    readonly items: readonly number[],
  ) {}

  static async of(
    ranker: ExplainingRanker,
    dataset: Dataset,
    moment: Case,
    actions: readonly Action[],
    top: number,
  ): Promise<Person> {
    const excluded = metBefore(dataset, moment);
    const contenders = (await recommend(ranker, moment, Math.max(top, CONTENDERS), excluded)).map(({ item }) => item);
    return new Person(ranker, dataset, moment, actions, excluded, contenders, contenders.slice(0, top));
  }

  /** What became of the items by every finder and every control, for each count. */
  async trials(
    finders: readonly Finder[],
    counts: readonly number[],
    { draws, seed }: { readonly draws: number; readonly seed: number },
  ): Promise<Trial[]> {
    const orders = new Map<string, readonly (readonly number[])[]>();
    const { moment, items, contenders } = this;
    for (const { name, find } of finders) {
      const found = await find({ moment, items, contenders, most: Math.max(...counts) }, this.actions);
      orders.set(
        name,
        found.map((reasons) => reasons.map(({ place }) => place)),
      );
    }
    const chosen = counts.flatMap((count) => this.#choices(orders, count, draws, seed));
    const ranks = await this.#ranks(chosen.flatMap(({ sets }) => sets.flat()));
    return chosen.map(({ choice, count, sets }) => ({
      choice,
      count,
      removed: this.#moved(ranks, 'removed', sets),
      kept: this.#moved(ranks, 'kept', sets),
    }));
  }

  /** Sets of places of actions, by item and draw, for every choice. */
  #choices(
    orders: ReadonlyMap<string, readonly (readonly number[])[]>,
    count: number,
    draws: number,
    seed: number,
  ): { choice: string; count: number; sets: readonly (readonly number[])[][] }[] {
    const { user } = this.moment;
    const everywhere = [...this.actions.keys()];
    const drawn = (from: readonly number[], size: number, ...names: readonly (string | number)[]): number[] => {
      const random = new Random(seed, 'reasons', user, count, ...names);
      return Array.from(random.shuffle(Int32Array.from(from)).subarray(0, size));
    };
    const eachDraw = (draw: (draw: number) => number[]): number[][] => Array.from(range(draws), draw);
    const random = eachDraw((draw) => drawn(everywhere, count, 'random', draw));
    const ordinals = this.actions.map((action) => ordinalOf(this.dataset, action));
    const newest = everywhere.toSorted((a, b) => at(ordinals, b) - at(ordinals, a)).slice(0, count);
    const likeLanes = (places: readonly number[]): number[][] =>
      eachDraw((draw) =>
        LANES.flatMap((lane) => {
          const size = places.filter((place) => this.actions[place]?.lane === lane).length;
          const from = everywhere.filter((place) => this.actions[place]?.lane === lane);
          return drawn(from, size, 'lanes', lane, draw);
        }),
      );
    return [
      ...[...orders].flatMap(([name, ofItems]) => {
        const best = ofItems.map((order) => order.slice(0, count));
        return [
          { choice: name, count, sets: best.map((places) => [places]) },
          { choice: `${name} lanes`, count, sets: best.map(likeLanes) },
        ];
      }),
      { choice: 'random', count, sets: this.items.map(() => random) },
      { choice: 'newest', count, sets: this.items.map(() => [newest]) },
    ];
  }

  /** The ranks of the items as things are, and with each distinct set removed or kept. */
  async #ranks(sets: readonly (readonly number[])[]): Promise<Ranks> {
    const distinct = new Map(sets.map((places) => [keyOf(places), places]));
    const imagined = [...distinct].flatMap(([key, places]) => {
      const own = places.map((place) => this.actions[place] as Action);
      return [
        { key: `removed ${key}`, moment: without(this.dataset, this.moment, own) },
        { key: `kept ${key}`, moment: withOnly(this.dataset, this.moment, own) },
      ];
    });
    const catalogue = this.dataset.items.ids.length;
    const moments = [this.moment, ...imagined.map(({ moment }) => moment)];
    const found = await ranksOfItems(this.ranker, moments, this.items, { catalogue, excluded: this.excluded });
    const row = (index: number): Int32Array =>
      found.subarray(index * this.items.length, (index + 1) * this.items.length);
    return { before: row(0), after: new Map(imagined.map(({ key }, i) => [key, row(i + 1)])) };
  }

  #moved({ before, after }: Ranks, intervention: Intervention, sets: readonly (readonly number[])[][]): Moved {
    const moves = sets.flatMap((draws, item) =>
      draws.map((places) => {
        const ranks = after.get(`${intervention} ${keyOf(places)}`) as Int32Array;
        return { from: at(before, item), to: at(ranks, item) };
      }),
    );
    const mean = (value: (move: { from: number; to: number }) => number): number =>
      moves.reduce((sum, move) => sum + value(move), 0) / moves.length;
    return {
      log2: mean(({ from, to }) => Math.log2(to / from)),
      ranks: mean(({ from, to }) => to - from),
      leftTopTen: mean(({ to }) => (to > TOP_TEN ? 1 : 0)),
    };
  }
}

interface Ranks {
  readonly before: Int32Array;
  readonly after: ReadonlyMap<string, Int32Array>;
}

const keyOf = (places: readonly number[]): string => places.toSorted((a, b) => a - b).join(' ');

function outcomesOf(
  trials: Trials,
  count: number,
  methods: readonly string[],
  { seed, resamples }: { readonly seed: number; readonly resamples: number },
): ChoiceOutcome[] {
  const ofCount = trials.get(count);
  if (!ofCount) return [];
  const options = (...names: readonly string[]): BootstrapOptions => ({
    random: new Random(seed, 'reasons bootstrap', count, ...names),
    resamples,
  });
  const log2s = (choice: string, intervention: Intervention): number[] =>
    (ofCount.get(choice) as Trial[]).map((trial) => trial[intervention].log2);
  const against = (method: string, control: string) => {
    const [removed, kept] = INTERVENTIONS.map((intervention) => {
      const pair = [log2s(method, intervention), log2s(control, intervention)] as const;
      const [over, under] = intervention === 'removed' ? pair : ([pair[1], pair[0]] as const);
      return ratioBootstrap(over, under, options(method, control, intervention));
    }) as [RatioBootstrap, RatioBootstrap];
    return { removed, kept };
  };
  return [...ofCount].map(([choice, own]) => {
    const movement = (intervention: Intervention): Movement => {
      const estimate = (what: keyof Movement): BootstrapEstimate => {
        const values = own.map((trial) => trial[intervention][what]);
        const { mean, interval } = pairedBootstrap(values, options(choice, intervention, what));
        return { value: mean, interval };
      };
      return { log2: estimate('log2'), ranks: estimate('ranks'), leftTopTen: estimate('leftTopTen') };
    };
    return {
      choice,
      count,
      users: own.length,
      removed: movement('removed'),
      kept: movement('kept'),
      against: methods.includes(choice)
        ? { random: against(choice, 'random'), lanes: against(choice, `${choice} lanes`) }
        : null,
    };
  });
}
