/** Routes that ask: recommendations, similar items, somebody's interests. Knows paths and answers; the engine does the rest. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { RequestProblem } from '../problems.js';
import { addRoute } from '../route.js';
import {
  Id,
  InterestsAnswer,
  InterestsQuery,
  LIMITS,
  PATHS,
  RecommendationAnswer,
  RecommendationRequest,
  SimilarAnswer,
} from '../schemas/index.js';
import { type Service, engineOf, patienceOf } from '../service.js';

export function recommendingRoutes(app: FastifyInstance, service: Service): void {
  const { metrics, configuration } = service;
  addRoute(app, {
    method: 'POST',
    url: PATHS.recommendations,
    operation: 'recommend',
    summary: 'What next for a user or a session, with reasons if wanted',
    tag: 'recommend',
    scope: 'recommend',
    body: RecommendationRequest,
    answer: RecommendationAnswer,
    answerText: 'The best items, best first. Somebody unknown gets a list as well: source says what it is.',
    problems: [504],
    handle: async ({ body, request, reply }) => {
      const answer = await engineOf(service).recommend(
        { deadline_ms: configuration.answerTimeout, ...body },
        patienceOf(reply, 2 * (body.deadline_ms ?? configuration.answerTimeout)),
      );
      request.source = answer.source;
      metrics.recommendations.inc({ source: answer.source, degraded: String(answer.degraded) });
      return answer;
    },
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/items/:item/similar',
    operation: 'similarItems',
    summary: 'Items like one item',
    tag: 'recommend',
    scope: 'recommend',
    params: Type.Object({ item: Id('Item.') }),
    query: Type.Object({ k: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.k, default: 10 })) }),
    answer: SimilarAnswer,
    answerText: 'The most similar items, best first.',
    problems: [404, 504],
    handle: async ({ params: { item }, query: { k = 10 }, reply }) => {
      const answer = await engineOf(service).similar(item, k, patienceOf(reply, configuration.answerTimeout));
      if (answer === null) throw new RequestProblem('not_found', 'Nothing is known of this item.');
      return answer;
    },
  });
  addRoute(app, {
    method: 'GET',
    url: '/v1/users/:user/interests',
    operation: 'interests',
    summary: 'What the model sees of a user, and the side that each action lies on',
    tag: 'recommend',
    scope: 'recommend',
    params: Type.Object({ user: Id('User.') }),
    query: InterestsQuery,
    answer: InterestsAnswer,
    answerText: 'The timeline; empty for somebody unknown.',
    problems: [504],
    handle: async ({ params: { user }, query: { affinity = false }, reply }) =>
      engineOf(service).interests(
        user,
        { affinity, most: LIMITS.timeline },
        patienceOf(reply, configuration.answerTimeout),
      ),
  });
}
