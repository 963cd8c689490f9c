/** Light or dark: what the system says unless a person says otherwise, which this browser then remembers. */
import { effect, signal } from '@preact/signals';
import { keep, kept } from './kept.js';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEPT_AS = 'sesrec.theme';
const isTheme = (text: string | null): text is Theme => (THEMES as readonly (string | null)[]).includes(text);

const chosen = kept('localStorage', KEPT_AS);
export const theme = signal<Theme>(isTheme(chosen) ? chosen : 'system');
/** Counts changes of colours: what is drawn on a canvas reads it, to be drawn anew. */
export const repaint = signal(0);

effect(() => {
  const { value } = theme;
  const { dataset } = document.documentElement;
  if (value === 'system') delete dataset['theme'];
  else dataset['theme'] = value;
  keep('localStorage', KEPT_AS, value);
  repaint.value = repaint.peek() + 1;
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => repaint.value++);
