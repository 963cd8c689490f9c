/**
 * Metrics and profiles at an address of their own, which belongs inside the house. Knows Prometheus' text and V8's profiler;
 * does not know the public routes.
 *
 * Heap snapshots are not offered: they would hold what is known of people.
 */
import { Session } from 'node:inspector/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyInstance } from 'fastify';
import { type TObject, Type } from 'typebox';
import { refuseOtherNames } from './access.js';
import { RequestProblem, refuseConnection, tellProblems } from './problems.js';
import type { Service } from './service.js';
import { compileChecks } from './validation.js';

export async function buildAdminServer({ keys, metrics }: Service): Promise<FastifyInstance> {
  const app = Fastify({ logger: false, forceCloseConnections: true, clientErrorHandler: refuseConnection });
  app.setValidatorCompiler(compileChecks);
  tellProblems(app);
  app.addHook('onRequest', async (request) => {
    refuseOtherNames(request, keys);
    const caller = keys.callerOf(request.headers);
    if (!caller?.scopes.has('admin')) throw new RequestProblem('unauthenticated', 'Send a key with the scope admin.');
  });
  app.get('/metrics', async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  const querystring: TObject = Type.Object({ seconds: Type.Integer({ minimum: 1, maximum: 60, default: 10 }) });
  let isProfiling = false;
  app.get<{ Querystring: { seconds: number } }>('/profile', { schema: { querystring } }, async (request, reply) => {
    if (isProfiling) throw new RequestProblem('in_progress', 'A profile is being taken.', { retryAfter: 1 });
    isProfiling = true;
    const session = new Session();
    try {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.start');
      await sleep(request.query.seconds * 1000);
      const { profile } = await session.post('Profiler.stop');
      return await reply.header('Content-Disposition', 'attachment; filename="sesrec.cpuprofile"').send(profile);
    } finally {
      session.disconnect();
      isProfiling = false;
    }
  });
  await app.ready();
  return app;
}
