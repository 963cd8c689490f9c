/**
 * The door: who may come in, and how many at once. Knows scopes of routes, keys and load; does not know what routes do.
 *
 * It stands before the body is read. A route without a scope of its own does not start.
 */
import { isIP } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { UserError } from '../base/index.js';
import type { Keys } from './keys.js';
import { RequestProblem } from './problems.js';
import { type Service, notReady } from './service.js';

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i;
export const isLoopback = (host: string): boolean => LOOPBACK.test(host);

/** Beyond this machine nobody comes in without a key. */
export function refuseOpenDoor(host: string, keys: Keys, flag: string): void {
  if (keys.isEmpty && !isLoopback(host))
    throw new UserError(
      `--${flag} ${host} can be reached from other machines and there are no keys: make some (sesrec keys FILE --name NAME --scopes recommend,events) and pass --keys FILE, or listen at 127.0.0.1`,
    );
}

/** Guards every route of a server. */
export function guard(app: FastifyInstance, service: Service): void {
  const { keys, metrics, configuration } = service;
  let inFlight = 0;
  app.decorateRequest('caller', null);
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.scope === undefined) throw new Error(`internal error: ${url} does not say who may call it`);
  });
  app.addHook('onRequest', async (request, reply) => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined || scope === null) return;
    if (keys.isEmpty && !isOwnName(request.hostname))
      throw new RequestProblem('forbidden', 'Without keys only requests to this machine by its own name are answered.');
    request.caller = keys.callerOf(request.headers);
    if (!request.caller)
      throw new RequestProblem('unauthenticated', 'Send a key of this server: Authorization: Bearer KEY.');
    if (!request.caller.scopes.has(scope)) throw new RequestProblem('forbidden', `This key lacks the scope ${scope}.`);
    const reason = notReady(service);
    if (reason !== null) throw new RequestProblem('not_ready', reason, { retryAfter: 1 });
    if (inFlight >= configuration.mostInFlight) {
      metrics.shed.inc();
      throw new RequestProblem('overloaded', 'Too many requests are under way; nothing was done.', { retryAfter: 1 });
    }
    inFlight++;
    metrics.inFlight.set(inFlight);
    reply.raw.once('close', () => {
      inFlight--;
      metrics.inFlight.set(inFlight);
    });
  });
}

/** A page of another site that had its own name point to this machine (DNS rebinding) would come with that name. */
const isOwnName = (hostname: string): boolean => isLoopback(hostname) || isIP(hostname.replaceAll(/[[\]]/g, '')) !== 0;
