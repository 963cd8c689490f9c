/**
 * The programs that score encoded histories: candidates of each one's own, the same for several, a stretch of the catalogue that a thread holds. Knows
 * forms of scores and how far a short one may be trusted; does not know where states, candidates and their vectors come from.
 */
import type { Scoring, ScoringForm, State } from '../definition/model.js';
import type { Scope } from '../layers/layers.js';
import { type Items, isWithinReach } from './catalogue-stretches.js';
import { type EncodedState, inputsOf, shapesKey, stateInputs } from './encoded-state.js';
import type { Compiled, HeldStretch, Lanes } from './lanes.js';

/** The output that tells how far a short form may be trusted. */
export const REACH = 'reach of users';

/** What scores candidates, and the output with the scores. */
export interface Scorer {
  readonly compiled: Compiled;
  readonly output: string;
}

const isShort = (form: ScoringForm): form is NonNullable<Scoring['short']> => 'reachOfUsers' in form;

/** A state, with what tells how far it may be trusted if its form is a short one. */
export const withReach = (form: ScoringForm, state: State): State =>
  isShort(form) ? { ...state, [REACH]: form.reachOfUsers(state) } : state;

/** Those of one model, for all its rankers. */
export class ScoringPrograms {
  readonly #scoring: Scoring;
  readonly #lanes: Lanes;

  constructor(scoring: Scoring, lanes: Lanes) {
    this.#scoring = scoring;
    this.#lanes = lanes;
  }

  /** Whether what was encoded, or scored, in the short form may be trusted with these items; always where there is none. */
  isWithinReach(results: Readonly<Record<string, Float32Array>>, items: Items): boolean {
    const { short } = this.#scoring;
    return !short || isWithinReach(results[REACH] as Float32Array, items.reach, short.most);
  }

  /** Scores of encoded users, each with candidates of its own: (users, perCase). */
  async own(
    form: ScoringForm,
    name: string,
    state: EncodedState,
    users: number,
    perCase: number,
    vectors: Float32Array,
    { width }: Items,
  ): Promise<Float32Array> {
    const compiled = await this.#ownProgram(form, name, state.shapes, users, perCase, width);
    const given = { ...inputsOf(state.values), vectors };
    const results = await this.#lanes.run(compiled, given, [vectors.buffer as ArrayBuffer]);
    return results['logits'] as Float32Array;
  }

  /** Scores the same candidates for some encoded users, (users, candidates). */
  async shared(
    form: ScoringForm,
    state: EncodedState,
    users: number,
    vectors: Float32Array,
    { width }: Items,
  ): Promise<Float32Array> {
    const { compiled, output } = await this.scorer(form, state.shapes, users, vectors.length / width, width);
    const given = { ...inputsOf(state.values), vectors };
    const results = await this.#lanes.run(compiled, given, [vectors.buffer as ArrayBuffer]);
    return results[output] as Float32Array;
  }

  /** Scores of a stretch of the catalogue for one encoded user. `vectors`: asked for where a thread does not have them yet. */
  async held(
    form: ScoringForm,
    state: EncodedState,
    candidates: number,
    width: number,
    stretch: HeldStretch,
    vectors: () => Float32Array,
  ): Promise<Float32Array> {
    const { compiled, output } = await this.scorer(form, state.shapes, 1, candidates, width);
    const results = await this.#lanes.runHeld(compiled, inputsOf(state.values), stretch, vectors);
    return results[output] as Float32Array;
  }

  /** What scores the same candidates for some users. */
  async scorer(
    form: ScoringForm,
    shapes: EncodedState['shapes'],
    users: number,
    candidates: number,
    width: number,
    lane?: number,
  ): Promise<Scorer> {
    const { scoreShared } = form;
    if (!scoreShared)
      return {
        compiled: await this.#ownProgram(form, 'alone', shapes, users, candidates, width, lane),
        output: 'logits',
      };
    const key = `shared ${users} ${candidates} ${shapesKey(shapes)}`;
    const build = (scope: Scope): State => ({
      scores: scoreShared(scope, stateInputs(scope, shapes, users), scope.input('vectors', [candidates, width])),
    });
    return { compiled: await this.#lanes.compiled(key, build, lane), output: 'scores' };
  }

  async #ownProgram(
    form: ScoringForm,
    name: string,
    shapes: EncodedState['shapes'],
    users: number,
    perCase: number,
    width: number,
    lane?: number,
  ): Promise<Compiled> {
    const build = (scope: Scope): State => ({
      logits: form.score(scope, stateInputs(scope, shapes, users), scope.input('vectors', [users, perCase, width])),
    });
    return this.#lanes.compiled(`${name} ${users} ${perCase} ${shapesKey(shapes)}`, build, lane);
  }
}
