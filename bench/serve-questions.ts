/** What `bench serve` and `bench pressure` ask of a server, made from the run it serves. Knows bodies of requests; does not know who sends or times them. */
import { Random } from '../src/base/index.js';
import { type Dataset, FIRST_INDEX } from '../src/data/index.js';
import { openRun } from '../src/model/index.js';

export interface Subject {
  readonly run: string;
  readonly dataset: Dataset;
  readonly items: number;
}

export async function subjectOf(run: string): Promise<Subject> {
  const { dataset } = await openRun(run);
  return { run, dataset, items: dataset.items.ids.length - FIRST_INDEX };
}

/** Requests for recommendations: users of the log, every other one just searched for something. */
export function requestsOf(dataset: Dataset, count: number, explain = false): string[] {
  const random = new Random('requests');
  const users = dataset.users.ids.slice(FIRST_INDEX);
  const queries = dataset.queries.ids.slice(FIRST_INDEX);
  return Array.from({ length: count }, (_, i) =>
    JSON.stringify({
      user: users[random.integer(users.length)],
      k: 10,
      ...(i % 2 === 1 && queries.length > 0 ? { query: queries[random.integer(queries.length)] } : {}),
      ...(explain ? { explain } : {}),
    }),
  );
}

/** Batches of views. Without ids or times, they count again when they are sent again; `more` says what else each has. */
export function viewsOf(
  dataset: Dataset,
  batches: number,
  atOnce: number,
  more: (batch: number, place: number) => object = () => ({}),
): string[] {
  const random = new Random('events');
  const [users, items] = [dataset.users.ids.slice(FIRST_INDEX), dataset.items.ids.slice(FIRST_INDEX)];
  const view = (batch: number, place: number): object => ({
    type: 'view',
    user: users[random.integer(users.length)],
    item: items[random.integer(items.length)],
    ...more(batch, place),
  });
  return Array.from({ length: batches }, (_, batch) =>
    JSON.stringify(Array.from({ length: atOnce }, (_, place) => view(batch, place))),
  );
}

/** Batches of events that nobody has sent before. */
export function eventsOf(dataset: Dataset, batches: number, atOnce: number): string[] {
  const time = Date.now();
  return viewsOf(dataset, batches, atOnce, (batch, place) => ({ id: `bench-${time}-${batch}-${place}`, time }));
}
