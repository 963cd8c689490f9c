/** `sesrec analyse thresholds`: Table 4 of the SESRec paper. Knows the thresholds; sweep.ts trains and tells. */
import * as Plot from '@observablehq/plot';
import { COLOURS, drawFigure } from '../../figure/index.js';
import type { Analysis } from './analysis.js';
import { type SweepFlags, type SweepResult, type Variant, sweep, sweepFindings, sweepOptions } from './sweep.js';

const MEAN = 'mean';
const VARIANTS: readonly Variant[] = [
  { label: 'sixteenth', name: '1/16', set: [`threshold=${1 / 16}`], against: MEAN },
  { label: 'eighth', name: '1/8', set: [`threshold=${1 / 8}`], against: MEAN },
  { label: 'median', name: 'median', set: ['threshold="median"'], against: MEAN },
  { label: MEAN, name: MEAN, set: ['threshold="mean"'], against: null },
];

export const thresholdsAnalysis: Analysis<SweepFlags> = {
  name: 'thresholds',
  summary: 'what the threshold between similar and dissimilar matters (Table 4 of the SESRec paper); trains',
  argument: ['data', 'a directory made by sesrec import or simulate'],
  options: sweepOptions(),
  find: async (data, flags, command) => {
    const result = await sweep('thresholds', data, flags, command, VARIANTS);
    return sweepFindings(result, {
      figure: figureOf(result),
      about: `SESRec \`${flags.preset}\` with other thresholds (Table 4 of the paper): an action is similar when its co-attention weight (Eq. 10) is above gamma (Eq. 11, 12), a constant, the median of the history's weights, or their mean, one over the history's length.`,
    });
  },
};

function figureOf({ variants }: SweepResult): string {
  const titles = { sampled: 'among candidates', full: 'among all items' };
  const protocols = ['sampled', 'full'] as const;
  const means = variants.flatMap(({ name, measures }) =>
    protocols.flatMap((protocol) =>
      measures ? [{ name, protocol: titles[protocol], value: measures[protocol]['ndcg@10'].value.mean }] : [],
    ),
  );
  const seeds = variants.flatMap(({ name, row }) =>
    row.seeds.flatMap(({ test }) =>
      protocols.map((protocol) => ({ name, protocol: titles[protocol], value: test[protocol]['ndcg@10'] })),
    ),
  );
  return drawFigure({
    description: `NDCG@10 by threshold: ${means.map(({ name, protocol, value }) => `${name} ${value.toFixed(4)} ${protocol}`).join('; ')}`,
    height: 240,
    marginLeft: 80,
    fx: { label: null, domain: Object.values(titles) },
    x: { label: 'NDCG@10 (mean and seeds)', grid: true, ticks: 4, nice: true },
    y: { label: 'gamma', domain: VARIANTS.map(({ name }) => name) },
    marks: [
      Plot.dot(seeds, { fx: 'protocol', x: 'value', y: 'name', stroke: 'currentColor', strokeOpacity: 0.5, r: 3 }),
      Plot.tickX(means, { fx: 'protocol', x: 'value', y: 'name', stroke: COLOURS[0], strokeWidth: 3 }),
    ],
  });
}
