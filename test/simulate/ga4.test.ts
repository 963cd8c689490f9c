/** The simulated log as GA4 would export it, imported: every event comes back, and every click finds its search. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Dataset, importLog, loadDataset } from '../../src/data/index.js';
import { EXPORT_FOLDERS, simulateData } from '../../src/simulate/index.js';
import { scratchFolder } from '../data/folders.js';

/** GA4 knows a device until somebody signs in. */
const nameOf = (user: string): string => user.replace('GA1.', '');

/** Every feed event, and every click with the time of its search; as texts, sorted, for comparing. */
function eventsOf(data: Dataset): { feed: string[]; clicks: string[]; led: Set<string> } {
  const [feed, clicks, led] = [[] as string[], [] as string[], new Set<string>()];
  for (let user = 2; user < data.users.ids.length; user++) {
    const name = nameOf(data.users.ids[user] as string);
    for (let at = data.feedOffsets[user] as number; at < (data.feedOffsets[user + 1] as number); at++) {
      const event = `${name} ${data.items.ids[data.feedItem[at] as number]} ${data.feedTime[at]}`;
      feed.push(event);
      const search = data.feedSearch[at] as number;
      if (search >= 0) led.add(`${event} ${data.searchTime[search]}`);
    }
    for (let search = data.searchOffsets[user] as number; search < (data.searchOffsets[user + 1] as number); search++)
      for (let at = data.clickOffsets[search] as number; at < (data.clickOffsets[search + 1] as number); at++)
        clicks.push(`${name} ${data.items.ids[data.clickItem[at] as number]} of ${data.searchTime[search]}`);
  }
  return { feed: feed.sort(), clicks: clicks.sort(), led };
}

test('a simulated site comes back from its GA4 export', async (t) => {
  const folder = await scratchFolder(t);
  const site = join(folder, 'site');
  const options = { users: 80, items: 100, seed: 3, searchSignal: 0.5 };
  await simulateData({ ...options, out: site, as: 'ga4' });
  const { manifest, warnings } = await importLog({
    format: 'auto',
    files: [join(site, EXPORT_FOLDERS.ga4)],
    out: join(folder, 'shop'),
  });
  assert.match(warnings[0] ?? '', /^recognised as ga4: /);
  const [made, imported] = [eventsOf(await loadDataset(site)), eventsOf(await loadDataset(join(folder, 'shop')))];
  assert.ok(made.clicks.length > 300, `${made.clicks.length} clicks`);
  assert.deepEqual(imported.feed, made.feed);
  assert.deepEqual(
    imported.clicks.filter((click) => made.clicks.includes(click)),
    made.clicks,
  );
  assert.deepEqual(
    [...made.led].filter((event) => !imported.led.has(event)),
    [],
    'what a search led to is known',
  );
  assert.equal(manifest.counts[0]?.searches, (await loadDataset(site)).manifest.counts[0]?.searches);
  assert.equal(manifest.read?.rejected, 0);
});
