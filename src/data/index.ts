/** The data wing's door. */
export * from './schema.js';
