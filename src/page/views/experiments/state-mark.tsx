/** Whether something trains, has ended, or was stopped: a shape and a word. */
import type { ExperimentEntry } from '../../../client/index.js';
import { texts } from '../../texts/index.js';

export function StateMark({ state }: { readonly state: ExperimentEntry['state'] }) {
  return (
    <span class={`state ${state}`}>
      <span class="state-mark" aria-hidden="true" />
      {texts.experiments.states[state]}
    </span>
  );
}
