/** The model that answers, as the server said last. Whoever learns which one tells it here; the shell shows it. */
import { signal } from '@preact/signals';
import type { ModelsAnswer } from '../../client/index.js';

type Models = ModelsAnswer['models'];

export const activeIn = (models: Models): Models[number] | null =>
  models.find(({ state }) => state === 'active') ?? null;

export const answering = signal<Models[number] | null>(null);

/** An answer that tells of models, and what it tells. */
export function learned<Answer extends { readonly models: Models }>(answer: Answer): Answer {
  answering.value = activeIn(answer.models);
  return answer;
}
