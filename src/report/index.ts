/** The door to reports: how a page is put together. What it says is the business of its caller. */
export { type CurveFigure, curveFigure, type Panel, type Point } from './curves.js';
export { figureHtml, type Room } from './figure.js';
export { type Content, given, Html, html } from './html.js';
export { type IntervalFigure, intervalFigure, type IntervalRow } from './intervals.js';
export { documentOf, type Page, type Section } from './page.js';
export { type Column, grouped, type Row, type Table, tableHtml } from './table.js';
export { type ActionSide, timeFigure, type TimelineAction, timelineHtml } from './timeline.js';
