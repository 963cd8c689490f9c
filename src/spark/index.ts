/** Apache Spark, as an application that runs SQL for us. Knows spark-sql; does not know what is asked of it. The door. */
export { findSpark, type SparkHome } from './find.js';
export { SparkError } from './failure.js';
export { sparkIdentifier, sparkText } from './text.js';
export { type SparkSession, withSpark } from './session.js';
export type { SparkOptions } from './settings.js';
