/** People: who did what, how the model divides it, and what it recommends for it. */
import { texts } from '../../texts/index.js';

export default function People() {
  return <h1>{texts.views.people}</h1>;
}
