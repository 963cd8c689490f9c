/**
 * What would have been done and what would not: kept in this tab for as long as it lives, by person, and nowhere else. Knows steps and how they
 * are asked about; does not know how they are chosen.
 */
import { signal } from '@preact/signals';
import type { Event, SessionEvent, WhatIfRequest } from '../../../serve/schemas/index.js';
import { randomId } from '../../../client/ids.js';

export type Step =
  | { readonly type: 'search'; readonly query: string }
  | { readonly type: 'click'; readonly item: string; readonly title: string };

export interface Draft {
  /** Oldest first, behind everything that was really done. */
  readonly added: readonly Step[];
  /** Ordinals of what would not have happened. */
  readonly without: ReadonlySet<number>;
}

export const NOTHING: Draft = { added: [], without: new Set() };

const drafts = signal<ReadonlyMap<string | null, Draft>>(new Map());

export const draftOf = (user: string | null): Draft => drafts.value.get(user) ?? NOTHING;

export function change(user: string | null, how: (draft: Draft) => Draft): void {
  drafts.value = new Map(drafts.peek()).set(user, how(drafts.peek().get(user) ?? NOTHING));
}

export const isNothing = ({ added, without }: Draft): boolean => added.length === 0 && without.size === 0;

const eventOf = (step: Step): SessionEvent =>
  step.type === 'search' ? { type: 'search', query: step.query } : { type: 'click', item: step.item };

/** The question that a draft is. */
export const questionOf = (user: string | null, { added, without }: Draft, k: number): WhatIfRequest => ({
  ...(user === null ? {} : { user }),
  ...(added.length === 0 ? {} : { session: added.map(eventOf) }),
  ...(without.size === 0 ? {} : { without: [...without] }),
  k,
  explain: true,
  reasons: 1,
});

/** The events that are stored where somebody wants that. */
export const eventsOf = (user: string, { added }: Draft): Event[] =>
  added.map((step) => ({ ...eventOf(step), id: randomId(), user }));
