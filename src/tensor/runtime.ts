/**
 * Compile, run, dispose. Knows programs (graphs made ready to run for one set of shapes) and the thread they run on;
 * does not know what they compute. ONNX Runtime itself is met only by runtime-worker.ts, on that thread.
 *
 * The CPU is the tested device. Other execution providers of ONNX Runtime are passed through by name and not tested.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { UserError, assert, getOrCreate } from '../base/index.js';
import { type Tensor, sizeOf } from './graph.js';
import { type InputDescription, type OnnxModel, toOnnx } from './onnx.js';
import { lean } from './passes.js';

/** What a program takes and gives: float32 or int32 entries, row-major. */
export type NumberArray = Float32Array | Int32Array;

/** Runs a program where it is compiled. `held`: numbers of values that the thread holds, for inputs that are not given. */
export type RunHere = (
  program: number,
  inputs: Readonly<Record<string, NumberArray>>,
  held: readonly number[],
) => Promise<Record<string, NumberArray>>;

/** What a companion has to say; buffers to transfer are handed over instead of copied. */
export interface Told {
  readonly value: unknown;
  readonly transfer?: readonly ArrayBuffer[];
}

/** What the module of a companion exports as `open`: it is given something once, then asked again and again, one question after another. */
export type OpenCompanion = (given: never, run: RunHere) => Promise<(question: never) => Promise<Told>>;

/** A message to the runtime's thread. */
export type Request = { readonly id: number } & (
  | {
      readonly kind: 'compile';
      readonly program: number;
      readonly model: Uint8Array;
      readonly inputs: readonly InputDescription[];
      readonly threads: number;
      readonly device: string;
      readonly profile: string | null;
    }
  | {
      readonly kind: 'run';
      readonly program: number;
      readonly inputs: Readonly<Record<string, NumberArray>>;
      /** Buffers of inputs that came without a copy and go back so. */
      readonly buffers: readonly ArrayBuffer[];
      /** Numbers of values that the thread holds, for inputs that are not given. */
      readonly held: readonly number[];
    }
  | { readonly kind: 'hold'; readonly held: number; readonly values: Readonly<Record<string, NumberArray>> }
  | { readonly kind: 'bring'; readonly companion: number; readonly module: string; readonly given: unknown }
  | { readonly kind: 'ask'; readonly companion: number; readonly question: unknown }
  | { readonly kind: 'dispose'; readonly program: number }
);

/** Its answer: `error` if it failed. */
export interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly outputs?: Readonly<Record<string, NumberArray>>;
  readonly buffers?: readonly ArrayBuffer[];
  /** How long the graph ran. */
  readonly milliseconds?: number;
  /** What a companion told. */
  readonly value?: unknown;
}

/** What a run gives. */
export interface RunResult {
  readonly outputs: Record<string, Float32Array>;
  /** The buffers that were handed over, to be used again. */
  readonly buffers: readonly ArrayBuffer[];
  /** How long the graph ran, by the compute thread's clock. */
  readonly milliseconds: number;
}

export interface RuntimeOptions {
  /** Threads to compute with. Default: all the machine has. Results do not depend on it. */
  readonly threads?: number;
  /** ONNX Runtime execution provider: cpu (default, tested), or cuda, webgpu, coreml, dml, … (passed through). */
  readonly device?: string;
  /** By how much compute threads give way to others of the machine, as `nice` counts (0 to 19); on Linux, where threads have a niceness. */
  readonly niceness?: number;
  /** Where ONNX Runtime writes an operator profile: a prefix of file names. Default: none is written. */
  readonly profile?: string;
}

/** A compiled graph. Keys of inputs and outputs are those of its placeholders and named outputs. */
export interface Program {
  /** What companions on its lane run it by. */
  readonly number: number;
  readonly inputs: readonly InputDescription[];
  /**
   * Runs once. Every input must be given, with as many entries as its shape has.
   * @param transfer buffers that are handed over instead of copied; they are empty afterwards
   * @param held numbers of values that `Runtime.hold` brought there, for inputs that are not given
   */
  run(
    inputs: Readonly<Record<string, NumberArray>>,
    transfer?: readonly ArrayBuffer[],
    held?: readonly number[],
  ): Promise<Record<string, Float32Array>>;
  /** Runs once. Inputs that lie on `buffers` are handed over with these, not copied, and are empty from then on; the buffers come back. */
  runHandingOver(inputs: Readonly<Record<string, NumberArray>>, buffers: readonly ArrayBuffer[]): Promise<RunResult>;
  /** Frees the memory. */
  dispose(): Promise<void>;
}

/** Code of one's own that works on a lane's thread, between runs of programs: where a step depends on what the one before it gave, nothing travels. */
export interface Companion {
  /** @param transfer buffers that are handed over instead of copied */
  ask(question: unknown, transfer?: readonly ArrayBuffer[]): Promise<unknown>;
}

/** Where a program runs. */
export interface Placement {
  /** Programs of different lanes run side by side, those of one lane one after another; 0 unless told. */
  readonly lane?: number;
  /** Threads that one operation may use; all that the runtime has, unless told. */
  readonly threads?: number;
}

/** One thread that compiles and runs programs, one after another. */
class Lane {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  #nextId = 0;
  #failure: Error | null = null;

  constructor(niceness: number) {
    const url = new URL('runtime-worker.js', import.meta.url);
    this.#worker = new Worker(url, { execArgv: [], workerData: { niceness } }); // options like --eval are not for it
    this.#worker.on('message', (answer: Answer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if (answer.error === undefined) waiting?.resolve(answer);
      else waiting?.reject(new Error(answer.error));
    });
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('the compute thread has ended')));
  }

  #fail(error: Error): void {
    this.#failure = error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  async ask(request: RequestOf<Request>, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, ...request }, transfer);
    });
  }

  /**
   * Ends the thread when what it is at is done; what it has not begun is abandoned. It is not terminated: ONNX Runtime
   * would come back to a thread that is no more, and take the process with it.
   */
  async dispose(): Promise<void> {
    if (this.#failure) return;
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#worker.postMessage('end', []);
    await ended;
  }
}
/** A request without its number, kind by kind. */
type RequestOf<Kind> = Kind extends Request ? Omit<Kind, 'id'> : never;

/** Compiles and runs programs, on threads of its own. Call `dispose` when done: they keep the process alive. */
export class Runtime {
  readonly #lanes = new Map<number, Lane>();
  readonly #options: { readonly device: string; readonly profile: string | null };
  readonly #niceness: number;
  readonly threads: number;
  #nextProgram = 0;
  #nextHeld = 0;
  #nextCompanion = 0;
  #isDisposed = false;

  constructor({ threads = availableParallelism(), device = 'cpu', niceness = 0, profile }: RuntimeOptions = {}) {
    if (!Number.isInteger(threads) || threads < 1)
      throw new UserError(`threads must be a whole number from 1, not ${threads}`);
    this.threads = threads;
    this.#options = { device, profile: profile ?? null };
    this.#niceness = niceness;
  }

  /** Lowers the graph behind some named tensors, without what it can do without, for a place to run at. */
  lower(outputs: Readonly<Record<string, Tensor>>, { threads = this.threads }: Placement = {}): OnnxModel {
    return toOnnx(lean(outputs), { oneThread: threads === 1 && this.#options.device === 'cpu' });
  }

  /** Compiles the graph behind some named tensors. */
  async compile(outputs: Readonly<Record<string, Tensor>>, placement: Placement = {}): Promise<Program> {
    return this.compileModel(this.lower(outputs, placement), placement);
  }

  /** Compiles a graph that was lowered for the same place. */
  async compileModel(model: OnnxModel, { lane: place = 0, threads = this.threads }: Placement = {}): Promise<Program> {
    if (this.#isDisposed) throw new Error('the compute thread has ended');
    const program = this.#nextProgram++;
    const lane = this.#laneAt(place);
    try {
      await lane.ask({
        program,
        kind: 'compile',
        model: model.bytes,
        inputs: model.inputs,
        threads,
        ...this.#options,
      });
    } catch (error) {
      if (this.#options.device === 'cpu') throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new UserError(`ONNX Runtime cannot use --device ${this.#options.device} here: ${reason.split('\n')[0]}`, {
        cause: error,
      });
    }
    const runWith = async (
      inputs: Readonly<Record<string, NumberArray>>,
      buffers: readonly ArrayBuffer[],
      held: readonly number[],
    ): Promise<RunResult> => {
      for (const { key, shape, dtype } of model.inputs) {
        const data = inputs[key];
        if (!data && held.length > 0) continue;
        assert(data, `input ${key} is missing`);
        assert(
          data.length === sizeOf(shape),
          `input ${key} has ${data.length} entries, its shape [${shape}] has ${sizeOf(shape)}`,
        );
        assert((dtype === 'int32') === data instanceof Int32Array, `input ${key} must be ${dtype}`);
      }
      const answer = await lane.ask({ program, kind: 'run', inputs, buffers, held }, buffers);
      return answer as unknown as RunResult;
    };
    return {
      number: program,
      inputs: model.inputs,
      run: async (inputs, transfer = [], held) => (await runWith(inputs, transfer, held ?? [])).outputs,
      runHandingOver: async (inputs, buffers) => runWith(inputs, buffers, []),
      dispose: async () => {
        await lane.ask({ program, kind: 'dispose' });
      },
    };
  }

  /**
   * Brings values to the thread of a lane, which keeps them for runs that are told their number; others of the same number are replaced.
   * @param transfer buffers that are handed over instead of copied
   */
  async hold(
    place: number,
    held: number,
    values: Readonly<Record<string, NumberArray>>,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<void> {
    await this.#laneAt(place).ask({ kind: 'hold', held, values }, transfer);
  }

  /**
   * Brings a companion to the thread of a lane.
   * @param module exports an `open` that is an `OpenCompanion`
   * @param given what it is given at once; memory that threads share stays shared
   */
  async bring(place: number, module: URL, given: unknown): Promise<Companion> {
    const companion = this.#nextCompanion++;
    const lane = this.#laneAt(place);
    await lane.ask({ kind: 'bring', companion, module: module.href, given });
    return {
      ask: async (question, transfer = []) => (await lane.ask({ kind: 'ask', companion, question }, transfer)).value,
    };
  }

  #laneAt(place: number): Lane {
    return getOrCreate(this.#lanes, place, () => new Lane(this.#niceness));
  }

  /** A number for `hold` that nobody else has. */
  newHeld(): number {
    return this.#nextHeld++;
  }

  /** Ends the threads, each when what it is at is done; what they have not begun is abandoned. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    await Promise.all([...this.#lanes.values()].map(async (lane) => lane.dispose()));
  }
}
