/** Reads XML and finds fault: as much of the standard as figures use, strictly. Knows nothing of what stands in it. */
import assert from 'node:assert/strict';

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
/** What must not be in an XML document at all. */
const NOT_XML = /[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/u;
const TAG = /<(\/?)([A-Za-z][\w:-]*)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/y;
const ATTRIBUTE = /([\w:-]+)="([^"]*)"/g;

/** Every element of a well-formed document, in order; anything else fails the test. */
export function elementsOf(xml: string): XmlElement[] {
  assert.doesNotMatch(xml, NOT_XML);
  const elements: XmlElement[] = [];
  const open: string[] = [];
  let position = 0;
  while (position < xml.length) {
    if (xml[position] !== '<') {
      const end = xml.indexOf('<', position);
      const text = xml.slice(position, end === -1 ? xml.length : end);
      unescaped(text);
      if (open.length === 0) assert.equal(text.trim(), '', 'text outside the root');
      position += text.length;
      continue;
    }
    TAG.lastIndex = position;
    const match = TAG.exec(xml);
    assert.ok(match, `no tag: ${xml.slice(position, position + 80)}`);
    const [whole, closes, name = '', attributes = '', isEmpty] = match;
    if (closes) assert.equal(open.pop(), name);
    else {
      if (open.length === 0) assert.equal(elements.length, 0, 'one root');
      const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key = '', value = '']) => [key, unescaped(value)]);
      assert.equal(new Set(pairs.map(([key]) => key)).size, pairs.length, 'an attribute twice');
      elements.push({ name, attributes: Object.fromEntries(pairs) as Record<string, string> });
      if (!isEmpty) open.push(name);
    }
    position += whole.length;
  }
  assert.deepEqual(open, []);
  return elements;
}

function unescaped(text: string): string {
  return text.replaceAll(/&([^;]*);?/g, (whole, name: string) => {
    const [, code] = /^#(\d+)$/.exec(name) ?? [];
    const value = code === undefined ? ENTITIES[name] : String.fromCodePoint(Number(code));
    assert.ok(value !== undefined && whole.endsWith(';'), `a bare ampersand: ${whole.slice(0, 40)}`);
    return value;
  });
}
