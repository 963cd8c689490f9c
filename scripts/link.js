// Makes `npx sesrec` work in the repository itself, at once and offline: puts the program among the installed ones, as
// npm does for every package but the one it stands in. Runs after each build of `npm ci` and `npm install`.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join('node_modules', '.bin');
mkdirSync(folder, { recursive: true });
const link = join(folder, 'sesrec');
rmSync(link, { force: true });
if (process.platform === 'win32') {
  writeFileSync(`${link}.cmd`, '@node "%~dp0\\..\\..\\bin\\sesrec.js" %*\r\n');
} else {
  symlinkSync(join('..', '..', 'bin', 'sesrec.js'), link);
}
