/** What is said aloud to people who do not see the page. Knows the one live region of the shell. */
import { signal } from '@preact/signals';

export const announcement = signal('');

/** Says something once, politely; the same text twice is said twice. */
export function announce(text: string): void {
  announcement.value = announcement.peek() === text ? `${text}\u00a0` : text;
}
