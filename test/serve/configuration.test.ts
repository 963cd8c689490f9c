/** Settings from flags, environment and a file; keys and the refusals of `sesrec serve` on the command line. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { UserError } from '../../src/base/index.js';
import { SETTINGS, configure, variableOf } from '../../src/serve/index.js';
import { put, scratchFolder } from '../data/folders.js';
import { assertRefusal, inProcess } from '../support/command-line.js';

test('flags come before the environment, that before the file, that before defaults', async (t) => {
  const file = await put(await scratchFolder(t), 'serve.json', '{"port":1,"threads":3,"host":"::1"}');
  const { values, origins } = await configure({
    flags: { port: 3 },
    environment: { SESREC_PORT: '2', SESREC_THREADS: '4', SESREC_SHADOW_SHARE: '0.5', SESREC_NOTHING: 'x' },
    file,
  });
  assert.deepEqual(
    [values.port, values.threads, values.host, values.adminPort, values.shadowShare],
    [3, 4, '::1', 8081, 0.5],
  );
  assert.deepEqual(
    [origins.port, origins.threads, origins.host, origins.adminPort],
    ['flag', 'environment', 'file', 'default'],
  );
});

test('every setting has its variable, a default that is sound, and a word of explanation', async () => {
  await configure({ flags: {}, environment: {} });
  assert.equal(variableOf('adminPort'), 'SESREC_ADMIN_PORT');
  for (const [name, { description }] of SETTINGS) {
    assert.ok(description.length > 10, name);
    const { origins } = await configure({
      flags: {},
      environment: { [variableOf(name)]: String((await configure({ flags: {}, environment: {} })).values[name]) },
    });
    assert.equal(origins[name], 'environment');
  }
});

test('a wrong setting is told with where it comes from', async (t) => {
  const folder = await scratchFolder(t);
  const refused = async (given: Partial<Parameters<typeof configure>[0]>, message: RegExp): Promise<void> => {
    await assert.rejects(configure({ flags: {}, environment: {}, ...given }), (error) => {
      assert.ok(error instanceof UserError);
      assert.match(error.message, message);
      return true;
    });
  };
  await refused({ environment: { SESREC_PORT: 'http' } }, /port must be integer.*SESREC_PORT/);
  await refused({ environment: { SESREC_PORT: '70000' } }, /port must be <= 65535.*SESREC_PORT/);
  await refused({ environment: { SESREC_LOG_LEVEL: 'loud' } }, /logLevel must be one of.*SESREC_LOG_LEVEL/);
  await refused({ file: await put(folder, 'a.json', '{"threads":"2"}') }, /threads must be integer.*a\.json/);
  await refused({ file: await put(folder, 'b.json', '{"thread":2}') }, /there is no setting "thread"/);
  await refused({ file: await put(folder, 'c.json', '[]') }, /JSON object/);
});

test('sesrec serve --print-config prints one document; a wrong flag is one line', async () => {
  const { code, out } = await inProcess('serve', 'anything', '--print-config', '--port', '9', '--json');
  assert.equal(code, 0);
  const { settings, origins } = JSON.parse(out) as { settings: { port: number }; origins: { port: string } };
  assert.deepEqual([settings.port, origins.port], [9, 'flag']);
  assertRefusal(await inProcess('serve', 'anything', '--port', 'x'), 2, /whole number/);
  assertRefusal(await inProcess('serve', 'anything', '--log-level', 'loud'), 2, /one of/);
  assertRefusal(await inProcess('serve', '/no/such/run', '--host', '0.0.0.0'), 1, /sesrec keys/);
});

test('sesrec keys shows a key once and keeps its hash', async (t) => {
  const file = join(await scratchFolder(t), 'keys.json');
  const made = await inProcess('keys', file, '--name', 'site', '--scopes', 'recommend, events', '--json');
  assert.equal(made.code, 0, made.err);
  const { key } = JSON.parse(made.out) as { key: string };
  assert.match(key, /^sesrec_[\w-]{43}$/);
  const kept = await readFile(file, 'utf8');
  assert.ok(!kept.includes(key) && !kept.includes(key.slice(7)));
  assertRefusal(await inProcess('keys', file, '--name', 'site', '--scopes', 'events'), 1, /has a key site already/);
  assertRefusal(await inProcess('keys', file, '--name', 'x', '--scopes', 'everything'), 2, /recommend, events/);
  assertRefusal(await inProcess('keys', file, '--name', 'x y', '--scopes', 'events'), 1, /no file of keys/);
  const listed = await inProcess('keys', file);
  assert.equal(listed.out.trim(), 'site  recommend, events');
  assert.equal((await inProcess('keys', file, '--remove', 'site')).out.trim(), 'no keys');
  assertRefusal(await inProcess('keys', file, '--remove', 'site'), 1, /no key site/);
  assertRefusal(
    await inProcess('keys', await put(join(file, '..'), 'bad.json', '{"keys":[{}]}')),
    1,
    /no file of keys/,
  );
});
