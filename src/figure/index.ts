/** The door to figures. */
export { COLOURS, drawFigure, type FigureOptions } from './figure.js';
