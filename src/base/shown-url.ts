/** Addresses as they may be shown. Knows where passwords stand; does not know what is at an address. */

/** Parameters that tell no secret. */
const SHOWN = ['prefix'];
const HIDDEN = '…';

/** An address without its password, nor anything else that might be one. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return `${text.split(':')[0]}://…`; // where a password ends is anybody's guess
  const url = new URL(text);
  if (url.password !== '') url.password = HIDDEN;
  else if (url.username !== '') url.username = HIDDEN; // a token
  for (const name of url.searchParams.keys()) if (!SHOWN.includes(name)) url.searchParams.set(name, HIDDEN);
  return url.href.replaceAll(encodeURI(HIDDEN), HIDDEN);
}
