/** The door to figures. */
export { COLOURS, COLOURS_ON_DARK, DARK, LIGHT } from './colours.js';
export { drawFigure, type FigureOptions } from './figure.js';
export type { LegendEntry, LegendMark } from './legend.js';
export { wholeTicks } from './ticks.js';
