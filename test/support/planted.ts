/** The planted log, for tests: a log whose right answer is known. */
export { type PlantedOptions, plantedQuery, writePlantedLog } from '../../src/data/index.js';
