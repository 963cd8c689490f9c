import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as Plot from '@observablehq/plot';
import { COLOURS, COLOURS_ON_DARK, drawFigure } from '../../src/figure/index.js';
import { type XmlElement, elementsOf } from '../support/xml.js';

const points = [
  { x: 1, y: 2, name: 'a < b & "c"' },
  { x: 2, y: 3, name: 'zero \u{0}, half \u{d83d}' },
];
const rootOf = (svg: string): XmlElement => elementsOf(svg)[0] as XmlElement;
const dots = (fill: string) => Plot.dot(points, { x: 'x', y: 'y', fill });

test('a figure is one SVG element, well-formed whatever it is given', () => {
  const description = 'a "quoted" <script> & more\u{1}';
  const svg = drawFigure({
    description,
    marks: [dots(COLOURS[0]), Plot.text(points, { x: 'x', y: 'y', text: 'name' })],
  });
  const root = rootOf(svg);
  assert.equal(root.name, 'svg');
  assert.deepEqual(
    [root.attributes['role'], root.attributes['aria-label']],
    ['img', description.replace('\u{1}', '\u{FFFD}')],
  );
  assert.ok(svg.includes('a &lt; b &amp; "c"'));
  assert.ok(svg.includes('zero \u{FFFD}, half \u{FFFD}'));
});

test('colours are attributes, and others on a dark ground; ink is that of the page, or its own where it is alone', () => {
  const svg = drawFigure({ description: '', marks: [dots(COLOURS[1])] });
  assert.ok(svg.includes(`fill="${COLOURS[1]}"`));
  const [light, dark] = svg.split('@media screen and (prefers-color-scheme: dark)') as [string, string];
  assert.match(light, /svg\.sesrec-figure:root \{ color: #/);
  assert.match(dark, /svg\.sesrec-figure:root \{ color: #/);
  for (const [i, colour] of COLOURS.entries())
    assert.ok(dark.includes(`[fill="${colour}"] { fill: ${COLOURS_ON_DARK[i]}; }`), colour);
});

test('a legend makes room for itself above the figure, in as many rows as it takes', () => {
  const entry = (label: string) => ({ label, colour: COLOURS[0], mark: 'dot' }) as const;
  const sizeOf = (labels: readonly string[]): { height: number; top: number } => {
    const svg = drawFigure({
      description: '',
      width: 300,
      height: 100,
      legend: labels.map(entry),
      marks: [dots('red')],
    });
    const { attributes } = rootOf(svg);
    return { height: Number(attributes['height']), top: Number(attributes['viewBox']?.split(' ')[1]) };
  };
  const none = sizeOf([]);
  const one = sizeOf(['a']);
  const three = sizeOf(['a long label', 'another long label', 'a third long label']);
  assert.deepEqual(none, { height: 100, top: 0 });
  assert.deepEqual(one, { height: 100 - one.top, top: one.top });
  assert.ok(one.top < 0);
  assert.deepEqual(three.height - one.height, 2 * 22, 'a row for each');
});

test('what Plot would put outside its SVG is refused', () => {
  assert.throws(
    () => drawFigure({ description: '', color: { legend: true, type: 'ordinal' }, marks: [dots('name')] }),
    {
      message: /outside its SVG/,
    },
  );
});
