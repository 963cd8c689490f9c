/** What it is to be a view of the page. Knows no view. */
import type { ComponentType } from 'preact';
import type { Texts } from '../texts/index.js';
import type { Place } from './routing.js';

export interface ViewProps {
  /** Where in the view: `place.rest` and `place.query` are the view's own. */
  readonly place: Place;
}

export interface View {
  /** The first segment of its address, and its name in `texts.views`. */
  readonly id: keyof Texts['views'];
  /** What its address is about, where another view can be about the same: going there keeps it. */
  readonly about?: 'user';
  readonly load: () => Promise<{ readonly default: ComponentType<ViewProps> }>;
}
