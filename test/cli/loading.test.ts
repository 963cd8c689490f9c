/** A command loads what it needs: a server has no figures, a training no server. Everything together takes a second before anything happens. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { BIN } from '../support/command-line.js';

const script = (code: string): string => `data:text/javascript,${encodeURIComponent(code)}`;
const HOOKS = script(
  'export async function load(url, context, next) { process._rawDebug("loaded " + url); return next(url, context); }',
);
const LISTEN = script(`import { register } from 'node:module'; register(${JSON.stringify(HOOKS)});`);

/** The packages, and the floors of ours, that a call loads. */
async function loadedBy(...args: readonly string[]): Promise<Set<string>> {
  const { stderr } = await promisify(execFile)(process.execPath, ['--import', LISTEN, BIN, ...args], {
    maxBuffer: 2 ** 26,
  });
  const names = stderr.matchAll(/^loaded file:.*\/(?:node_modules\/((?:@[^/]+\/)?[^/]+)|dist\/src\/([a-z]+))\//gm);
  return new Set(Array.from(names, ([, ofOthers, own]) => ofOthers ?? own ?? ''));
}

const RARE = ['@redis/client', '@opentelemetry/api', '@nats-io/transport-node', '@observablehq/plot', 'linkedom'];

test('each command loads its own', async () => {
  const [version, train, serve, report, help] = await Promise.all([
    loadedBy('--version'),
    loadedBy('train', '--help'),
    loadedBy('serve', '--help'),
    loadedBy('report', '--help'),
    loadedBy('--help'),
  ]);
  assert.deepEqual([...version].sort(), ['base', 'cli', 'commander']);
  for (const name of [...RARE, 'fastify', 'serve', 'online']) assert.ok(!train.has(name), `train loads ${name}`);
  for (const name of RARE) assert.ok(!serve.has(name), `serve loads ${name}`);
  // what is looked for is found where it is needed
  assert.ok(train.has('train') && serve.has('fastify') && report.has('@observablehq/plot') && report.has('linkedom'));
  for (const name of ['train', 'serve', 'report', 'simulate']) assert.ok(help.has(name), `the help lacks ${name}`);
});
