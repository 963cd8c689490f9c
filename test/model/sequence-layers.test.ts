import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Scope } from '../../src/model/index.js';
import { residualAttention } from '../../src/model/layers/layers.js';
import {
  type TransformerOptions,
  causalTransformer,
  frequencyFilter,
  lastOfCausalTransformer,
  lastState,
  maskedTransformer,
  transformerDecoder,
} from '../../src/model/layers/sequence-layers.js';
import { type Tensor, gradients, nn, ops } from '../../src/tensor/index.js';
import { type Layer, checkLayer, close, layerOf, range, reader, valuesOf } from '../support/layer-check.js';
import { PlainTransformer, type Vector, gelu } from '../support/plain-transformer.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const rowsOf = (values: ArrayLike<number>, rows: number, positions: number, width: number): Vector[][] => {
  const read = reader(values, [rows, positions, width]);
  return range(rows).map((row) => range(positions).map((t) => range(width).map((at) => read(row, t, at))));
};

const OPTIONS: TransformerOptions = { blocks: 2, heads: 2, innerWidth: 5, activation: 'gelu', epsilon: 1e-8 };
const MASK = [1, 1, 1, 1, 1, 0]; // two rows of three positions
const transformerOf = (
  build: typeof causalTransformer,
  options: TransformerOptions = OPTIONS,
  mask: number[] = MASK,
): Layer =>
  layerOf(
    { x: [2, mask.length / 2, 4], mask: [2, mask.length / 2] },
    (scope, { x, mask: known }) => build(scope, 'blocks', x, known, options),
    { mask },
  );

describe('a causal Transformer', () => {
  for (const [activation, norm] of [
    ['gelu', 'post'],
    ['relu', 'post'],
    ['relu', 'pre'],
    ['relu', 'code'],
  ] as const)
    test(`is plain attention to the real positions so far, with ${activation} and ${norm}-norm`, async () => {
      const layer = transformerOf(causalTransformer, { ...OPTIONS, activation, norm });
      const plain = new PlainTransformer(layer.given, { ...OPTIONS, norm });
      const expected = rowsOf(layer.given['x'] as number[], 2, 3, 4).map((row, at) => {
        const visible = (t: number): number[] => range(t + 1).filter((s) => MASK[3 * at + s] === 1);
        return [0, 1].reduce((hidden, block) => {
          const attended = plain.attention(`blocks.${block}.attention`, hidden, hidden, visible);
          const apply = activation === 'gelu' ? gelu : (x: number) => Math.max(x, 0);
          return plain.feedForward(`blocks.${block}.feedForward`, attended, apply);
        }, row);
      });
      close(valuesOf(layer), expected.flat(2));
      await checkLayer(runtime, layer);
    });

  test('as in code drops weights of attention and what stands inside a feed-forward layer, once more what comes of it', () => {
    const shapesOf = (norm: 'pre' | 'code'): unknown => {
      const scope = new Scope(0.5);
      const options = { ...OPTIONS, blocks: 1, norm, innerWidth: 7 };
      causalTransformer(scope, 'blocks', scope.input('x', [2, 3, 4]), scope.input('mask', [2, 3]), options);
      return scope.dropouts.map(({ shape }) => shape);
    };
    const heads = OPTIONS.heads;
    assert.deepEqual(shapesOf('code'), [
      [2, heads, 3, 3],
      [2, 3, 7],
      [2, 3, 4],
    ]);
    assert.deepEqual(shapesOf('pre'), [
      [2, 3, 4],
      [2, 3, 4],
    ]);
  });

  test('sees nothing that comes later, and no padding', () => {
    const layer = transformerOf(causalTransformer);
    const changed = (positions: readonly number[]): Float64Array => {
      const x = (layer.given['x'] as number[]).map((value, at) =>
        positions.includes(Math.floor(at / 4)) ? value + 7 : value,
      );
      return valuesOf({ ...layer, given: { ...layer.given, x } });
    };
    const [before, later, padding] = [valuesOf(layer), changed([2]), changed([5])];
    assert.deepEqual(later.slice(0, 8), before.slice(0, 8));
    assert.notDeepEqual(later.slice(8, 12), before.slice(8, 12), 'a position sees itself');
    assert.notDeepEqual(changed([0]).slice(8, 12), before.slice(8, 12), 'and what comes before');
    assert.deepEqual(padding.slice(0, 20), before.slice(0, 20));
  });

  test('does not see how much padding there is', () => {
    for (const build of [causalTransformer, lastOfCausalTransformer]) {
      const short = transformerOf(build);
      const long = transformerOf(build, OPTIONS, [1, 1, 1, 0, 0, 1, 1, 0, 0, 0]);
      const rows = rowsOf(short.given['x'] as number[], 2, 3, 4);
      const x = rows.flatMap((row) => [...row, [9, -8, 7, 6], [5, 4, -3, 2]]).flat();
      const [before, after] = [short, { ...long, given: { ...long.given, x } }].map(valuesOf) as [
        Float64Array,
        Float64Array,
      ];
      if (build === lastOfCausalTransformer) close(after, before);
      else {
        close(after.slice(0, 12), before.slice(0, 12));
        close(after.slice(20, 28), before.slice(12, 20));
      }
    }
  });

  test('has its last state worked out alone, to the same value', async () => {
    for (const [blocks, norm] of [
      [1, 'post'],
      [2, 'post'],
      [2, 'pre'],
      [2, 'code'],
    ] as const) {
      const options = { ...OPTIONS, blocks, norm };
      const alone = transformerOf(lastOfCausalTransformer, options);
      const whole = transformerOf(
        (scope, name, x, mask, of) => lastState(causalTransformer(scope, name, x, mask, of), mask),
        options,
      );
      assert.deepEqual([...alone.scope.parameters.keys()], [...whole.scope.parameters.keys()]);
      close(valuesOf(alone), valuesOf(whole));
      await checkLayer(runtime, alone);
    }
  });

  test('gives finite numbers and gradients where a row has nothing, and a last state of zeros', async () => {
    for (const build of [causalTransformer, lastOfCausalTransformer]) {
      const { scope, output, given, drawn } = transformerOf(build, OPTIONS, [0, 0, 0, 0, 1, 1]); // one row begins with padding
      const by = drawn.map((key) => scope.known(key));
      const outputs: Record<string, Tensor> = { output };
      gradients(nn.scalar(ops.sum(ops.mul(output, output))), by).forEach((tensor, at) => {
        outputs[`by ${drawn[at]}`] = tensor;
      });
      const program = await runtime.compile(outputs);
      const results = await program.run(
        Object.fromEntries(program.inputs.map(({ key }) => [key, Float32Array.from(given[key] as number[])])),
      );
      for (const [key, values] of Object.entries(results)) assert.ok(values.every(Number.isFinite), key);
      if (build === lastOfCausalTransformer) {
        const values = [...(results['output'] as Float32Array)];
        assert.deepEqual(values.slice(0, 4).map(Math.abs), [0, 0, 0, 0]);
        assert.ok(values.slice(4).every((value) => value !== 0));
      }
    }
  });

  test('drops out what attention and feed-forward layers add, and nothing else', () => {
    const scope = new Scope(0.2);
    const [x, mask] = [scope.input('x', [2, 3, 4]), scope.input('mask', [2, 3])];
    causalTransformer(scope, 'blocks', x, mask, OPTIONS);
    assert.deepEqual(
      scope.dropouts.map(({ shape }) => shape),
      Array.from({ length: 4 }, () => [2, 3, 4]),
    );
  });
});

describe('a Transformer within a mask', () => {
  test('lets each position see what the mask of pairs allows', async () => {
    const pairs = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 0, 1, 1, 0, 0]; // two rows of three positions
    const layer = layerOf(
      { x: [2, 3, 4], pairs: [2, 1, 3, 3] },
      (scope, inputs) => maskedTransformer(scope, 'blocks', inputs.x, inputs.pairs, { ...OPTIONS, activation: 'relu' }),
      { pairs },
    );
    const plain = new PlainTransformer(layer.given, OPTIONS);
    const expected = rowsOf(layer.given['x'] as number[], 2, 3, 4).map((row, at) =>
      plain.blocks('blocks', 2, row, (s) => range(3).filter((t) => pairs[9 * at + 3 * s + t] === 1)),
    );
    close(valuesOf(layer), expected.flat(2));
    await checkLayer(runtime, layer);
  });
});

describe('a Transformer decoder', () => {
  test('attends to itself, then to a memory of another length, each within its mask', async () => {
    const [mask, memoryMask] = [MASK, [1, 0, 1, 1]]; // two rows, three positions, a memory of two
    const layer = layerOf(
      { x: [2, 3, 4], mask: [2, 3], memory: [2, 2, 4], memoryMask: [2, 2] },
      (scope, inputs) =>
        transformerDecoder(scope, 'decoder', inputs.x, inputs.mask, inputs.memory, inputs.memoryMask, {
          ...OPTIONS,
          activation: 'relu',
        }),
      { mask, memoryMask },
    );
    const plain = new PlainTransformer(layer.given, OPTIONS);
    const memory = rowsOf(layer.given['memory'] as number[], 2, 2, 4);
    const expected = rowsOf(layer.given['x'] as number[], 2, 3, 4).map((row, at) =>
      plain.decoder('decoder', 2, row, memory[at] as Vector[], {
        own: range(3).filter((t) => mask[3 * at + t] === 1),
        memory: range(2).filter((t) => memoryMask[2 * at + t] === 1),
      }),
    );
    close(valuesOf(layer), expected.flat(2));
    await checkLayer(runtime, layer);
  });
});

describe('attention with a residual', () => {
  test('goes to a memory of another length, by a mask of pairs', async () => {
    const pairs = [1, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1]; // two rows, two positions, a memory of three
    const layer = layerOf(
      { x: [2, 2, 4], memory: [2, 3, 4], pairs: [2, 1, 2, 3] },
      (scope, inputs) =>
        residualAttention(scope, 'cross', inputs.x, inputs.memory, inputs.pairs, { heads: 2, epsilon: 1e-8 }),
      { pairs },
    );
    const plain = new PlainTransformer(layer.given, { heads: 2, epsilon: 1e-8 });
    const memory = rowsOf(layer.given['memory'] as number[], 2, 3, 4);
    const expected = rowsOf(layer.given['x'] as number[], 2, 2, 4).map((row, at) =>
      plain.attention('cross', row, memory[at] as Vector[], (s) =>
        range(3).filter((t) => pairs[6 * at + 3 * s + t] === 1),
      ),
    );
    close(valuesOf(layer), expected.flat(2));
    await checkLayer(runtime, layer);
  });
});

describe('the last state', () => {
  const stateOf = (positions: number, mask: number[]): Layer =>
    layerOf(
      { x: [mask.length / positions, positions, 2], mask: [mask.length / positions, positions] },
      (_, { x, mask: known }) => lastState(x, known),
      { mask },
    );

  test('is that of the last real position, and zero where there is none', async () => {
    const layer = stateOf(3, [1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1]);
    const x = layer.given['x'] as number[];
    assert.deepEqual(
      Array.from(valuesOf(layer), Math.abs),
      [...x.slice(4, 6), ...x.slice(6, 8), 0, 0, ...x.slice(22)].map(Math.abs),
    );
    assert.deepEqual(Array.from(valuesOf(layer).slice(0, 4)), x.slice(4, 8));
    await checkLayer(runtime, layer);
  });

  test('of a single position is that position', () => {
    const layer = stateOf(1, [1, 0]);
    assert.deepEqual(Array.from(valuesOf(layer).slice(0, 2)), (layer.given['x'] as number[]).slice(0, 2));
    assert.deepEqual(Array.from(valuesOf(layer).slice(2), Math.abs), [0, 0]);
  });
});

describe('a filter in the frequency domain', () => {
  const WIDTH = 2;
  const filterOf = (positions: number, from = 0, filter?: number[]): Layer =>
    layerOf(
      { x: [2, positions, WIDTH] },
      (scope, { x }) => frequencyFilter(scope, 'block', x, from),
      filter ? { 'block.filter': filter } : {},
    );
  const binsOf = (positions: number): number => Math.floor(positions / 2) + 1;

  /** By the complex transform of full length, whose upper half mirrors the lower one. */
  function plainFilter(layer: Layer, positions: number): number[] {
    const x = reader(layer.given['x'] as number[], [2, positions, WIDTH]);
    const w = reader(layer.given['block.filter'] as number[], [binsOf(positions), WIDTH, 2]);
    const weight = (bin: number, channel: number): [number, number] => {
      if (bin === 0 || 2 * bin === positions) return [w(bin, channel, 0), 0];
      if (2 * bin < positions) return [w(bin, channel, 0), w(bin, channel, 1)];
      return [w(positions - bin, channel, 0), -w(positions - bin, channel, 1)];
    };
    const times = ([a, b]: [number, number], [c, d]: [number, number]): [number, number] => [
      a * c - b * d,
      a * d + b * c,
    ];
    const unit = (turns: number): [number, number] => [Math.cos(2 * Math.PI * turns), Math.sin(2 * Math.PI * turns)];
    const result: number[] = [];
    for (let row = 0; row < 2; row++)
      for (let t = 0; t < positions; t++)
        for (let channel = 0; channel < WIDTH; channel++) {
          let sum = 0;
          for (let bin = 0; bin < positions; bin++) {
            let spectrum: [number, number] = [0, 0];
            for (let s = 0; s < positions; s++) {
              const [re, im] = unit((-bin * s) / positions);
              spectrum = [spectrum[0] + x(row, s, channel) * re, spectrum[1] + x(row, s, channel) * im];
            }
            sum += times(times(spectrum, weight(bin, channel)), unit((bin * t) / positions))[0];
          }
          result.push(sum / positions);
        }
    return result;
  }

  for (const positions of [15, 16])
    describe(`of ${positions} positions`, () => {
      test('multiplies the discrete Fourier transform', async () => {
        const layer = filterOf(positions);
        assert.deepEqual(layer.scope.parameters.get('block.filter')?.shape, [binsOf(positions), WIDTH, 2]);
        close(valuesOf(layer), plainFilter(layer, positions));
        await checkLayer(runtime, layer);
      });

      test('of ones gives back what it was given', () => {
        const ones = range(binsOf(positions) * WIDTH).flatMap(() => [1, 0]);
        const layer = filterOf(positions, 0, ones);
        close(valuesOf(layer), layer.given['x'] as number[]);
      });

      test('pays no heed to imaginary parts of bins that are real', () => {
        const layer = filterOf(positions);
        const filter = layer.given['block.filter'] as number[];
        const shifted = (bin: number): Float64Array => {
          const values = filter.map((value, at) =>
            Math.floor(at / (2 * WIDTH)) === bin && at % 2 === 1 ? value + 1 : value,
          );
          return valuesOf({ ...layer, given: { ...layer.given, 'block.filter': values } });
        };
        const last = binsOf(positions) - 1;
        assert.deepEqual(shifted(0), valuesOf(layer));
        assert.notDeepEqual(shifted(1), valuesOf(layer));
        if (positions % 2 === 0) assert.deepEqual(shifted(last), valuesOf(layer));
        else assert.notDeepEqual(shifted(last), valuesOf(layer));
      });

      test('gives the last positions alone, to the same values', async () => {
        const whole = filterOf(positions);
        const last = filterOf(positions, positions - 1);
        assert.deepEqual(last.output.shape, [2, 1, WIDTH]);
        const read = reader(valuesOf(whole), [2, positions, WIDTH]);
        close(
          valuesOf(last),
          range(2).flatMap((row) => range(WIDTH).map((channel) => read(row, positions - 1, channel))),
        );
        await checkLayer(runtime, last);
      });
    });

  test('of a single position scales it', () => {
    const layer = filterOf(1);
    const x = layer.given['x'] as number[];
    const filter = layer.given['block.filter'] as number[];
    close(
      valuesOf(layer),
      x.map((value, at) => value * (filter[2 * (at % WIDTH)] as number)),
    );
  });
});
