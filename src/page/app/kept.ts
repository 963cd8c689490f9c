/** Texts that a browser keeps for the page. Knows that a browser may forbid it: then they are forgotten with the page. Does not know texts. */

type Area = 'localStorage' | 'sessionStorage';

export function kept(area: Area, name: string): string | null {
  try {
    return globalThis[area].getItem(name);
  } catch {
    return null;
  }
}

export function keep(area: Area, name: string, text: string): void {
  try {
    globalThis[area].setItem(name, text);
  } catch {
    // what the page does with it goes on
  }
}
