/** The simulator's door. */
export { SIMULATOR_VERSION, simulate, type LogLine, type SimulatorOptions, type Site, type Truth } from './simulate.js';
