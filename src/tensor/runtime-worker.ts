/**
 * The thread that runs graphs; the one file that meets ONNX Runtime. Knows sessions and companions by number; does not know what
 * they are for. `session.run` blocks the thread that calls it, which is why it has a thread of its own.
 */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import * as ort from 'onnxruntime-node';
import { messageOf } from '../base/index.js';
import type { Answer, NumberArray, OpenCompanion, Request, RunHere } from './runtime.js';

const port = parentPort;
if (!port) throw new Error('internal error: runtime-worker runs as a worker thread only');

const { niceness } = workerData as { readonly niceness: number };
// elsewhere it would be that of the process
if (niceness > 0 && process.platform === 'linux') setPriority(0, niceness);

const sessions = new Map<number, { session: ort.InferenceSession; shapes: ReadonlyMap<string, readonly number[]> }>();

/** Values that runs share, by number. */
const held = new Map<number, Readonly<Record<string, NumberArray>>>();

const companions = new Map<number, Awaited<ReturnType<OpenCompanion>>>();

const run: RunHere = async (program, inputs, numbers) => {
  const found = sessions.get(program);
  if (!found) throw new Error('internal error: the program was disposed of');
  const feeds: Record<string, ort.Tensor> = {};
  for (const [key, shape] of found.shapes) {
    const own = numbers.find((number) => held.get(number)?.[key]);
    const data = inputs[key] ?? (own === undefined ? undefined : held.get(own)?.[key]);
    if (!data) throw new Error(`internal error: input ${key} is missing`);
    feeds[key] =
      data instanceof Int32Array ? new ort.Tensor('int32', data, shape) : new ort.Tensor('float32', data, shape);
  }
  const outputs: Record<string, NumberArray> = {};
  for (const [key, tensor] of Object.entries(await found.session.run(feeds))) outputs[key] = tensor.data as NumberArray;
  return outputs;
};

async function answer(request: Request): Promise<Omit<Answer, 'id' | 'error'>> {
  switch (request.kind) {
    case 'compile': {
      // asked for a provider that it was not built with, ONNX Runtime warns and quietly takes the next one
      const built = ort.listSupportedBackends().map(({ name }) => name);
      if (request.device !== 'cpu' && !built.includes(request.device))
        throw new Error(`it was built with ${built.join(', ')}`);
      const session = await ort.InferenceSession.create(request.model, {
        executionProviders: request.device === 'cpu' ? ['cpu'] : [request.device, 'cpu'],
        intraOpNumThreads: request.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        // every session would keep its largest memory for itself, and there is one per kind of batch; without them a step takes no longer
        enableCpuMemArena: false,
        enableMemPattern: false,
        logSeverityLevel: 3,
        ...(request.profile === null ? {} : { enableProfiling: true, profileFilePrefix: request.profile }),
      });
      sessions.set(request.program, { session, shapes: new Map(request.inputs.map(({ key, shape }) => [key, shape])) });
      return {};
    }
    case 'run': {
      const start = performance.now();
      const outputs = await run(request.program, request.inputs, request.held);
      return { outputs, buffers: request.buffers, milliseconds: performance.now() - start };
    }
    case 'hold': {
      held.set(request.held, request.values);
      return {};
    }
    case 'bring': {
      const { open } = (await import(request.module)) as { open: OpenCompanion };
      companions.set(request.companion, await open(request.given as never, run));
      return {};
    }
    case 'ask': {
      const companion = companions.get(request.companion);
      if (!companion) throw new Error('internal error: the companion was never brought');
      const { value, transfer = [] } = await companion(request.question);
      return { value, buffers: transfer };
    }
    case 'dispose': {
      await sessions.get(request.program)?.session.release();
      sessions.delete(request.program);
      return {};
    }
  }
}

// One at a time, in order of arrival.
let queue = Promise.resolve();
let ended = false;
port.on('message', (request: Request | 'end') => {
  if (request === 'end') {
    ended = true; // heard between two requests: those that wait are not begun
    port.close();
    return;
  }
  queue = queue.then(async () => {
    if (ended) return;
    try {
      const result = await answer(request);
      const { outputs = {}, buffers = [] } = result;
      const all = new Set([...buffers, ...Object.values(outputs).map(({ buffer }) => buffer as ArrayBuffer)]);
      port.postMessage({ id: request.id, ...result } satisfies Answer, [...all]);
    } catch (error) {
      port.postMessage({ id: request.id, error: messageOf(error) } satisfies Answer);
    }
  });
});
