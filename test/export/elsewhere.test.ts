/**
 * The same exported file elsewhere: in Python, in a browser, and in WebAssembly. What is not there is skipped, by name.
 * SESREC_PYTHON names a Python with onnxruntime.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inChromium, openBrowser } from '../support/browser.js';
import { type Exported, exported, furthest } from '../support/exporting.js';
import { everyPreset } from '../support/tiny-model.js';

const PYTHON = process.env['SESREC_PYTHON'] ?? 'python3';
const hasPython = spawnSync(PYTHON, ['-c', 'import onnxruntime, numpy']).status === 0;

const PROGRAM = `
import json, sys
import numpy, onnxruntime
folder = sys.argv[1]
asked = json.load(open(folder + "/asked.json"))
session = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
feeds = {entry["key"]: numpy.array(asked["values"][entry["key"]], dtype=numpy.int32).reshape(entry["shape"]) for entry in asked["inputs"]}
(logits,) = session.run(["logits"], feeds)
print(json.dumps(logits.ravel().astype(float).tolist()))
`;

let folder: string;
let file: Exported;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sesrec-export-'));
  file = await exported({ id: 'sesrec', preset: 'official' });
  await write(file, folder);
});

async function write({ made, inputs }: Exported, directory: string): Promise<void> {
  const values = Object.fromEntries(Object.entries(inputs).map(([key, data]) => [key, [...data]]));
  await writeFile(join(directory, 'model.onnx'), made.bytes);
  await writeFile(join(directory, 'asked.json'), JSON.stringify({ inputs: made.inputs, values }));
}

after(async () => rm(folder, { recursive: true }));

test('Python', { skip: hasPython ? false : `${PYTHON} has no onnxruntime; SESREC_PYTHON names another` }, () => {
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', PROGRAM, folder], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  assert.ok(furthest(JSON.parse(stdout) as number[], file.expected) <= 1e-5);
});

/** What a page, or Node, does with onnxruntime-web. */
const RUN = `async (ort, bytes, asked) => {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const feeds = Object.fromEntries(
    asked.inputs.map(({ key, shape }) => [key, new ort.Tensor('int32', Int32Array.from(asked.values[key]), shape)]),
  );
  const { logits } = await session.run(feeds);
  return Array.from(logits.data);
}`;

/** Those whose files take or hold what others do not; most of them hear words of searches. */
const PARTICULAR = ['fmlp-rec', 'iv4rec', 'nrhub', 'query-seqrec', 'sasrec, searches', 'sesrec, sesrec', 'unisar'];

test('WebAssembly of onnxruntime-web, in Node', async () => {
  const files = [file];
  const folders = [folder];
  for (const entry of everyPreset.filter(({ name }) => PARTICULAR.includes(name))) {
    files.push(await exported(entry));
    folders.push(join(folder, entry.name));
    await mkdir(join(folder, entry.name));
    await write(files.at(-1) as Exported, join(folder, entry.name));
  }
  const program = `
    import * as ort from 'onnxruntime-web/wasm';
    import { readFileSync } from 'node:fs';
    const all = [];
    for (const folder of process.argv.slice(1))
      all.push(await (${RUN})(ort, readFileSync(folder + '/model.onnx'), JSON.parse(readFileSync(folder + '/asked.json', 'utf8'))));
    process.stdout.write(JSON.stringify(all));
  `;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program, ...folders], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  for (const [i, logits] of (JSON.parse(stdout) as number[][]).entries()) {
    const error = furthest(logits, (files[i] as Exported).expected);
    assert.ok(error <= 1e-5, `${folders[i]}: ${error}`);
  }
});

test('a browser', inChromium, async () => {
  const web = fileURLToPath(new URL('../../../node_modules/onnxruntime-web/dist/', import.meta.url));
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://x').pathname;
    if (path === '/') {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>x</title>');
      return;
    }
    const type = path.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
    const inFolder = path === '/model.onnx' || path === '/asked.json';
    readFile(join(inFolder ? folder : web, path)).then(
      (content) => response.setHeader('content-type', type).end(content),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const logits = (await page.evaluate(`(async () => {
      const ort = await import('/ort.wasm.min.mjs');
      const bytes = new Uint8Array(await (await fetch('/model.onnx')).arrayBuffer());
      return (${RUN})(ort, bytes, await (await fetch('/asked.json')).json());
    })()`)) as number[];
    assert.ok(furthest(logits, file.expected) <= 1e-5);
  } finally {
    await browser.close();
    server.close();
  }
});
