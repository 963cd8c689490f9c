import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLOURS, COLOURS_ON_DARK, DARK, LIGHT } from '../../src/figure/index.js';

type Triple = readonly [number, number, number];
type Matrix = readonly [Triple, Triple, Triple];

/** Linear light of a colour as it is written, #rrggbb. */
const linear = (colour: string): Triple =>
  [1, 3, 5].map((i) => {
    const value = parseInt(colour.slice(i, i + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as unknown as Triple;
const times = (matrix: Matrix, [r, g, b]: Triple): Triple =>
  matrix.map((row) => row[0] * r + row[1] * g + row[2] * b) as unknown as Triple;

/** WCAG 2.2: relative luminance and contrast. */
const luminance = (colour: string): number => {
  const [r, g, b] = linear(colour);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one: string, other: string): number => {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
};

/** What is left of colours: Machado, Oliveira and Fernandes, TVCG 2009, severity 1. */
const VISION: Readonly<Record<string, Matrix>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

/** Ottosson's OKLab, in which distances are about as large as they look. */
function oklab(light: Triple): Triple {
  const clipped = light.map((value) => Math.min(1, Math.max(0, value))) as unknown as Triple;
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    clipped,
  ).map(Math.cbrt) as unknown as Triple;
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

/** The two colours of a palette that are nearest to each other for somebody. */
function nearest(colours: readonly string[]): number {
  return Math.min(
    ...Object.values(VISION).flatMap((matrix) => {
      const seen = colours.map((colour) => oklab(times(matrix, linear(colour))));
      return seen.flatMap((one, i) =>
        seen.slice(0, i).map((other) => Math.hypot(...one.map((value, k) => value - (other[k] as number)))),
      );
    }),
  );
}

test('the ruler: known contrasts, and the nearest two of the palette of Okabe and Ito', () => {
  assert.equal(contrast('#ffffff', '#000000').toFixed(2), '21.00');
  assert.equal(contrast('#777777', '#ffffff').toFixed(2), '4.48', 'the grey that just fails WCAG AA');
  const okabeIto = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
  assert.ok(nearest(okabeIto) > 0.07 && nearest(okabeIto) < 0.08);
});

test('marks stand out from their ground, light and dark, and so does text on what the first two colours fill', () => {
  for (const [colours, { ground, ink, onColour }] of [
    [COLOURS, LIGHT],
    [COLOURS_ON_DARK, DARK],
  ] as const) {
    assert.ok(contrast(ink, ground) >= 7, ink);
    for (const colour of colours) assert.ok(contrast(colour, ground) >= 3, `${colour} on ${ground}`);
    for (const colour of colours.slice(0, 2)) assert.ok(contrast(onColour, colour) >= 4.5, `${onColour} on ${colour}`);
  }
});

test('no two colours look alike to people who see few, less so than with the palette they come from', () => {
  for (const colours of [COLOURS, COLOURS_ON_DARK]) assert.ok(nearest(colours) >= 0.09, `${nearest(colours)}`);
});
