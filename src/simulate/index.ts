/** The simulator's door. */
export { SIMULATOR_VERSION, simulate, type LogLine, type SimulatorOptions, type Site, type Truth } from './simulate.js';
export {
  EXPORT_FOLDERS,
  LOG_FILE,
  TRUTH_FILE,
  readTruth,
  simulateData,
  type ExportFormat,
  type SimulateOptions,
} from './write.js';
