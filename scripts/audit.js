// Known vulnerabilities of what is installed with sesrec, by `npm audit`, and the policy for them (docs/guarantees.md, Doors): a high or critical one
// in a package that comes with sesrec fails; one in development tools, or a lower one, is told. Where no registry answers, that is told
// and does not fail: a build must not depend on somebody else's server.
// An exception is an entry in ACCEPTED with a reason and a day; after that day it fails again.
import { spawnSync } from 'node:child_process';

/** { advisory: 'GHSA-…', because: '…', until: '2026-12-31' } */
const ACCEPTED = [];

const audit = (...flags) => {
  const { stdout } = spawnSync(
    'npm',
    ['audit', '--json', '--package-lock-only', '--fetch-retries', '1', '--fetch-timeout', '20000', ...flags],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    },
  );
  try {
    const answer = JSON.parse(stdout);
    return answer.vulnerabilities ? Object.values(answer.vulnerabilities) : null;
  } catch {
    return null;
  }
};

const all = audit();
const shipped = audit('--omit', 'dev');
if (!all || !shipped) {
  process.stdout.write('audit: no registry answered, so nothing is known; not a failure\n');
  process.exit(0);
}
const today = new Date().toISOString().slice(0, 10);
const advisoriesOf = ({ via }) =>
  via
    .filter((one) => typeof one === 'object')
    .map(({ url = '', title = '' }) => ({ id: url.split('/').at(-1), title }));
const isAccepted = (found) => {
  const advisories = advisoriesOf(found);
  return (
    advisories.length > 0 &&
    advisories.every(({ id }) => ACCEPTED.some(({ advisory, until }) => advisory === id && today <= until))
  );
};
const names = new Set(shipped.map(({ name }) => name));
const failing = shipped.filter((found) => ['high', 'critical'].includes(found.severity) && !isAccepted(found));
for (const found of all) {
  const where = names.has(found.name) ? 'comes with sesrec' : 'development only';
  const what =
    advisoriesOf(found)
      .map(({ id, title }) => `${id} ${title}`)
      .join('; ') || 'by a package that it uses';
  process.stdout.write(`audit: ${found.severity}  ${found.name} (${where}): ${what}\n`);
}
process.stdout.write(`audit: ${all.length} findings, ${failing.length} that fail\n`);
process.exit(failing.length > 0 ? 1 : 0);
