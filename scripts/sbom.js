// The software bill of materials of what is installed with sesrec: CycloneDX, from package-lock.json by npm itself. Development tools are not in it.
// Usage: node scripts/sbom.js [FILE]   standard output unless told
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

const { status, stdout, stderr } = spawnSync(
  'npm',
  ['sbom', '--package-lock-only', '--omit', 'dev', '--sbom-format', 'cyclonedx'],
  { encoding: 'utf8', maxBuffer: 2 ** 26 },
);
if (status !== 0) {
  process.stderr.write(stderr);
  process.exit(1);
}
const [file] = process.argv.slice(2);
if (file === undefined) process.stdout.write(stdout);
else writeFileSync(file, stdout);
