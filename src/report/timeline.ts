/**
 * What one person did, in two lanes: as a list downwards in time, searches to the left and the feed to the right, and as a figure against
 * the clock. Knows lanes and sides; does not know data sets or models.
 */
import * as Plot from '@observablehq/plot';
import { COLOURS, type LegendMark, drawFigure } from '../figure/index.js';
import type { Room } from './figure.js';
import { type Content, type Html, given, html } from './html.js';

/** Which side of SESRec's split an action lies on; null where no model says. */
export type ActionSide = 'similar' | 'dissimilar' | null;

export interface TimelineAction {
  readonly lane: 'search' | 'feed';
  /** A query, or what was met. */
  readonly title: string;
  /** What else there is to tell, such as what was clicked. */
  readonly detail: string | null;
  /** Milliseconds since 1970; null where the log does not tell. */
  readonly time: number | null;
  readonly side: ActionSide;
}

/** The actions, oldest first, as a list in two lanes. */
export function timelineHtml(actions: readonly TimelineAction[]): Html {
  return html`<ol class="timeline">
    <li class="titles" aria-hidden="true">
      <span class="search">searched</span><span class="axis"></span><span class="feed">met in the feed</span>
    </li>
    ${actions.map(actionHtml)}
  </ol> `;
}

function actionHtml({ lane, title, detail, time, side }: TimelineAction): Html {
  const verb = lane === 'search' ? 'searched' : 'met';
  const [here, there] = lane === 'search' ? ['search', 'feed'] : ['feed', 'search'];
  return html`<li>
    <div class="${here} what">
      <span class="heard">${verb}${side !== null && `, ${side}`}: </span
      ><span class="title">${given(title)}</span>${detail !== null && html`<small>${given(detail)}</small>`}
    </div>
    <span class="axis"><span class="side ${side ?? 'none'}" title="${side ?? 'no side'}"></span></span
    ><small class="${there} when">${time !== null && timeHtml(time)}</small>
  </li> `;
}

function timeHtml(time: number): Content {
  const [date = '', clock = ''] = new Date(time).toISOString().split('T');
  const minutes = clock.slice(0, 5);
  return html`<time datetime="${date}">${minutes === '00:00' ? date : `${date} ${minutes}`}</time>`;
}

/** How sides are drawn: not by colour alone. */
const SIDES: readonly { side: string; colour: string; symbol: string; mark: LegendMark }[] = [
  { side: 'similar', colour: COLOURS[0], symbol: 'circle', mark: 'dot' },
  { side: 'dissimilar', colour: COLOURS[1], symbol: 'diamond', mark: 'diamond' },
  { side: 'no side', colour: 'currentColor', symbol: 'circle', mark: 'faint' },
];
const LANES = { search: 'searches', feed: 'feed' } as const;

/** The actions whose time is known, against the clock. */
export function timeFigure(actions: readonly TimelineAction[], { width, narrow }: Room): string {
  const drawn = actions.flatMap(({ lane, time, side }) =>
    time === null ? [] : [{ lane: LANES[lane], time: new Date(time), side: side ?? 'no side' }],
  );
  const sides = SIDES.filter(({ side }) => drawn.some((action) => action.side === side));
  const count = (lane: string): number => drawn.filter((action) => action.lane === lane).length;
  return drawFigure({
    description: `${count('searches')} searches and ${count('feed')} feed events of one person against time; the list below has each of them in words`,
    legend: sides.map(({ side, colour, mark }) => ({ label: side, colour, mark })),
    width,
    height: 120,
    marginLeft: 66,
    marginRight: 16,
    x: { type: 'utc', label: null, ticks: narrow ? 3 : 6, tickFormat: clock, inset: 8 },
    y: { label: null, domain: Object.values(LANES), tickSize: 0 },
    color: { domain: sides.map(({ side }) => side), range: sides.map(({ colour }) => colour) },
    symbol: { domain: sides.map(({ side }) => side), range: sides.map(({ symbol }) => symbol) },
    marks: [
      Plot.ruleY(Object.values(LANES), { stroke: 'currentColor', strokeOpacity: 0.2 }),
      Plot.dot(drawn, { x: 'time', y: 'lane', fill: 'side', symbol: 'side', r: 4.5, fillOpacity: 0.8 }),
    ],
  });
}

/** A date, or the time of a day. */
function clock(time: Date): string {
  const [date = '', rest = ''] = time.toISOString().split('T');
  return rest.startsWith('00:00') ? date : rest.slice(0, 5);
}
