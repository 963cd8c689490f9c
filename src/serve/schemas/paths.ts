/** Where every route lies. Knows paths only; imports nothing: the client reads it in a browser. */

/** A path segment that holds an id: any UTF-8, percent-encoded. */
const segment = (id: string): string => encodeURIComponent(id);

export const PATHS = {
  recommendations: '/v1/recommendations',
  events: '/v1/events',
  items: '/v1/items',
  users: '/v1/users',
  similar: (item: string): string => `/v1/items/${segment(item)}/similar`,
  interests: (user: string): string => `/v1/users/${segment(user)}/interests`,
  user: (user: string): string => `/v1/users/${segment(user)}`,
  models: '/v1/models',
  activate: '/v1/models/activate',
  rollback: '/v1/models/rollback',
  live: '/health/live',
  ready: '/health/ready',
  openapi: '/openapi.json',
} as const;
