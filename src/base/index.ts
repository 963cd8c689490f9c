/** The foundation: errors, randomness, arrays, files. Imports nothing of ours. */
export {
  assert,
  CorruptFileError,
  InterruptedError,
  messageOf,
  NotFiniteError,
  UsageError,
  UserError,
} from './errors.js';
export {
  Largest,
  nthLargest,
  at,
  concatenated,
  copyRows,
  getOrCreate,
  grouped,
  isFiniteEverywhere,
  offsetsOf,
  firstWhere,
  range,
  roundUp,
} from './arrays.js';
export { counted, countOf } from './counts.js';
export { GENERATOR, Random } from './random.js';
export { inTime } from './in-time.js';
export { shownUrl } from './shown-url.js';
export { sideBySide } from './side-by-side.js';
export { solvePositive } from './linear-equations.js';
export { Turns } from './turns.js';
export * as instructions from './instructions.js';
export { type GrowableMemory, LARGEST_MEMORY, PAGE, compileModule, growableMemory, pagesOf } from './webassembly.js';
export {
  isBoth,
  isDictionaryOf,
  isEither,
  isListOf,
  isNotNegative,
  isNumber,
  isOneOf,
  isPositive,
  isProbability,
  isRecordOf,
  isText,
  isTrueOrFalse,
  isWhole,
  type Rule,
} from './rules.js';
export {
  hashFile,
  hashOf,
  isThere,
  readJson,
  refuseExisting,
  replacedIn,
  stageDirectory,
  unpack,
  writeAtomically,
} from './files.js';
export { type Holder, isLocked, refuseIfLocked, releaseLock, takeLock, withLock } from './lock.js';
export { programVersion } from './version.js';
