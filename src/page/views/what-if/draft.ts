/**
 * What would have been done and what would not: kept in this tab for as long as it lives, by person, and nowhere else. Knows steps, how they
 * are asked about and what became of storing them; does not know how they are chosen.
 */
import { signal } from '@preact/signals';
import type { Event, SessionEvent, WhatIfRequest } from '../../../serve/schemas/index.js';
import { randomId } from '../../../client/ids.js';
import { LIMITS } from '../../../serve/schemas/limits.js';

export type Imagined =
  | { readonly type: 'search'; readonly query: string }
  | { readonly type: 'click'; readonly item: string; readonly title: string };

/** Its id is that of the event that it may become: stored twice, it counts once. */
export type Step = Imagined & { readonly id: string };

/** What became of steps that were to be stored, by their ids: under way, failed as a whole, or some of them refused. */
export type Keeping =
  | { readonly state: 'storing'; readonly ids: ReadonlySet<string> }
  | { readonly state: 'failed'; readonly ids: ReadonlySet<string>; readonly error: unknown }
  | { readonly state: 'refused'; readonly stored: number; readonly why: ReadonlyMap<string, string> };

export interface Draft {
  /** Oldest first, behind everything that was really done. */
  readonly added: readonly Step[];
  /** Ordinals of what would not have happened. */
  readonly without: ReadonlySet<number>;
  readonly keeping: Keeping | null;
}

export const NOTHING: Draft = { added: [], without: new Set(), keeping: null };

const drafts = signal<ReadonlyMap<string | null, Draft>>(new Map());

export const draftOf = (user: string | null): Draft => drafts.value.get(user) ?? NOTHING;

export function change(user: string | null, how: (draft: Draft) => Draft): void {
  drafts.value = new Map(drafts.peek()).set(user, how(drafts.peek().get(user) ?? NOTHING));
}

export const isNothing = ({ added, without }: Draft): boolean => added.length === 0 && without.size === 0;

/** With a step behind the others. */
export const withStep = (draft: Draft, step: Imagined): Draft => ({
  ...draft,
  added: [...draft.added, { ...step, id: randomId() }].slice(-LIMITS.sessionEvents),
});

export const withoutStep = (draft: Draft, id: string): Draft => ({
  ...draft,
  added: draft.added.filter((step) => step.id !== id),
});

/** What it is about. */
export const textOf = (step: Imagined): string => (step.type === 'search' ? step.query : step.title);

const eventOf = (step: Imagined): SessionEvent =>
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
export const eventsOf = (user: string, steps: readonly Step[]): Event[] =>
  steps.map((step) => ({ ...eventOf(step), id: step.id, user }));
