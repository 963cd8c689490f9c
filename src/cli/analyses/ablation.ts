/** `sesrec analyse ablation`: Table 3 of the SESRec paper. Knows which parts are taken out; sweep.ts trains and tells. */
import * as Plot from '@observablehq/plot';
import { COLOURS, drawFigure } from '../../figure/index.js';
import type { Analysis } from './analysis.js';
import { type SweepFlags, type SweepResult, type Variant, sweep, sweepFindings, sweepOptions } from './sweep.js';

/** Cumulative, as in Table 3, and at last everything but the searches. */
const VARIANTS: readonly Variant[] = [
  {
    label: 'base',
    name: 'base',
    set: ['useAlignment=false', 'useContrast=false', 'useMultiInterest=false'],
    against: null,
  },
  { label: 'alignment', name: '+ alignment', set: ['useContrast=false', 'useMultiInterest=false'], against: 'base' },
  { label: 'contrast', name: '+ contrast', set: ['useMultiInterest=false'], against: 'alignment' },
  { label: 'multi-interest', name: '+ multi-interest (all)', set: [], against: 'contrast' },
  { label: 'search-off', name: 'search off', set: ['useSearch=false'], against: 'multi-interest' },
];

export const ablationAnalysis: Analysis<SweepFlags> = {
  name: 'ablation',
  summary: 'what each part of SESRec brings (Table 3 of the SESRec paper), and the searches altogether; trains',
  argument: ['data', 'a directory made by sesrec import or simulate'],
  options: sweepOptions(),
  find: async (data, flags, command) => {
    const result = await sweep('ablation', data, flags, command, VARIANTS);
    return sweepFindings(result, {
      figure: figureOf(result),
      about: `SESRec \`${flags.preset}\`, part by part (Table 3 of the paper). *base*: both encoders, interests over whole histories, the prediction's loss alone; then with the alignment of queries and items (Eq. 8), with co-attention and the contrast of similar and dissimilar interests (Eq. 16), and with these interests in the prediction (Eq. 18, 19), which is all of SESRec. *search off* is all of it without the search history.`,
    });
  },
};

/** Each step's difference from the one before, with its interval over users. */
function figureOf({ variants }: SweepResult): string {
  const titles = { sampled: 'among candidates', full: 'among all items' };
  const steps = variants.flatMap(({ name, measures }) =>
    (['sampled', 'full'] as const).flatMap((protocol) => {
      const found = measures?.[protocol]['ndcg@10'].difference;
      if (!found) return [];
      const { mean, halfWidth } = found;
      return [{ name, protocol: titles[protocol], mean, low: mean - halfWidth, high: mean + halfWidth }];
    }),
  );
  return drawFigure({
    description: `What each part of SESRec adds to NDCG@10: ${steps.map(({ name, protocol, mean }) => `${name} ${mean.toFixed(4)} ${protocol}`).join('; ')}`,
    height: 240,
    marginLeft: 160,
    fx: { label: null, domain: Object.values(titles) },
    x: { label: 'difference in NDCG@10 from the step before; search off: from all', grid: true, ticks: 4 },
    y: { label: null, domain: VARIANTS.slice(1).map(({ name }) => name) },
    marks: [
      Plot.ruleX([0]),
      Plot.ruleY(steps, { fx: 'protocol', x1: 'low', x2: 'high', y: 'name', stroke: COLOURS[0], strokeWidth: 2 }),
      Plot.dot(steps, { fx: 'protocol', x: 'mean', y: 'name', fill: COLOURS[0], r: 4 }),
    ],
  });
}
