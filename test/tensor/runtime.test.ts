import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, test, type TestContext } from 'node:test';
import { Random, UserError } from '../../src/base/index.js';
import { BatchAssembler } from '../../src/features/index.js';
import { Scope, candidateVectors, encodeUser, sesrecLosses } from '../../src/model/index.js';
import { Runtime, type RuntimeOptions, type Tensor, gradients, ops, toOnnx } from '../../src/tensor/index.js';
import { scratchFolder } from '../data/folders.js';
import { type Lengths, lively, randomRows, randomTraining, tinyCatalogue, tinyConfig } from '../support/tiny-sesrec.js';

function runtimeOf(t: TestContext, options: RuntimeOptions): Runtime {
  const runtime = new Runtime(options);
  t.after(async () => runtime.dispose());
  return runtime;
}

/** The training graph with all its gradients and dropout, wide enough for two threads to share its work, and its inputs. */
function trainingGraph(preset: 'official' | 'paper', width: number, count: number) {
  const config = tinyConfig(preset, {
    width,
    heads: 2,
    itemIdWidth: width,
    hidden: [2 * width, 1],
    window: { feed: 8, search: 6, clicks: 2, words: 2 },
    alignmentNegatives: 200,
    dropout: 0.2,
  });
  const random = new Random('runtime test');
  const lengths: Lengths[] = Array.from({ length: count }, (_, row) => [1 + (row % 8), row % 7]);
  const batch = new BatchAssembler(tinyCatalogue(config), config.window).assemble(
    randomRows(config, lengths, random),
    randomTraining(config, count, random),
  );
  const scope = new Scope(config.dropout);
  const { loss, logits } = sesrecLosses(scope, config, batch.sizes);
  const keys = [
    ...[...scope.parameters.values()].filter(({ table }) => !table).map(({ name }) => name),
    ...scope.lookups.keys(),
  ];
  const outputs: Record<string, Tensor> = { loss, logits };
  gradients(
    loss,
    keys.map((key) => scope.known(key)),
  ).forEach((gradient, i) => {
    outputs[`gradient of ${keys[i]}`] = gradient;
  });
  const parameters = lively(config);
  const given: Record<string, Float32Array | Int32Array> = {
    ...parameters.dense(),
    ...parameters.rows(scope.lookups.values(), batch.ids),
    ...batch.inputs,
  };
  for (const { key, shape } of scope.dropouts)
    given[key] = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
      random.float() < 0.2 ? 0 : 1.25,
    );
  return { config, batch, outputs, given };
}

/** Types of the nodes of a model: in onnx.proto a node is field 1 of the graph (field 7 of the model), its type field 4. */
function operatorsOf(model: Uint8Array): Set<string> {
  const types = new Set<string>();
  const fields = (bytes: Uint8Array, visit: (field: number, content: Uint8Array) => void): void => {
    let at = 0;
    const varint = (): number => {
      let [value, scale] = [0, 1];
      for (;;) {
        const byte = bytes[at++] as number;
        value += (byte & 127) * scale;
        scale *= 128;
        if (byte < 128) return value;
      }
    };
    while (at < bytes.length) {
      const tag = varint();
      const wire = tag % 8;
      if (wire === 2) {
        const length = varint();
        visit(Math.floor(tag / 8), bytes.subarray(at, (at += length)));
      } else if (wire === 5) at += 4;
      else varint();
    }
  };
  fields(model, (field, graph) => {
    if (field !== 7) return;
    fields(graph, (inGraph, node) => {
      if (inGraph !== 1) return;
      fields(node, (inNode, text) => {
        if (inNode === 4) types.add(new TextDecoder().decode(text));
      });
    });
  });
  return types;
}

describe('the graphs of SESRec', () => {
  test('hold no operator that differs from run to run, and none that draws random numbers', () => {
    for (const preset of ['official', 'paper'] as const) {
      const { config, batch, outputs } = trainingGraph(preset, 8, 3);
      const { state } = encodeUser(new Scope(), config, batch.sizes);
      for (const graph of [
        outputs,
        { feed_state: state.feed },
        { vectors: candidateVectors(new Scope(), config, 4) },
      ]) {
        const types = operatorsOf(toOnnx(graph).bytes);
        assert.ok(types.has('Gemm') || types.has('Concat'), 'the model was read');
        assert.deepEqual(
          [...types].filter((type) => /ScatterND|Random|Bernoulli|Multinomial|Dropout/.test(type)),
          [],
        );
      }
      const types = operatorsOf(toOnnx(outputs).bytes);
      for (const type of ['ScatterElements', 'LayerNormalization', 'Softmax', 'MatMul'])
        assert.ok(types.has(type), `${type} is missing: the graph is not the whole one`);
      const onOneThread = operatorsOf(toOnnx(outputs, { oneThread: true }).bytes);
      assert.ok(onOneThread.has('ScatterND') && !onOneThread.has('ScatterElements'));
    }
  });

  test('give the same bits over and over, with one thread or two', async (t) => {
    const { outputs, given } = trainingGraph('official', 32, 64);
    const results: Record<string, Float32Array>[] = [];
    for (const threads of [1, 2]) {
      const program = await runtimeOf(t, { threads }).compile(outputs);
      const inputs = Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] as Float32Array]));
      for (let repeat = 0; repeat < 3; repeat++) results.push(await program.run(inputs));
    }
    const [first, ...others] = results as [Record<string, Float32Array>];
    assert.ok(first['loss']?.every(Number.isFinite));
    for (const other of others) {
      for (const [key, values] of Object.entries(first))
        assert.deepEqual(
          new Uint8Array(
            (other[key] as Float32Array).buffer,
            (other[key] as Float32Array).byteOffset,
            values.byteLength,
          ),
          new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
          key,
        );
    }
  });
});

describe('the runtime', () => {
  const double = { y: ops.mul(ops.placeholder('x', [2]), 2) };

  test('runs programs asked for at once, each with its own inputs', async (t) => {
    const runtime = runtimeOf(t, { threads: 1 });
    const [two, three] = await Promise.all([
      runtime.compile(double),
      runtime.compile({ y: ops.mul(ops.placeholder('x', [2]), 3) }),
    ]);
    const results = await Promise.all(
      [two, three, two].map(async (program, i) => program.run({ x: Float32Array.of(i, 10) })),
    );
    assert.deepEqual(
      results.map(({ y }) => [...(y as Float32Array)]),
      [
        [0, 20],
        [3, 30],
        [4, 20],
      ],
    );
  });

  test('refuses an unknown device in one line that names it', async (t) => {
    const runtime = runtimeOf(t, { device: 'abacus' });
    await assert.rejects(
      runtime.compile(double),
      (error) => error instanceof UserError && /--device abacus/.test(error.message) && !error.message.includes('\n'),
    );
  });

  test('refuses a number of threads that is none', () => {
    for (const threads of [0, -1, 1.5, Number.NaN])
      assert.throws(
        () => new Runtime({ threads }),
        (error) => error instanceof UserError && /threads/.test(error.message),
      );
  });

  test('refuses inputs that are missing, of the wrong length or of the wrong type, and goes on', async (t) => {
    const program = await runtimeOf(t, { threads: 1 }).compile(double);
    await assert.rejects(program.run({}), /input x is missing/);
    await assert.rejects(program.run({ x: Float32Array.of(1) }), /1 entries, its shape \[2\] has 2/);
    await assert.rejects(program.run({ x: Int32Array.of(1, 2) }), /must be float32/);
    assert.deepEqual((await program.run({ x: Float32Array.of(1, 2) }))['y'], Float32Array.of(2, 4));
  });

  test('leaves inputs as they were, unless they are handed over', async (t) => {
    const program = await runtimeOf(t, { threads: 1 }).compile(double);
    const x = Float32Array.of(1, 2);
    await program.run({ x });
    assert.deepEqual(x, Float32Array.of(1, 2));
    assert.deepEqual((await program.run({ x }, [x.buffer]))['y'], Float32Array.of(2, 4));
    assert.equal(x.length, 0);
  });

  test('gives a buffer of inputs that was handed over back, to be filled again, and says how long the graph ran', async (t) => {
    const graph = { sum: ops.add(ops.placeholder('x', [2]), ops.placeholder('y', [2])) };
    const program = await runtimeOf(t, { threads: 1 }).compile(graph);
    let buffer = new ArrayBuffer(32);
    for (const first of [1, 5]) {
      const [x, y] = [new Float32Array(buffer, 4, 2), new Float32Array(buffer, 16, 2)]; // wherever they lie on it
      x.set([first, 2]);
      y.set([10, 20]);
      const { outputs, buffers, milliseconds } = await program.runHandingOver({ x, y }, [buffer]);
      assert.deepEqual(outputs['sum'], Float32Array.of(first + 10, 22));
      assert.deepEqual([x.length, buffer.byteLength], [0, 0]);
      assert.ok(milliseconds > 0 && milliseconds < 10_000, `${milliseconds}`);
      buffer = buffers[0] as ArrayBuffer;
      assert.deepEqual(new Float32Array(buffer, 4, 2), Float32Array.of(first, 2));
    }
  });

  test('refuses programs that were disposed of, and everything once it is disposed of itself', async (t) => {
    const runtime = runtimeOf(t, { threads: 1 });
    const [gone, kept] = [await runtime.compile(double), await runtime.compile(double)];
    await gone.dispose();
    await assert.rejects(gone.run({ x: Float32Array.of(1, 2) }), /disposed/);
    await kept.run({ x: Float32Array.of(1, 2) });
    await runtime.dispose();
    await assert.rejects(kept.run({ x: Float32Array.of(1, 2) }), /compute thread has ended/);
    await assert.rejects(runtime.compile(double), /compute thread has ended/);
    await runtime.dispose();
  });

  test('can be disposed of at any moment of compiling and running', async () => {
    const { outputs, given } = trainingGraph('official', 32, 64);
    for (const wait of [0, 5, 20, 40, 80, 120, 160, 240]) {
      const busy = new Runtime({ threads: 1 });
      const work = busy
        .compile(outputs)
        .then(async (program) =>
          program.run(Object.fromEntries(program.inputs.map(({ key }) => [key, given[key] as Float32Array]))),
        );
      const told = work.then(
        () => 'done',
        (error: unknown) => (error as Error).message,
      );
      await setTimeout(wait);
      await busy.dispose();
      assert.match(await told, /^done$|the compute thread has ended/);
    }
  });

  test('lets the process end by itself once it is disposed of', async (t) => {
    const script = `
      import { Runtime, ops } from ${JSON.stringify(new URL('../../src/tensor/index.js', import.meta.url).href)};
      const runtime = new Runtime({ threads: 2 });
      const program = await runtime.compile({ y: ops.mul(ops.placeholder('x', [2]), 2) });
      process.stdout.write(String((await program.run({ x: Float32Array.of(1, 2) })).y));
      await runtime.dispose();
    `;
    const file = join(await scratchFolder(t), 'script.mjs'); // a file: options of --eval would be the worker's too
    await writeFile(file, script);
    const child = spawn(process.execPath, [file], {
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += String(chunk);
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    assert.deepEqual([code, signal, said], [0, null, '2,4']);
  });
});

describe('companions', () => {
  test('run programs on their lane, one question after another, on memory that is shared', async (t) => {
    const runtime = runtimeOf(t, { threads: 1 });
    const x = new Scope().input('x', [3]);
    const program = await runtime.compile({ y: ops.mul(x, 2) }, { lane: 1 });
    const counts = new Int32Array(new SharedArrayBuffer(4));
    const module = new URL('../support/companion.js', import.meta.url);
    const companion = await runtime.bring(1, module, { program: program.number, counts });
    const answers = await Promise.all(
      [1, 2, 3].map(async (factor) => companion.ask({ x: Float32Array.of(factor, 0, -1) })),
    );
    assert.deepEqual(
      answers,
      [1, 2, 3].map((factor) => Float32Array.of(4 * factor, 0, -4)),
    );
    assert.equal(counts[0], 3, 'what it wrote there is seen here');
    await assert.rejects(companion.ask({ x: new Float32Array(3), fails: true }), /this question has no answer/);
    const given = Float32Array.of(5, 6, 7);
    assert.deepEqual(
      await companion.ask({ x: given }, [given.buffer]),
      Float32Array.of(20, 24, 28),
      'a failure ends nothing',
    );
    assert.equal(given.length, 0, 'it was handed over');
    await assert.rejects(runtime.bring(1, new URL('file:///there/is/no/such/module.js'), {}), /such/);
  });
});
