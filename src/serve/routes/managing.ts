/** Routes for whoever runs it: models listed, activated, rolled back; health. Knows paths; does not know how a model is loaded. */
import { basename } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { RequestProblem } from '../problems.js';
import { addRoute } from '../route.js';
import { ActivateRequest, HealthAnswer, type ModelEntry, ModelsAnswer, PATHS } from '../schemas/index.js';
import { type Service, engineOf, notReady, troublesOf, writeOnce } from '../service.js';

export function managingRoutes(app: FastifyInstance, service: Service): void {
  const { metrics } = service;
  const told = (models: readonly ModelEntry[]): ModelsAnswer => {
    metrics.modelInfo.reset();
    for (const { name, version, state } of models) if (state === 'active') metrics.modelInfo.set({ name, version }, 1);
    return { models: models.map(({ run, ...model }) => ({ ...model, run: basename(run) })) };
  };
  const common = { tag: 'models', scope: 'admin', answer: ModelsAnswer } as const;
  addRoute(app, {
    ...common,
    method: 'GET',
    url: PATHS.models,
    operation: 'listModels',
    summary: 'Models that are loaded, and those that could be',
    answerText: 'The active one, the one before, the shadow, and what is available.',
    handle: async () => told(await engineOf(service).models()),
  });
  addRoute(app, {
    ...common,
    method: 'POST',
    url: PATHS.activate,
    operation: 'activateModel',
    summary: 'Load a run, check it on canaries, and answer with it from then on',
    body: ActivateRequest,
    answerText: 'The models after the switch; the one before is kept.',
    handle: async ({ body, request }) =>
      writeOnce(service, request, async () => told(await engineOf(service).activate(body))),
  });
  addRoute(app, {
    ...common,
    method: 'POST',
    url: PATHS.rollback,
    operation: 'rollbackModel',
    summary: 'Back to the model before',
    answerText: 'The models after the switch.',
    problems: [422],
    handle: async ({ request }) => writeOnce(service, request, async () => told(await engineOf(service).rollback())),
  });
  addRoute(app, {
    ...common,
    method: 'DELETE',
    url: PATHS.shadow,
    operation: 'endShadow',
    summary: 'End the model in the shadow, if there is one',
    answerText: 'The models that are left.',
    problems: [422],
    handle: async ({ request }) => writeOnce(service, request, async () => told(await engineOf(service).endShadow())),
  });
  const health = { method: 'GET', tag: 'health', scope: null, answer: HealthAnswer } as const;
  addRoute(app, {
    ...health,
    url: PATHS.live,
    operation: 'live',
    summary: 'Whether the process answers at all',
    answerText: 'It does.',
    handle: async () => ({ status: 'live' as const }),
  });
  addRoute(app, {
    ...health,
    url: PATHS.ready,
    operation: 'ready',
    summary: 'Whether it may be sent requests',
    answerText: 'It may; impaired says that the store or a model is missing something.',
    problems: [503],
    handle: async () => {
      const reason = service.isDraining ? 'shutting down' : notReady(service);
      if (reason !== null) throw new RequestProblem('not_ready', reason, { retryAfter: 1 });
      const troubles = troublesOf(service);
      // not 503: what ails one server that shares a store often ails all of them, and none would be asked any more
      return troubles.length === 0 ? { status: 'ready' as const } : { status: 'impaired' as const, troubles };
    },
  });
}
