/**
 * Compile, run, dispose. Knows programs (graphs made ready to run for one set of shapes) and the thread they run on;
 * does not know what they compute. ONNX Runtime itself is met only by runtime-worker.ts, on that thread.
 *
 * The CPU is the tested device. Other execution providers of ONNX Runtime are passed through by name and not tested.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { UserError, assert } from '../base/index.js';
import { type Tensor, sizeOf } from './graph.js';
import { type InputDescription, type OnnxModel, toOnnx } from './onnx.js';
import { lean } from './passes.js';

/** What a program takes and gives: float32 or int32 entries, row-major. */
export type NumberArray = Float32Array | Int32Array;

/** A message to the runtime's thread. */
export type Request = { readonly id: number; readonly program: number } & (
  | {
      readonly kind: 'compile';
      readonly model: Uint8Array;
      readonly inputs: readonly InputDescription[];
      readonly threads: number;
      readonly device: string;
      readonly profile: string | null;
    }
  | {
      readonly kind: 'run';
      readonly inputs: Readonly<Record<string, NumberArray>>;
      /** Keys of the inputs that came without a copy and go back so. */
      readonly handedOver: readonly string[];
    }
  | { readonly kind: 'dispose' }
);

/** Its answer: `error` if it failed. */
export interface Answer {
  readonly id: number;
  readonly error?: string;
  readonly outputs?: Readonly<Record<string, NumberArray>>;
  readonly returned?: Readonly<Record<string, NumberArray>>;
  /** How long the graph ran. */
  readonly milliseconds?: number;
}

/** What a run gives. */
export interface RunResult {
  readonly outputs: Record<string, Float32Array>;
  /** The inputs that were handed over, by key, to be used again. */
  readonly returned: Readonly<Record<string, NumberArray>>;
  /** How long the graph ran, by the compute thread's clock. */
  readonly milliseconds: number;
}

export interface RuntimeOptions {
  /** Threads that one operation may use. Default: all the machine has. Results do not depend on it. */
  readonly threads?: number;
  /** ONNX Runtime execution provider: cpu (default, tested), or cuda, webgpu, coreml, dml, … (passed through). */
  readonly device?: string;
  /** Where ONNX Runtime writes an operator profile: a prefix of file names. Default: none is written. */
  readonly profile?: string;
}

/** A compiled graph. Keys of inputs and outputs are those of its placeholders and named outputs. */
export interface Program {
  readonly inputs: readonly InputDescription[];
  /**
   * Runs once. Every input must be given, with as many entries as its shape has.
   * @param transfer buffers that are handed over instead of copied; they are empty afterwards
   */
  run(
    inputs: Readonly<Record<string, NumberArray>>,
    transfer?: readonly ArrayBuffer[],
  ): Promise<Record<string, Float32Array>>;
  /** Runs once. The inputs whose keys are listed are handed over, not copied: they are empty until they come back. */
  runHandingOver(inputs: Readonly<Record<string, NumberArray>>, keys: readonly string[]): Promise<RunResult>;
  /** Frees the memory. */
  dispose(): Promise<void>;
}

/** One thread on which programs are compiled and run, one after another. Call `dispose` when done: the thread keeps the process alive. */
export class Runtime {
  readonly #worker: Worker;
  readonly #options: Required<Omit<RuntimeOptions, 'profile'>> & { profile: string | null };
  readonly #waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  #nextId = 0;
  #nextProgram = 0;
  #failure: Error | null = null;

  constructor({ threads = availableParallelism(), device = 'cpu', profile }: RuntimeOptions = {}) {
    if (!Number.isInteger(threads) || threads < 1)
      throw new UserError(`threads must be a whole number from 1, not ${threads}`);
    this.#options = { threads, device, profile: profile ?? null };
    this.#worker = new Worker(new URL('runtime-worker.js', import.meta.url), { execArgv: [] }); // options like --eval are not for it
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

  async #ask(request: Request, transfer: readonly ArrayBuffer[] = []): Promise<Answer> {
    if (this.#failure) throw this.#failure;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request.id, { resolve, reject });
      this.#worker.postMessage(request, transfer);
    });
  }

  /** Compiles the graph behind some named tensors, without what it can do without. */
  async compile(outputs: Readonly<Record<string, Tensor>>): Promise<Program> {
    return this.compileModel(toOnnx(lean(outputs)));
  }

  /** Compiles a lowered graph. */
  async compileModel(model: OnnxModel): Promise<Program> {
    const program = this.#nextProgram++;
    try {
      await this.#ask({
        id: this.#nextId++,
        program,
        kind: 'compile',
        model: model.bytes,
        inputs: model.inputs,
        ...this.#options,
      });
    } catch (error) {
      if (this.#options.device === 'cpu') throw error;
      const reason = error instanceof Error ? error.message : String(error);
      throw new UserError(`ONNX Runtime cannot use --device ${this.#options.device} here: ${reason.split('\n')[0]}`, {
        cause: error,
      });
    }
    const runHandingOver: Program['runHandingOver'] = async (inputs, keys) => {
      for (const { key, shape, dtype } of model.inputs) {
        const data = inputs[key];
        assert(data, `input ${key} is missing`);
        assert(
          data.length === sizeOf(shape),
          `input ${key} has ${data.length} entries, its shape [${shape}] has ${sizeOf(shape)}`,
        );
        assert((dtype === 'int32') === data instanceof Int32Array, `input ${key} must be ${dtype}`);
      }
      const buffers = new Set(keys.map((key) => (inputs[key] as NumberArray).buffer as ArrayBuffer));
      const answer = await this.#ask({ id: this.#nextId++, program, kind: 'run', inputs, handedOver: keys }, [
        ...buffers,
      ]);
      return answer as unknown as RunResult;
    };
    return {
      inputs: model.inputs,
      run: async (inputs, transfer = []) => {
        const keys = Object.keys(inputs).filter((key) =>
          transfer.includes((inputs[key] as NumberArray).buffer as ArrayBuffer),
        );
        return (await runHandingOver(inputs, keys)).outputs;
      },
      runHandingOver,
      dispose: async () => {
        await this.#ask({ id: this.#nextId++, program, kind: 'dispose' });
      },
    };
  }

  /** Ends the thread; what is still running there is abandoned. */
  async dispose(): Promise<void> {
    await this.#worker.terminate();
  }
}
