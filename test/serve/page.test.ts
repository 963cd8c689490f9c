/** The page's files over HTTP: policy, caching, compression, and no way to anything else. */
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { test } from 'node:test';
import { newKey } from '../../src/serve/index.js';
import { PlainEngine } from '../support/plain-engine.js';
import { serve } from '../support/serving.js';

test('the page has a strict policy, is asked for anew, and its parts are kept for ever', async () => {
  await using served = await serve(new PlainEngine());
  const page = await served.ask('GET', '/');
  assert.equal(page.status, 200);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  assert.equal(page.headers.get('cache-control'), 'no-cache');
  const policy = page.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe|https?:|\*/);
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(page.headers.get('referrer-policy'), 'no-referrer');
  assert.doesNotMatch(page.text, /<script(?![^>]* src=)|<style|style=|onload=/, 'nothing is inline');
  const parts = [...page.text.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, path]) => path as string);
  assert.ok(parts.length >= 3);
  for (const part of parts) {
    const { status, headers } = await served.ask('GET', `/${part}`);
    assert.equal(status, 200, part);
    assert.match(headers.get('cache-control') ?? '', /immutable/, part);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
  }
  const again = await served.ask('GET', '/', undefined, { 'if-none-match': page.headers.get('etag') ?? '' });
  assert.deepEqual([again.status, again.text], [304, '']);
});

test('what is compressed is the same', async () => {
  await using served = await serve(new PlainEngine());
  const plain = await served.ask('GET', '/', undefined, { 'accept-encoding': 'identity' });
  const { get } = await import('node:http');
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    get(served.server.url, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
      assert.equal(response.headers['content-encoding'], 'gzip');
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => resolve(Buffer.concat(chunks)));
    }).on('error', reject);
  });
  assert.equal(gunzipSync(bytes).toString(), plain.text);
});

test('only its own files are there, without a key, and none with --page off', async () => {
  const { kept } = newKey('admin', ['admin']);
  await using served = await serve(new PlainEngine(), { keys: { keys: [kept] } });
  assert.equal((await served.ask('GET', '/')).status, 200, 'the page has nothing of anybody in it');
  assert.equal((await served.ask('GET', '/v1/people')).status, 401);
  for (const path of [
    '/assets/',
    '/../package.json',
    '/..%2f..%2fpackage.json',
    '/assets/..%5c..%5cindex.html',
    '/index.html',
  ])
    assert.equal((await served.ask('GET', path)).status, 404, path);
  await using bare = await serve(new PlainEngine(), { page: 'off' });
  assert.equal((await bare.ask('GET', '/')).status, 404);
});
