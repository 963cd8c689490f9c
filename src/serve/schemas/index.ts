/** The door of the schemas: every request and answer of /v1, said once. */
export { LIMITS } from './limits.js';
export { PATHS } from './paths.js';
export * from './common.js';
export * from './events.js';
export * from './recommendations.js';
export * from './catalogue.js';
export * from './people.js';
export * from './browsing.js';
export * from './experiments.js';
export * from './operations.js';
