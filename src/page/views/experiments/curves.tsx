/** Learning curves: a metric of validation epoch by epoch, and the parts of the loss. Knows how they are drawn and said. */
import { wholeTicks } from '../../../figure/ticks.js';
import type { ExperimentAnswer } from '../../../client/index.js';
import { Chart, type Draw } from '../../components/chart.js';
import { texts } from '../../texts/index.js';
import { metricFigure, metricText } from './metrics.js';
import { valueAxis } from './value-axis.js';

const words = texts.experiments;
/** Marks of an axis of epochs. */
const TICKS = 8;
type Curves = ExperimentAnswer['curves'];

/** Lines of one figure that have colours of their own; more are ink, and a panel each. */
const COLOURED = 6;

interface Point {
  readonly epoch: number;
  readonly value: number;
  readonly line: string;
  readonly label: string;
}

interface ValidationChartProps {
  readonly curves: Curves;
  readonly metric: string;
  /** The last epoch that there is room for; null for the last one that there is. */
  readonly planned: number | null;
}

/** What a metric comes to, line by line. Rows are lines of one figure; seeds of a row share its colour. */
export function ValidationChart({ curves, metric, planned }: ValidationChartProps) {
  const labels = [...new Set(curves.map(({ label }) => label))];
  const points = curves.flatMap(({ label, seed, epochs }) =>
    epochs.flatMap(({ epoch, metrics }): Point[] => {
      const value = metrics[metric];
      return value === null || value === undefined ? [] : [{ epoch, value, line: `${label} ${seed}`, label }];
    }),
  );
  const best = curves.flatMap(({ label, seed, epochs }): Point[] => {
    const found = epochs.findLast(({ improved }) => improved);
    const value = found?.metrics[metric];
    return found && value !== null && value !== undefined
      ? [{ epoch: found.epoch, value, line: `${label} ${seed}`, label }]
      : [];
  });
  const ends = labels
    .map((label) => points.findLast((point) => point.label === label))
    .filter((end) => end !== undefined);
  const isColoured = labels.length <= COLOURED;
  const colourOf = (label: string): string =>
    isColoured ? `var(--colour-${labels.indexOf(label) + 1})` : 'var(--ink)';
  const height = labels.length > 1 ? 320 : 260;
  const { domain, tickFormat, room } = valueAxis(
    points.map(({ value }) => value),
    5,
  );
  const draw: Draw = (Plot, width) => {
    const isNarrow = width < 480;
    return Plot.plot({
      width,
      height,
      marginLeft: room,
      marginRight: labels.length === 1 || isNarrow ? 16 : 130,
      marginBottom: 36,
      style: { fontSize: '12px' },
      x: {
        label: `${words.epoch} →`,
        ticks: wholeTicks(planned ?? lastOf(points), TICKS),
        tickFormat: 'd',
        ...(planned === null ? {} : { domain: [1, Math.max(2, planned)] }),
      },
      y: { label: null, grid: true, ticks: 5, nice: true, domain, tickFormat },
      marks: [
        Plot.line(points, {
          x: 'epoch',
          y: 'value',
          z: 'line',
          stroke: ({ label }: Point) => colourOf(label),
          strokeWidth: 1.75,
          strokeOpacity: isColoured ? 1 : 0.55,
        }),
        Plot.dot(points.length < 80 ? points : [], {
          x: 'epoch',
          y: 'value',
          r: 2,
          fill: ({ label }: Point) => colourOf(label),
        }),
        Plot.dot(best, {
          x: 'epoch',
          y: 'value',
          r: 5,
          stroke: ({ label }: Point) => colourOf(label),
          fill: 'var(--ground)',
          strokeWidth: 2,
        }),
        ...(labels.length === 1 || isNarrow
          ? []
          : [
              Plot.text(spread(ends, (15 * (domain[1] - domain[0])) / height), {
                x: 'epoch',
                y: 'at',
                text: 'label',
                fill: 'var(--ink)',
                stroke: 'var(--ground)',
                strokeWidth: 3,
                dx: 10,
                textAnchor: 'start',
              }),
            ]),
        Plot.tip(
          points,
          Plot.pointer({ x: 'epoch', y: 'value', title: tipOf, fill: 'var(--raised)', stroke: 'var(--strong-rule)' }),
        ),
      ],
    });
  };
  const lines = labels.map((label) => {
    const own = points.filter((point) => point.label === label);
    return words.curveEnd(label, own.length, metricFigure(own[0]?.value), metricFigure(own.at(-1)?.value));
  });
  return (
    <>
      {labels.length > 1 && (
        <ul class="legend">
          {labels.map((label) => (
            <li key={label}>
              <span class="line-mark" style={{ background: colourOf(label) }} aria-hidden="true" />
              <bdi>{label}</bdi>
            </li>
          ))}
        </ul>
      )}
      <Chart
        label={words.curveLabel(metricText(metric), lines)}
        height={height}
        draw={draw}
        version={`${metric} ${planned} ${points.map(({ line, epoch, value }) => `${line} ${epoch} ${value}`).join()}`}
      />
    </>
  );
}

const tipOf = ({ line, epoch, value }: Point): string => `${line}\n${words.epoch} ${epoch}\n${metricFigure(value)}`;

/** Labels at the ends of lines, moved apart where they would lie on each other. */
function spread(ends: readonly Point[], least: number): (Point & { readonly at: number })[] {
  let before = -Infinity;
  return ends
    .toSorted((a, b) => a.value - b.value)
    .map((end) => {
      const at = Math.max(end.value, before + least);
      before = at;
      return { ...end, at };
    });
}

/** The parts of the loss of one run, a panel each: they are of different sizes. */
export function LossChart({ epochs }: { readonly epochs: Curves[number]['epochs'] }) {
  const parts = [...new Set(epochs.flatMap(({ losses }) => Object.keys(losses)))];
  const shown = parts.length === 2 ? parts.slice(0, 1) : parts; // one part is the whole
  const nameOf = (part: string): string => words.lossParts[part] ?? part;
  return (
    <div class="losses">
      {shown.map((part, i) => {
        const points = epochs.flatMap(({ epoch, losses }) => {
          const value = losses[part];
          return value === null || value === undefined ? [] : [{ epoch, value }];
        });
        const { domain, tickFormat, room } = valueAxis(
          points.map(({ value }) => value),
          3,
        );
        const draw: Draw = (Plot, width) =>
          Plot.plot({
            width,
            height: 150,
            marginLeft: room,
            marginRight: 10,
            marginBottom: 30,
            style: { fontSize: '12px' },
            x: { label: null, ticks: wholeTicks(lastOf(points), TICKS), tickFormat: 'd' },
            y: { label: null, grid: true, ticks: 3, nice: true, domain, tickFormat },
            marks: [
              Plot.line(points, {
                x: 'epoch',
                y: 'value',
                stroke: i === 0 ? 'var(--ink)' : `var(--colour-${i})`,
                strokeWidth: 1.75,
              }),
              Plot.dot(points.length < 60 ? points : [], {
                x: 'epoch',
                y: 'value',
                r: 2,
                fill: i === 0 ? 'var(--ink)' : `var(--colour-${i})`,
              }),
            ],
          });
        const said = words.curveEnd(
          nameOf(part),
          points.length,
          metricFigure(points[0]?.value),
          metricFigure(points.at(-1)?.value),
        );
        return (
          <figure key={part}>
            <figcaption>{nameOf(part)}</figcaption>
            <Chart
              label={words.lossLabel([said])}
              height={150}
              draw={draw}
              version={points.map(({ epoch, value }) => `${epoch} ${value}`).join()}
            />
          </figure>
        );
      })}
    </div>
  );
}

/** The last epoch that a figure shows. */
const lastOf = (points: readonly { readonly epoch: number }[]): number =>
  Math.max(1, ...points.map(({ epoch }) => epoch));
