/**
 * The page at `/`: files that were built once, kept in memory, with the headers that hold them in. Knows files and headers; does not know
 * what the page shows. A path is looked up among the names that were read at the start, so that none leads elsewhere.
 */
import { readFile, readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { UserError, hashOf } from '../base/index.js';

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
  md: 'text/plain; charset=utf-8',
};
const COMPRESSED_ALREADY = new Set(['woff2']);
const FIRST = 'index.html';
/** Files whose names have a hash of their content lie here. */
const HASHED = 'assets/';

/** Nothing but what this server sends; no markup of anybody's text; nobody frames it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

interface PageFile {
  readonly type: string;
  readonly tag: string;
  readonly caching: string;
  readonly plain: Buffer;
  /** Compresses when it is first asked for; null for what is compressed already. */
  readonly gzipped: (() => Promise<Buffer>) | null;
}

/** Where `npm run build` puts the page. */
const BUILT = fileURLToPath(new URL('../../page', import.meta.url));

/**
 * Serves the files of a folder: `index.html` at `/`, the others by their names.
 * @throws UserError where the page was not built
 */
export async function pageRoutes(app: FastifyInstance, folder: string = BUILT): Promise<void> {
  for (const [name, file] of await read(folder)) {
    app.route({
      method: 'GET',
      url: name === FIRST ? '/' : `/${name}`,
      config: { scope: null },
      schema: { hide: true },
      handler: async (request, reply) => send(file, request, reply),
    });
  }
}

async function read(folder: string): Promise<Map<string, PageFile>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = new Map<string, PageFile>();
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join('/');
    const ending = name.slice(name.lastIndexOf('.') + 1);
    const plain = await readFile(path);
    files.set(name, {
      type: TYPES[ending] ?? 'application/octet-stream',
      tag: `"${hashOf(plain)}"`,
      caching: name.startsWith(HASHED) ? 'public, max-age=31536000, immutable' : 'no-cache',
      plain,
      gzipped: COMPRESSED_ALREADY.has(ending) ? null : once(async () => promisify(gzip)(plain, { level: 9 })),
    });
  }
  if (!files.has(FIRST))
    throw new UserError(`the page is not in ${folder}: build it (npm run build), or serve without it (--page off)`);
  return files;
}

function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | null = null;
  return async () => (made ??= make());
}

/** Sends a file, with what a page needs beside the headers of every answer (server.ts). */
async function send(file: PageFile, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  reply.headers({
    'Cache-Control': file.caching,
    ETag: file.tag,
    Vary: 'Accept-Encoding',
    'Content-Security-Policy': POLICY,
    'X-Frame-Options': 'DENY',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
  });
  if (request.headers['if-none-match'] === file.tag) return reply.code(304).send();
  reply.type(file.type);
  if (file.gzipped && /\bgzip\b/.test(request.headers['accept-encoding'] ?? ''))
    return reply.header('Content-Encoding', 'gzip').send(await file.gzipped());
  return reply.send(file.plain);
}
