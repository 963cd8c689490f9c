/**
 * Where programs of a model run: one thread each, the one with the least to do; and what threads hold between runs, so that not every run
 * brings it. Knows programs, lanes and what does not change; does not know what is computed.
 */
import { at, getOrCreate } from '../../base/index.js';
import type { Companion, NumberArray, Program, Runtime, Shape } from '../../tensor/index.js';
import type { State } from '../definition/model.js';
import { Scope } from '../layers/layers.js';
import type { Parameters } from '../weights/parameters.js';

export interface Compiled {
  readonly program: Program;
  readonly scope: Scope;
  readonly lane: number;
  /** Shapes of the outputs. */
  readonly shapes: ReadonlyMap<string, Shape>;
}

/** Values that threads hold for runs on them. */
export interface HeldStretch {
  readonly held: number;
  /** Lanes whose thread has them as they are. */
  readonly lanes: Set<number>;
}

type Given = Readonly<Record<string, NumberArray>>;

/** Of what is given, what a program takes. */
export const inputsFor = ({ inputs }: Program, given: Given): Record<string, NumberArray> =>
  Object.fromEntries(inputs.flatMap(({ key }) => (given[key] ? [[key, given[key]] as const] : [])));

/** The lanes of one model, which all its rankers share. */
export class Lanes {
  readonly #runtime: Runtime;
  readonly #parameters: Parameters;
  readonly #programs = new Map<string, Promise<Compiled>>();
  #turns = 0;
  /** Runs under way, by lane. */
  readonly #busy: number[];
  /** Lanes whose thread holds the dense parameters as they are, by the number `#held`. */
  readonly #holding = new Set<number>();
  readonly #held: number;
  /** Stretches of the catalogue whose vectors threads hold, for ranking all of it again and again. */
  #stretches: { readonly size: number; readonly all: HeldStretch[] } = { size: 0, all: [] };

  constructor(runtime: Runtime, parameters: Parameters) {
    this.#runtime = runtime;
    this.#parameters = parameters;
    this.#busy = Array.from({ length: runtime.threads }, () => 0);
    this.#held = runtime.newHeld();
  }

  get count(): number {
    return this.#busy.length;
  }

  /** The lane with the least to do, of equal ones that whose turn it is. */
  next(): number {
    const first = this.#turns++ % this.count;
    let lane = first;
    for (let other = 1; other < this.count; other++) {
      const next = (first + other) % this.count;
      if (at(this.#busy, next) < at(this.#busy, lane)) lane = next;
    }
    return lane;
  }

  /** A program on a lane. Each lane is one thread: how many there are matters to no bit. */
  async compiled(key: string, build: (scope: Scope) => State, lane = this.next()): Promise<Compiled> {
    return getOrCreate(this.#programs, `${lane} ${key}`, async () => {
      const scope = new Scope();
      const outputs = build(scope);
      const shapes = new Map(Object.entries(outputs).map(([name, { shape }]) => [name, shape]));
      return { program: await this.#runtime.compile(outputs, { lane, threads: 1 }), scope, lane, shapes };
    });
  }

  /** Runs a program on what is given; the thread holds the parameters that it takes. */
  async run(
    { program, lane }: Compiled,
    given: Given,
    transfer: readonly ArrayBuffer[] = [],
    alsoHeld: readonly number[] = [],
  ): Promise<Record<string, Float32Array>> {
    const inputs = inputsFor(program, given);
    this.#hold(lane);
    return this.#keeping(lane, async () => program.run(inputs, transfer, [this.#held, ...alsoHeld]));
  }

  /**
   * Asks a companion, which runs programs of its lane; the thread holds the parameters that they take.
   * @param question made of the numbers of what the thread holds
   */
  async ask(lane: number, companion: Companion, question: (held: readonly number[]) => unknown): Promise<unknown> {
    this.#hold(lane);
    return this.#keeping(lane, async () => companion.ask(question([this.#held])));
  }

  /** Brings a companion to a lane. */
  async bring(lane: number, module: URL, given: unknown): Promise<Companion> {
    return this.#runtime.bring(lane, module, given);
  }

  async #keeping<Result>(lane: number, work: () => Promise<Result>): Promise<Result> {
    this.#busy[lane] = at(this.#busy, lane) + 1;
    try {
      return await work();
    } finally {
      this.#busy[lane] = at(this.#busy, lane) - 1;
    }
  }

  /** Brings the dense parameters to the thread of a lane, if it does not have them as they are. */
  #hold(lane: number): void {
    if (this.#holding.has(lane)) return;
    this.#holding.add(lane);
    // what is asked of a thread is done in order: nobody waits for it here
    this.#runtime.hold(lane, this.#held, this.#parameters.dense()).catch(() => this.#holding.delete(lane));
  }

  /** `run`, with vectors of a stretch that the thread holds. `vectors`: asked for where it does not have them yet. */
  async runHeld(
    compiled: Compiled,
    given: Given,
    { held, lanes }: HeldStretch,
    vectors: () => Float32Array,
  ): Promise<Record<string, Float32Array>> {
    const { lane } = compiled;
    if (!lanes.has(lane)) {
      lanes.add(lane);
      const own = vectors();
      this.#runtime.hold(lane, held, { vectors: own }, [own.buffer as ArrayBuffer]).catch(() => lanes.delete(lane));
    }
    return this.run(compiled, given, [], [held]);
  }

  /** The stretch `index` of a catalogue that is cut into stretches of a size; threads let go of those of another size. */
  stretch(size: number, index: number): HeldStretch {
    if (this.#stretches.size !== size) this.letGo(size);
    const { all } = this.#stretches;
    return (all[index] ??= { held: this.#runtime.newHeld(), lanes: new Set() });
  }

  /** Threads let go of the vectors that they hold. */
  letGo(nextSize = 0): void {
    for (const { held, lanes } of this.#stretches.all) {
      for (const lane of lanes) this.#runtime.hold(lane, held, {}).catch(() => undefined); // the thread has ended
      lanes.clear();
    }
    this.#stretches = { size: nextSize, all: [] };
  }

  /** Vectors have changed: threads get them anew. */
  forgetStretches(): void {
    for (const { lanes } of this.#stretches.all) lanes.clear();
  }

  /** Parameters have changed, and vectors with them. */
  forgetAll(): void {
    this.#holding.clear();
    this.forgetStretches();
  }

  /** Does tasks, results in order; as many more as there are lanes are under way while somebody looks at a result. */
  async *ahead<Result>(
    tasks: Iterable<() => Promise<Result>> | AsyncIterable<() => Promise<Result>>,
  ): AsyncGenerator<Result> {
    const running: Promise<Result>[] = [];
    for await (const task of tasks) {
      const next = task();
      next.catch(() => undefined); // it is looked at in its turn
      running.push(next);
      if (running.length > this.count) yield await (running.shift() as Promise<Result>);
    }
    for (const result of running) yield await result;
  }
}
