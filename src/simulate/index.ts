/** The simulator's door. */
export { SIMULATOR_VERSION, simulate, type LogLine, type SimulatorOptions, type Site, type Truth } from './simulate.js';
export { LOG_FILE, TRUTH_FILE, readTruth, simulateData } from './write.js';
