/** Which view is shown: the part of the address behind `#`, so that a server needs to know one path only. Does not know views. */
import { signal } from '@preact/signals';

export interface Place {
  /** The view: the first segment, empty at the very beginning. */
  readonly view: string;
  /** What comes behind, decoded: an id that the view is about, mostly. */
  readonly rest: readonly string[];
  readonly query: URLSearchParams;
  /** As it stands in the address. */
  readonly hash: string;
}

/** `#/people/u%201?k=20`; names of any characters survive. */
export function hrefOf(
  view: string,
  rest: readonly string[] = [],
  query: Readonly<Record<string, string>> = {},
): string {
  const path = [view, ...rest].map(encodeURIComponent).join('/');
  const asked = new URLSearchParams(query).toString();
  return `#/${path}${asked === '' ? '' : `?${asked}`}`;
}

function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#?\/?/, '').split('?', 2);
  const [view = '', ...rest] = path.split('/').map(decoded);
  return { view, rest: rest.filter((segment) => segment !== ''), query: new URLSearchParams(query), hash };
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export const place = signal<Place>(placeOf(location.hash));
addEventListener('hashchange', () => (place.value = placeOf(location.hash)));

/** Goes elsewhere. */
export function go(href: string): void {
  location.hash = href;
}

/**
 * Says more closely where somebody is, which leaves no step to go back to. Somebody who has left is not called back: the address changes
 * before the view hears of it.
 */
export function refine(from: Place, href: string): void {
  if (location.hash !== from.hash) return;
  history.replaceState(null, '', href);
  place.value = placeOf(location.hash);
}
