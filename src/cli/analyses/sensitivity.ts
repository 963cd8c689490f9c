/** `sesrec analyse sensitivity`: Figure 5 of the SESRec paper. Knows the weights that are tried; sweep.ts trains and tells. */
import * as Plot from '@observablehq/plot';
import { InvalidArgumentError, Option } from 'commander';
import { COLOURS, drawFigure } from '../../figure/index.js';
import { numbersIn } from '../options.js';
import type { Analysis } from './analysis.js';
import { type SweepFlags, type SweepResult, type Variant, sweep, sweepFindings, sweepOptions } from './sweep.js';

interface SensitivityFlags extends SweepFlags {
  readonly alphas: readonly number[];
  readonly betas: readonly number[];
}

const WEIGHTS = ['alpha', 'beta'] as const;
type Weight = (typeof WEIGHTS)[number];

/** The paper's choice, which the other weight has while one is varied. */
const USUAL: Readonly<Record<Weight, number>> = { alpha: 0.1, beta: 0.001 };
const REFERENCE = 'usual';

const weightsIn = (text: string): readonly number[] => {
  const values = numbersIn(text);
  if (values.length === 0 || values.some((value) => !(value >= 0 && value < Infinity)))
    throw new InvalidArgumentError('give numbers from 0, separated by commas.');
  return values;
};
const weightsOption = (weight: Weight, usual: readonly number[]): Option =>
  new Option(`--${weight}s <numbers>`, `the values of ${weight} that are tried, separated by commas`)
    .argParser(weightsIn)
    .default(usual, usual.join());

export const sensitivityAnalysis: Analysis<SensitivityFlags> = {
  name: 'sensitivity',
  summary: 'what the weights of the two further losses matter, alpha and beta (Figure 5 of the SESRec paper); trains',
  argument: ['data', 'a directory made by sesrec import or simulate'],
  options: [
    weightsOption('alpha', [0, 0.001, 0.01, 0.1, 1]),
    weightsOption('beta', [0, 0.00001, 0.0001, 0.001, 0.01, 0.1]),
    ...sweepOptions(),
  ],
  find: async (data, { alphas, betas, ...flags }, command) => {
    const result = await sweep('sensitivity', data, flags, command, variantsOf({ alpha: alphas, beta: betas }));
    return sweepFindings(result, {
      figure: figureOf(result, { alpha: alphas, beta: betas }),
      about: `SESRec \`${flags.preset}\` with other weights of the alignment loss (alpha, while beta is ${USUAL.beta}) and of the contrast (beta, while alpha is ${USUAL.alpha}), as in Figure 5 of the paper; Eq. 23.`,
    });
  },
};

type Values = Readonly<Record<Weight, readonly number[]>>;

/** The usual weights once, and every other value of each weight. */
function variantsOf(values: Values): Variant[] {
  const others = WEIGHTS.flatMap((weight) =>
    values[weight]
      .filter((value) => value !== USUAL[weight])
      .map((value): Variant => ({
        label: labelOf(weight, value),
        name: `${weight} ${value}`,
        set: WEIGHTS.map((name) => `${name}=${name === weight ? value : USUAL[name]}`),
        against: REFERENCE,
      })),
  );
  const usual = WEIGHTS.map((weight) => `${weight}=${USUAL[weight]}`);
  const name = WEIGHTS.map((weight) => `${weight} ${USUAL[weight]}`).join(', ');
  return [{ label: REFERENCE, name, set: usual, against: null }, ...others];
}

const labelOf = (weight: Weight, value: number): string =>
  value === USUAL[weight] ? REFERENCE : `${weight}-${String(value).replaceAll(/[^0-9a-z]/g, '-')}`;

function figureOf({ variants }: SweepResult, values: Values): string {
  const points = WEIGHTS.flatMap((weight) =>
    [...new Set([...values[weight], USUAL[weight]])]
      .sort((a, b) => a - b)
      .flatMap((value) => {
        const found = variants.find(({ label }) => label === labelOf(weight, value))?.measures?.sampled;
        return (['ndcg@10', 'mrr'] as const).flatMap((metric) =>
          found ? [{ weight, value: String(value), metric: metric.toUpperCase(), mean: found[metric].value.mean }] : [],
        );
      }),
  );
  const steps = WEIGHTS.flatMap((weight) => [
    ...new Set(points.filter((point) => point.weight === weight).map(({ value }) => value)),
  ]);
  const panel = (metric: string, colour: string) => {
    const own = points.filter((point) => point.metric === metric);
    const at = { fx: 'weight', x: 'value', y: 'mean' } as const;
    return [
      Plot.line(own, { ...at, z: 'weight', stroke: colour, strokeWidth: 2 }),
      Plot.dot(own, { ...at, fill: colour }),
      Plot.text(
        own.filter(({ value, weight }) => Number(value) === USUAL[weight]),
        { ...at, text: 'metric', dy: -12, fill: colour },
      ),
    ];
  };
  return drawFigure({
    description: `NDCG@10 and MRR among candidates by the weights alpha and beta: ${points.map(({ weight, value, metric, mean }) => `${weight} ${value} ${metric} ${mean.toFixed(4)}`).join('; ')}`,
    marginLeft: 60,
    fx: { label: null },
    x: {
      label: 'weight of the loss (steps, not to scale)',
      domain: [...new Set(steps)].sort((a, b) => Number(a) - Number(b)),
      type: 'point',
    },
    y: { label: 'among candidates', grid: true, nice: true },
    marks: [...panel('NDCG@10', COLOURS[0]), ...panel('MRR', COLOURS[1])],
  });
}
