import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseHTML } from 'linkedom';
import {
  type TimelineAction,
  curveFigure,
  documentOf,
  given,
  html,
  intervalFigure,
  tableHtml,
  timeFigure,
  timelineHtml,
} from '../../src/report/index.js';
import { elementsOf } from '../support/xml.js';

/** As much of a parsed page as is looked at here. */
interface Found {
  readonly tagName: string;
  readonly textContent: string;
  readonly attributes: readonly { readonly name: string }[];
  getAttribute(name: string): string | null;
  querySelector(selector: string): Found | null;
  querySelectorAll(selector: string): readonly Found[];
}
const parsed = (text: string): Found => parseHTML(text).document;
/** What somebody may have typed, or be called: any text, and what has hurt pages before. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    '</style></svg></title><script>',
    '&lt;b&gt; &amp;amp; &#0; &#x3c;',
    '<!-- -->]]>',
    '\u{202E}gnp.exe',
    'חיפוש מעיל גשם',
    'ب'.repeat(400),
    'W'.repeat(5000),
    '\u{0}\u{8}\u{1b}[31m\u{7f}\u{fffe}',
    '\u{d800}',
    '${process.exit()}',
  ),
);
/** What becomes of text: nothing that no document may hold. */
const kept = (text: string): string =>
  text.replaceAll(
    /[^\t\n\r\u{20}-\u{7E}\u{A0}-\u{D7FF}\u{E000}-\u{FDCF}\u{FDF0}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu,
    '\u{FFFD}',
  );

test('whatever is put into a template stays text, between tags and in attributes', () => {
  fc.assert(
    fc.property(hostile, hostile, (one, other) => {
      const text = html`<p title="${one}">${other}</p>
        <i>${given(one)}</i>`.toString();
      const document = parsed(`<html><body>${text}</body></html>`);
      const all = Array.from(document.querySelectorAll('body *'));
      assert.deepEqual(
        all.map(({ tagName, attributes }) => [tagName, ...[...attributes].map(({ name }) => name)]),
        [['P', 'title'], ['I'], ['BDI']],
      );
      assert.equal(all[0]!.getAttribute('title'), kept(one));
      assert.equal(all[0]!.textContent, kept(other));
      assert.equal(all[2]!.textContent, kept(one));
      assert.doesNotMatch(
        text.replaceAll(/<\/?(p|i|bdi)( title="[^"]*")?>/g, ''),
        /[<>"']/,
        'by characters, whatever a parser thinks',
      );
    }),
    { numRuns: 500 },
  );
});

test('lists, numbers and nothing in a template', () => {
  assert.equal(
    html`<p>${[1, ' & ', html`<b>${2.5}</b>`, [null, false, 'x']]}</p>`.toString(),
    '<p>1 &amp; <b>2.5</b>x</p>',
  );
});

test('a page has no element, attribute or address but its own, whoever the people and items in it are', () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (query, title, label) => {
      const action: TimelineAction = { lane: 'search', title: query, detail: title, time: 0, side: 'similar' };
      const page = documentOf({
        kind: label,
        title,
        lead: query,
        sections: [
          { id: 'one', title: label, body: timelineHtml([action, { ...action, lane: 'feed', side: null }]) },
          {
            id: 'two',
            title: query,
            body: tableHtml({
              label,
              caption: title,
              columns: [
                { title: query, kind: 'text' },
                { title, kind: 'figure' },
              ],
              rows: [{ group: label }, { cells: [query, title] }],
            }),
          },
        ],
      });
      const shape = (text: string): string[] =>
        Array.from(parsed(text).querySelectorAll('*'), ({ tagName, attributes }) =>
          [tagName, ...[...attributes].map(({ name }) => name)].join(' '),
        );
      const calm = documentOf({
        kind: 'k',
        title: 't',
        lead: 'l',
        sections: [
          {
            id: 'one',
            title: 'x',
            body: timelineHtml([
              { ...action, title: 'q', detail: 'd' },
              { ...action, title: 'q', detail: 'd', lane: 'feed', side: null },
            ]),
          },
          {
            id: 'two',
            title: 'y',
            body: tableHtml({
              label: 'l',
              caption: 'c',
              columns: [
                { title: 'a', kind: 'text' },
                { title: 'b', kind: 'figure' },
              ],
              rows: [{ group: 'g' }, { cells: ['1', '2'] }],
            }),
          },
        ],
      });
      assert.deepEqual(shape(page), shape(calm));
      for (const { tagName } of parsed(page).querySelectorAll('script, img, iframe, object, link, base'))
        assert.fail(tagName);
    }),
    { numRuns: 200 },
  );
});

test('figures are well-formed whatever rows are called', () => {
  const rooms = [
    { width: 760, narrow: false },
    { width: 350, narrow: true },
  ];
  fc.assert(
    fc.property(hostile, (label) => {
      const point = { x: 1, y: 0.5 };
      for (const room of rooms) {
        const figures = [
          intervalFigure(
            {
              description: label,
              axis: label,
              rows: [{ label, group: label, mean: 0.5, halfWidth: 0.1, values: [0.4, 0.6] }],
              groups: [label],
              rules: [{ label, value: 0.1 }],
              format: String,
              dot: label,
            },
            room,
          ),
          curveFigure(
            {
              description: label,
              axis: label,
              panels: [{ label, curves: [[point]], marked: [point] }],
              meaning: { curve: label, marked: label },
            },
            room,
          ),
          timeFigure([{ lane: 'feed', title: label, detail: label, time: 1e12, side: null }], room),
        ];
        for (const figure of figures) {
          const names = new Set(elementsOf(figure).map(({ name }) => name));
          for (const name of names)
            assert.ok(
              ['svg', 'style', 'g', 'path', 'text', 'tspan', 'circle', 'rect', 'line', 'title'].includes(name),
              name,
            );
        }
      }
    }),
    { numRuns: 60 },
  );
});

test('a name that has no room is cut, and stands in full in the description', () => {
  const label = 'a-name-that-is-longer-than-a-phone-is-wide-and-longer-than-that';
  const row = { label, group: 'g', mean: 0.5, halfWidth: Number.NaN, values: [] };
  const figure = { description: label, axis: '', rows: [row], groups: ['g'], rules: [], format: String, dot: '' };
  const svg = intervalFigure(figure, { width: 350, narrow: true });
  assert.match(svg, />a-name-[a-z-]{1,20}…</);
  assert.equal(svg.split(label).length, 2, 'once, in the description');
});

test('names of rules that would touch stand one above the other', () => {
  const rows = [{ label: 'a', group: 'g', mean: 0.5, halfWidth: Number.NaN, values: [] }];
  const draw = (values: readonly number[]): string[] => {
    const rules = values.map((value, i) => ({ label: `rule ${i}`, value }));
    const figure = { description: '', axis: '', rows, groups: ['g'], rules, format: String, dot: '' };
    const svg = intervalFigure(figure, { width: 760, narrow: false });
    return [
      ...svg.matchAll(
        /<g [^>]*transform="translate\(0.5,(-[\d.]+)\)"|<g [^>]*transform="translate\(0,(-[\d.]+)\)"[^>]*aria-label="text"|aria-label="text"[^>]*transform="translate\(0,(-[\d.]+)\)"/g,
      ),
    ].map((match) => match.slice(1).find(Boolean) as string);
  };
  const [apart, together] = [draw([0.1, 0.4]), draw([0.1, 0.11])];
  assert.equal(apart.length, 2);
  assert.equal(new Set(apart).size, 1);
  assert.equal(new Set(together).size, 2);
});
