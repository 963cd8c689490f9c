import { describe, test } from 'node:test';
import { augru, gru } from '../../src/model/layers/recurrent.js';
import { type Layer, checkLayer, close, layerOf, range, reader, total, valuesOf } from '../support/layer-check.js';
import { runtimeForTests } from '../support/runtime.js';

const runtime = runtimeForTests();

const [ROWS, CANDIDATES, POSITIONS, INNER, UNITS] = [2, 3, 4, 3, 2];
/** The first row is full, the second one padded. */
const MASK = [1, 1, 1, 1, 1, 1, 0, 0];
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** What a gate hears: W x + U h with their biases, from the parameters of a layer. */
function heard({ given }: Layer, gate: number, x: readonly number[], h: readonly number[], recalledTimes = 1) {
  const of = (part: string, width: number) => reader(given[`unit.${part}.weight`] as number[], [3 * UNITS, width]);
  const bias = (part: string, unit: number): number => given[`unit.${part}.bias`]?.[gate * UNITS + unit] ?? 0;
  return (unit: number): number => {
    const row = gate * UNITS + unit;
    const input = total(x.map((value, i) => value * of('input', INNER)(row, i))) + bias('input', unit);
    const recalled = total(h.map((value, i) => value * of('recurrent', UNITS)(row, i))) + bias('recurrent', unit);
    return input + recalledTimes * recalled;
  };
}

/** One step of either unit. `take`: how much of the new, by the update gate. */
function step(layer: Layer, x: readonly number[], h: readonly number[], take: (update: number) => number): number[] {
  return range(UNITS).map((unit) => {
    const reset = sigmoid(heard(layer, 0, x, h)(unit));
    const fresh = Math.tanh(heard(layer, 2, x, h, reset)(unit));
    const share = take(sigmoid(heard(layer, 1, x, h)(unit)));
    return (1 - share) * (h[unit] as number) + share * fresh;
  });
}

const inputOf = ({ given }: Layer, row: number, position: number): number[] =>
  range(INNER).map((i) => reader(given['x'] as number[], [ROWS, POSITIONS, INNER])(row, position, i));

describe('the gated recurrent unit', () => {
  for (const bias of [false, true]) {
    const layer = layerOf(
      { x: [ROWS, POSITIONS, INNER], mask: [ROWS, POSITIONS] },
      (scope, { x, mask }) => gru(scope, 'unit', x, mask, UNITS, { bias }),
      { mask: MASK },
    );
    test(`computes what plain loops do, and holds its state at padding (bias ${bias})`, () => {
      const expected = range(ROWS).flatMap((row) => {
        let h = range(UNITS).map(() => 0);
        return range(POSITIONS).flatMap((position) => {
          if (MASK[row * POSITIONS + position] === 1) h = step(layer, inputOf(layer, row, position), h, (z) => 1 - z);
          return h;
        });
      });
      close(valuesOf(layer), expected);
    });
    test(`is differentiated through time (bias ${bias})`, async () => checkLayer(runtime, layer));
  }
});

describe('the unit with attentional update gate', () => {
  const build = (given: Record<string, number[]> = {}): Layer =>
    layerOf(
      { x: [ROWS, POSITIONS, INNER], attention: [ROWS, CANDIDATES, POSITIONS], mask: [ROWS, POSITIONS] },
      (scope, { x, attention, mask }) => augru(scope, 'unit', x, attention, mask, UNITS),
      { mask: MASK, ...given },
    );
  test('computes what plain loops do', () => {
    const layer = build();
    const attention = reader(layer.given['attention'] as number[], [ROWS, CANDIDATES, POSITIONS]);
    const expected = range(ROWS).flatMap((row) =>
      range(CANDIDATES).flatMap((candidate) => {
        let h = range(UNITS).map(() => 0);
        for (const position of range(POSITIONS)) {
          const pace = attention(row, candidate, position);
          if (MASK[row * POSITIONS + position] === 1)
            h = step(layer, inputOf(layer, row, position), h, (z) => pace * z);
        }
        return h;
      }),
    );
    close(valuesOf(layer), expected);
  });
  test('is differentiated through time', async () => checkLayer(runtime, build()));
  test('leaves its state where nothing is attended to', () => {
    const attention = range(ROWS * CANDIDATES * POSITIONS).map(() => 0);
    close(
      valuesOf(build({ attention })),
      range(ROWS * CANDIDATES * UNITS).map(() => 0),
    );
  });
});
