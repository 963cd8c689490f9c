/** Routes for whoever looks: people, "what if", the catalogue. They show people, and ask for the scope admin. Knows paths and bounds. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import { Type } from 'typebox';
import type { Listing } from '../../online/index.js';
import { RequestProblem } from '../problems.js';
import { addRoute } from '../route.js';
import {
  BrowseQuery,
  Id,
  ItemAnswer,
  ItemsAnswer,
  LIMITS,
  PATHS,
  PeopleAnswer,
  PeopleQuery,
  QueriesAnswer,
  QueryAnswer,
  Text,
  WhatIfAnswer,
  WhatIfRequest,
} from '../schemas/index.js';
import { type Service, engineOf, patienceOf } from '../service.js';

/** So long nobody waits for a list or a neighbourhood. */
const PATIENCE_MILLISECONDS = 30_000;

export function inspectingRoutes(app: FastifyInstance, service: Service): void {
  const inspection = () => engineOf(service).inspection;
  const patience = (reply: FastifyReply): AbortSignal => patienceOf(reply, PATIENCE_MILLISECONDS);
  addRoute(app, {
    method: 'GET',
    url: PATHS.people,
    operation: 'listPeople',
    summary: 'People, by part of their ids or by how much is known of them',
    tag: 'people',
    scope: 'admin',
    query: PeopleQuery,
    answer: PeopleAnswer,
    answerText: 'Some of those that are found, and how many there are.',
    problems: [504],
    handle: async ({ query, reply }) => inspection().people(listingOf(query), patience(reply)),
  });
  addRoute(app, {
    method: 'POST',
    url: PATHS.whatIf,
    operation: 'whatIf',
    summary: 'The list as it would be had somebody searched, met or not done something',
    tag: 'people',
    scope: 'admin',
    isQuestion: true,
    body: WhatIfRequest,
    answer: WhatIfAnswer,
    answerText: 'The list with its ranks as things are, and what fell out of it. Nothing is stored.',
    problems: [504],
    handle: async ({ body, reply }) => inspection().whatIf(body, patience(reply)),
  });
  addRoute(app, {
    method: 'GET',
    url: PATHS.catalogueItems,
    operation: 'browseItems',
    summary: 'Items, by part of an id or a title',
    tag: 'catalogue',
    scope: 'admin',
    query: BrowseQuery,
    answer: ItemsAnswer,
    answerText: 'Some of those that are found, and how many there are.',
    problems: [504],
    handle: async ({ query, reply }) => inspection().items(listingOf(query), patience(reply)),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/catalogue/items/:item',
    operation: 'item',
    summary: 'An item: attributes, popularity, what it lies near, what led to it, where it was shown',
    tag: 'catalogue',
    scope: 'admin',
    params: Type.Object({ item: Id('Item.') }),
    answer: ItemAnswer,
    answerText: 'What is known of it.',
    problems: [404, 504],
    handle: async ({ params: { item }, reply }) =>
      (await inspection().item(item, patience(reply))) ?? missing('Nothing is known of this item.'),
  });
  addRoute(app, {
    method: 'GET',
    url: PATHS.catalogueQueries,
    operation: 'browseQueries',
    summary: 'Queries of the run, by part of their text',
    tag: 'catalogue',
    scope: 'admin',
    query: BrowseQuery,
    answer: QueriesAnswer,
    answerText: 'Some of those that are found, and how many there are.',
    problems: [504],
    handle: async ({ query, reply }) => inspection().queries(listingOf(query), patience(reply)),
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/catalogue/queries/:query',
    operation: 'query',
    summary: 'A query of the run: how often, what it lies near, what it led to',
    tag: 'catalogue',
    scope: 'admin',
    params: Type.Object({ query: Text('As typed.', LIMITS.queryLength) }),
    answer: QueryAnswer,
    answerText: 'What is known of it.',
    problems: [404, 504],
    handle: async ({ params: { query }, reply }) =>
      (await inspection().query(query, patience(reply))) ?? missing('The run does not know this query.'),
  });
}

const listingOf = ({ search, limit = 20, offset = 0 }: Partial<Listing>): Listing => ({
  limit,
  offset,
  ...(search === undefined ? {} : { search }),
});

function missing(what: string): never {
  throw new RequestProblem('not_found', what);
}
