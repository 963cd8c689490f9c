/**
 * The views there are, in the order of the navigation. A view is a module with a component as its default export; it is loaded when it is
 * first gone to. docs/page.md tells how one is added.
 */
import type { View } from './view.js';

export const VIEWS: readonly View[] = [
  { id: 'people', about: 'user', load: async () => import('../views/people/people.js') },
  { id: 'what-if', about: 'user', load: async () => import('../views/what-if/what-if.js') },
  { id: 'catalogue', load: async () => import('../views/catalogue/catalogue.js') },
  { id: 'experiments', load: async () => import('../views/experiments/experiments.js') },
  { id: 'data-health', load: async () => import('../views/data-health/data-health.js') },
  { id: 'operations', load: async () => import('../views/operations/operations.js') },
];
