/** Elements of SVG. Knows the document that a figure is drawn in; does not know figures. */

/** As much of an element as is used here: the program is compiled without the types of browsers. */
export interface Drawn {
  textContent: string | null;
  readonly tagName: string;
  readonly outerHTML: string;
  readonly classList: { add(name: string): void };
  readonly ownerDocument: { createElementNS(namespace: string, name: string): Drawn };
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  append(...children: readonly Drawn[]): void;
  prepend(...children: readonly Drawn[]): void;
}

/** A new element of SVG, for the document of a figure. */
export function create(figure: Drawn, name: string, attributes: Readonly<Record<string, string>> = {}): Drawn {
  const element = figure.ownerDocument.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}
