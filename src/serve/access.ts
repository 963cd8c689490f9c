/**
 * The door: who may come in, and how many at once. Knows scopes of routes, keys and load; does not know what routes do.
 *
 * It stands before the body is read. A route without a scope of its own does not start.
 */
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { UserError } from '../base/index.js';
import { Admission } from './admission.js';
import type { Keys } from './keys.js';
import { RequestProblem } from './problems.js';
import { Rates } from './rates.js';
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

/**
 * Guards every route of a server. What there is too much of is turned away before its body is read; whoever sends a body slowly, or reads an
 * answer slowly, takes nobody's place meanwhile.
 */
export function guard(app: FastifyInstance, service: Service): void {
  const { keys, metrics, configuration } = service;
  const { mostInFlight, threads, keyRate } = configuration;
  const rates = new Rates(keyRate);
  // rankings share threads, writes share commits: too many of one must not keep the others out
  const admissions = {
    questions: new Admission(mostInFlight, threads),
    others: new Admission(mostInFlight, mostInFlight),
  };
  const admissionOf = (scope: string): Admission => admissions[scope === 'recommend' ? 'questions' : 'others'];
  const refuse = (): never => {
    metrics.shed.inc();
    throw new RequestProblem('overloaded', 'Too much to do at the moment; nothing was done.', { retryAfter: 1 });
  };
  app.decorateRequest('caller', null);
  app.addHook('onRoute', ({ url, config }) => {
    if (config?.scope === undefined) throw new Error(`internal error: ${url} does not say who may call it`);
  });
  app.addHook('onRequest', async (request) => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined || scope === null) return;
    refuseOtherNames(request, keys);
    request.caller = keys.callerOf(request.headers);
    if (!request.caller)
      throw new RequestProblem('unauthenticated', 'Send a key of this server: Authorization: Bearer KEY.');
    if (!request.caller.scopes.has(scope)) throw new RequestProblem('forbidden', `This key lacks the scope ${scope}.`);
    const wait = keys.isEmpty ? 0 : rates.wait(request.caller.name);
    if (wait > 0) {
      metrics.limited.inc();
      throw new RequestProblem('too_many', `This key may ask ${keyRate} times a second.`, { retryAfter: wait });
    }
    const reason = notReady(service);
    if (reason !== null) throw new RequestProblem('not_ready', reason, { retryAfter: 1 });
    if (!admissionOf(scope).isOpen) refuse();
  });
  app.addHook('preValidation', async (request, reply) => {
    const { scope } = request.routeOptions.config;
    if (scope === undefined || scope === null) return;
    const admission = admissionOf(scope);
    if (!admission.isOpen) refuse();
    const leave = admission.enter();
    const tell = (): void => metrics.inFlight.set(admissions.questions.underWay + admissions.others.underWay);
    tell();
    request.leave = () => {
      leave();
      tell();
    };
    reply.raw.once('close', request.leave);
  });
  app.decorateRequest('leave', null);
  app.addHook('onSend', async (request) => request.leave?.());
}

/** Without keys, refuses a request that calls this machine by another name than its own. */
export function refuseOtherNames({ hostname }: FastifyRequest, keys: Keys): void {
  if (keys.isEmpty && !isOwnName(hostname))
    throw new RequestProblem('forbidden', 'Without keys only requests to this machine by its own name are answered.');
}

/** A page of another site that had its own name point to this machine (DNS rebinding) would come with that name. */
const isOwnName = (hostname: string): boolean => isLoopback(hostname) || isIP(hostname.replaceAll(/[[\]]/g, '')) !== 0;
