/** What if: how recommendations would move had somebody done something else. */
import { texts } from '../../texts/index.js';

export default function WhatIf() {
  return <h1>{texts.views['what-if']}</h1>;
}
