/**
 * A process that writes to a live store until it is killed: `store-writer.js DIRECTORY ROUND [WRITERS]`, three of
 * them unless told. Prints the ids of a batch once it is acknowledged.
 */
import { openLmdbStore } from '../../src/online/index.js';

const [directory, round, writers = '3'] = process.argv.slice(2) as [string, string, string | undefined];
const store = await openLmdbStore(directory);
let made = 0;

async function write(): Promise<never> {
  for (;;) {
    const events = Array.from({ length: 7 }, () => {
      const number = made++;
      return { id: `${round}-${number}`, type: 'view', user: `u${number % 5}`, time: number, item: `i${number % 3}` };
    });
    await store.append(events);
    process.stdout.write(`${events.map(({ id }) => id).join(' ')}\n`);
  }
}

await Promise.all(Array.from({ length: Number(writers) }, write));
