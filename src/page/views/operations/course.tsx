/** The last minutes as lines: requests, times, recommendations. Knows how they are drawn and said. */
import type { OperationsAnswer } from '../../../client/index.js';
import { Chart, type Draw } from '../../components/chart.js';
import { numberText, texts } from '../../texts/index.js';

const words = texts.operations;
type Intervals = OperationsAnswer['intervals'];

interface Line {
  readonly name: string;
  readonly colour: string;
  readonly valueOf: (interval: Intervals[number]) => number | null;
}

const perSecond = (count: number, { seconds }: Intervals[number]): number => count / Math.max(seconds, 0.1);

const FIGURES: readonly { readonly title: string; readonly lines: readonly Line[] }[] = [
  {
    title: words.requestsChart,
    lines: [
      { name: words.all, colour: 'var(--ink)', valueOf: (interval) => perSecond(interval.requests, interval) },
      {
        name: words.failedLine,
        colour: 'var(--colour-2)',
        valueOf: (interval) => perSecond(interval.failed + interval.refused, interval),
      },
    ],
  },
  {
    title: words.latencyChart,
    lines: [
      { name: words.half, colour: 'var(--ink)', valueOf: ({ p50 }) => (p50 === null ? null : 1000 * p50) },
      { name: words.most, colour: 'var(--colour-1)', valueOf: ({ p95 }) => (p95 === null ? null : 1000 * p95) },
    ],
  },
  {
    title: words.listsChart,
    lines: [
      { name: words.all, colour: 'var(--ink)', valueOf: (interval) => perSecond(interval.recommendations, interval) },
      {
        name: words.fallbackLine,
        colour: 'var(--colour-2)',
        valueOf: (interval) => perSecond(interval.fallbacks, interval),
      },
    ],
  },
];

export function Course({ intervals }: { readonly intervals: Intervals }) {
  // the newest stretch is not over yet, and a short one jumps
  const whole = intervals.length > 1 ? intervals.slice(0, -1) : [];
  return (
    <section>
      <h2>{words.course}</h2>
      {whole.length < 2 ? (
        <p class="quiet">{words.tooEarly}</p>
      ) : (
        <div class="course">
          {FIGURES.map((figure) => (
            <CourseFigure key={figure.title} {...figure} intervals={whole} />
          ))}
        </div>
      )}
    </section>
  );
}

interface Point {
  readonly time: Date;
  readonly value: number | null;
}

function CourseFigure({ title, lines, intervals }: (typeof FIGURES)[number] & { readonly intervals: Intervals }) {
  const drawn = lines.map(({ name, colour, valueOf }) => ({
    name,
    colour,
    points: intervals.map((interval): Point => ({ time: new Date(interval.time), value: valueOf(interval) })),
  }));
  const draw: Draw = (Plot, width) => {
    const most = Math.max(...drawn.flatMap(({ points }) => points.map(({ value }) => value ?? 0)));
    return Plot.plot({
      width,
      height: 180,
      marginLeft: 44,
      marginRight: 12,
      marginBottom: 36,
      style: { fontSize: '12px' },
      x: { type: 'utc', label: null, ticks: 4 },
      y: { label: null, grid: true, ticks: 4, domain: [0, most || 1], nice: true },
      marks: [
        Plot.ruleY([0], { stroke: 'var(--strong-rule)' }),
        ...drawn.map(({ points, colour }) =>
          Plot.line(points, { x: 'time', y: 'value', stroke: colour, strokeWidth: 1.75 }),
        ),
      ],
    });
  };
  const said = drawn.map(({ name, points }) => {
    const values = points.map(({ value }) => value).filter((value) => value !== null);
    const text = (value: number | undefined): string => numberText(Math.round(10 * (value ?? 0)) / 10);
    return words.chartLabel(name, text(values.at(-1)), text(Math.max(0, ...values)));
  });
  return (
    <figure>
      <figcaption>
        <strong>{title}</strong>
        <ul class="course-legend">
          {lines.map(({ name, colour }) => (
            <li key={name}>
              <span class="line-mark" style={{ background: colour }} aria-hidden="true" />
              {name}
            </li>
          ))}
        </ul>
      </figcaption>
      <Chart
        label={`${title}. ${said.join(' ')}`}
        height={180}
        draw={draw}
        version={`${intervals.length} ${intervals.at(-1)?.time ?? ''}`}
      />
    </figure>
  );
}
