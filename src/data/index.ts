/** The data wing's door. */
export * from './schema.js';
export { TEXT_RULES, normaliseQuery, splitWords, vocabularyOf } from './vocabulary.js';
export { knownWords } from './unseen-queries.js';
export { withSearch, type ImaginedSearch } from './what-if.js';
export { asKnownBy } from './known.js';
export { linkDataset, loadDataset, readManifest } from './load.js';
export { partition, type SplitRequest } from './split.js';
export { type FileColumnType, rowsIn, writeRows } from './write-rows.js';
export { importInteractions, type InteractionsOptions } from './sources/interactions.js';
export type { ImportOptions, ImportResult, SparkImport, WrittenLog } from './sources/import-options.js';
export { ACTION_TYPES, IGNORED_TYPES, isActionType } from './sources/event-types.js';
export { TIME_UNITS, parseInstant, type TimeUnit } from './sources/times.js';
export { importEvents, importGenerated, importLog, type EventsOptions, type LogOptions } from './sources/log.js';
export { FORMATS } from './sources/formats/index.js';
export { importS3rec, type S3recOptions } from './sources/s3rec.js';
export { checkLog, type CheckOptions, type CheckReport, type Finding, type LogFacts } from './check/check.js';
