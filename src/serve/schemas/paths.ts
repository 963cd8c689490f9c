/** Where every route lies. Knows paths only; imports nothing: the client reads it in a browser. */

/** A path segment that holds an id: any UTF-8, percent-encoded. Dots alone are steps of a path however they are encoded (URL standard). */
function segment(id: string): string {
  if (id === '.' || id === '..') throw new RangeError(`“${id}” is a step of a path: no address can name it`);
  return encodeURIComponent(id);
}

export const PATHS = {
  recommendations: '/v1/recommendations',
  events: '/v1/events',
  items: '/v1/items',
  users: '/v1/users',
  similar: (item: string): string => `/v1/items/${segment(item)}/similar`,
  interests: (user: string): string => `/v1/users/${segment(user)}/interests`,
  user: (user: string): string => `/v1/users/${segment(user)}`,
  people: '/v1/people',
  whatIf: '/v1/what-if',
  catalogueItems: '/v1/catalogue/items',
  catalogueItem: (item: string): string => `/v1/catalogue/items/${segment(item)}`,
  catalogueQueries: '/v1/catalogue/queries',
  catalogueQuery: (query: string): string => `/v1/catalogue/queries/${segment(query)}`,
  experiments: '/v1/experiments',
  experiment: (name: string): string => `/v1/experiments/${segment(name)}`,
  experimentLive: (name: string): string => `/v1/experiments/${segment(name)}/live`,
  experimentReport: (name: string): string => `/v1/experiments/${segment(name)}/report`,
  dataHealth: '/v1/data-health',
  operations: '/v1/operations',
  models: '/v1/models',
  activate: '/v1/models/activate',
  rollback: '/v1/models/rollback',
  shadow: '/v1/models/shadow',
  live: '/health/live',
  ready: '/health/ready',
  openapi: '/openapi.json',
} as const;
