/** Names of lists of items, as sites call them. Knows one word; does not know any format. */

/** Whether a list shows the results of a search: its name or id has "search" in it. */
export function isSearchList(name: string | null): boolean {
  return name !== null && name.toLowerCase().includes('search');
}
