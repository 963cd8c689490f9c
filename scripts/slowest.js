// A reporter of Node's test runner: which test files took longest, by the clock, which others share. Knows durations, nothing of results.
const FILES = 12;

export default async function* slowest(events) {
  const seconds = new Map();
  for await (const { type, data } of events) {
    if ((type !== 'test:pass' && type !== 'test:fail') || data.nesting !== 0 || !data.file) continue;
    const file = data.file.replace(/^.*\/dist\/test\//, '').replace(/\.test\.js$/, '');
    seconds.set(file, (seconds.get(file) ?? 0) + data.details.duration_ms / 1000);
  }
  const longest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, FILES);
  if (seconds.size > FILES)
    yield `slowest: ${longest.map(([file, took]) => `${file} ${took.toFixed(0)} s`).join(', ')}\n`;
}
