/** A batch of events, from whichever door: what is sound goes to the engine, the rest is told. Knows schemas and times; does not know where a batch came from. */
import { parseInstant } from '../data/index.js';
import type { PlacedEvent } from '../online/index.js';
import { Event, type EventsAnswer, LIMITS, type Rejection } from './schemas/index.js';
import { type Service, engineOf } from './service.js';
import { checkOf, sortBatch } from './validation.js';

/** Clocks differ, but not by more than that. */
const FUTURE_MILLISECONDS = 24 * 3600 * 1000;

const checkEvent = checkOf(Event);

export const inOrder = (rejected: readonly Rejection[]): Rejection[] => rejected.toSorted((a, b) => a.index - b.index);

/** Resolves when what was accepted is durable. A batch that is no list, or too long, is a `RequestProblem`. */
export async function takeEvents(service: Service, batch: unknown): Promise<EventsAnswer> {
  const { metrics } = service;
  const { sound, rejected } = sortBatch(batch, checkEvent, LIMITS.events);
  const placed: PlacedEvent[] = [];
  const now = Date.now();
  for (const { index, value } of sound) {
    const { time = now } = value;
    const instant = typeof time === 'number' ? time : parseInstant(time);
    if (instant === null || instant > now + FUTURE_MILLISECONDS)
      rejected.push({
        index,
        code: 'invalid_time',
        pointer: '/time',
        message: instant === null ? 'is no time of ISO 8601' : 'is more than a day ahead',
      });
    else placed.push({ index, event: { ...value, time: instant } });
  }
  const answer =
    placed.length > 0
      ? await engineOf(service).accept(placed)
      : { accepted: 0, duplicate: 0, rejected: [] as Rejection[] };
  const all = inOrder([...rejected, ...answer.rejected]);
  metrics.events.inc({ result: 'accepted' }, answer.accepted);
  metrics.events.inc({ result: 'duplicate' }, answer.duplicate);
  metrics.events.inc({ result: 'rejected' }, all.length);
  return { ...answer, rejected: all };
}
