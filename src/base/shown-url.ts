/** Addresses as they may be shown. Knows where passwords stand; does not know what is at an address. */

/** Parameters that tell no secret. */
const SHOWN = ['prefix'];

/** An address without its password, nor anything else that might be one. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return `${text.split(':')[0]}://…`; // where a password ends is anybody's guess
  const url = new URL(text);
  if (url.password !== '') url.password = '…';
  for (const name of url.searchParams.keys()) if (!SHOWN.includes(name)) url.searchParams.set(name, '…');
  return decodeURI(url.href);
}
