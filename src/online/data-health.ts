/** What is wrong with the data of a run, worked out once for each data set. Knows `check`; does not know models or who asks. */
import { messageOf, inTime } from '../base/index.js';
import { type CheckReport, checkLog } from '../data/index.js';
import type { DataHealthAnswer, HealthReport } from './inspection.js';

/** Data sets whose report is kept. */
const KEPT = 4;
/** The engine of the check has threads of its own: one, so that rankers keep theirs. */
const THREADS = 1;
const MEGABYTES = 1000;
/** A server that ends waits so long for a check that is under way. */
const LAST_MILLISECONDS = 5000;

type Health = Omit<DataHealthAnswer, 'model'>;

export class DataHealth {
  readonly #known = new Map<string, Health>();
  #underWay: Promise<unknown> = Promise.resolve();

  /** What is known of a data set; that it is being worked out, where nothing is yet. One that failed is tried again. */
  of(hash: string, directory: string): Health {
    const known = this.#known.get(hash);
    if (known) {
      if (known.state === 'failed') this.#known.delete(hash);
      return known;
    }
    const working: Health = { state: 'working', failure: null, report: null };
    this.#keep(hash, working);
    this.#underWay = this.#underWay.then(async () => this.#check(hash, directory)); // one after another
    return working;
  }

  async #check(hash: string, directory: string): Promise<void> {
    const start = performance.now();
    try {
      const report = await checkLog({ files: [directory], threads: THREADS, memory: MEGABYTES });
      this.#keep(hash, { state: 'ready', failure: null, report: told(report, (performance.now() - start) / 1000) });
    } catch (error) {
      this.#keep(hash, { state: 'failed', failure: messageOf(error), report: null });
    }
  }

  #keep(hash: string, health: Health): void {
    this.#known.delete(hash);
    this.#known.set(hash, health);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KEPT) return;
      this.#known.delete(oldest);
    }
  }

  async close(): Promise<void> {
    await inTime(this.#underWay, LAST_MILLISECONDS);
  }
}

function told({ format, facts, timeUnit, findings }: CheckReport, seconds: number): HealthReport {
  return {
    importer: format,
    seconds,
    facts: {
      users: facts.users,
      items: facts.items,
      queries: facts.queries,
      feed: facts.feed,
      searches: facts.searches,
      clicks: facts.clicks,
      from: facts.from,
      to: facts.to,
      events_without_time: facts.eventsWithoutTime,
      users_who_never_search: facts.usersWhoNeverSearch,
      users_who_only_search: facts.usersWhoOnlySearch,
      searches_with_click: facts.searchesWithClick,
      spontaneous_searches: facts.spontaneousSearches,
      passive_searches: facts.passiveSearches,
      sources: Object.entries(facts.sources).map(([source, searches]) => ({ source, searches })),
    },
    time_unit: timeUnit,
    findings: findings.map(({ example: { text, line }, ...finding }) => ({ ...finding, example: { text, line } })),
  };
}
