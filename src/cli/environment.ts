/** Where a result was made: versions and machine. Knows how each is found; does not know what was computed. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { programVersion } from '../base/index.js';

export interface Environment {
  readonly versions: {
    readonly sesrec: string;
    /** The commit, with `-dirty` where files were changed; null where the program does not run from a git checkout. */
    readonly commit: string | null;
    readonly node: string;
    readonly 'onnxruntime-node': string | null;
    readonly '@duckdb/node-api': string | null;
  };
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly memoryBytes: number;
    readonly platform: string;
    readonly arch: string;
  };
}

let known: Environment | undefined;

/** The same all the while a process runs. */
export function environment(): Environment {
  known ??= {
    versions: {
      sesrec: programVersion(),
      commit: commit(),
      node: process.version,
      'onnxruntime-node': versionOf('onnxruntime-node'),
      '@duckdb/node-api': versionOf('@duckdb/node-api'),
    },
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      platform: process.platform,
      arch: process.arch,
    },
  };
  return known;
}

/** The most memory that this process has held so far. */
export function peakMemoryBytes(): number {
  return 1024 * process.resourceUsage().maxRSS;
}

function commit(): string | null {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  if (!existsSync(join(root, '.git'))) return null; // an installed package may lie inside somebody else's repository
  try {
    const args = ['-C', root, 'describe', '--always', '--dirty', '--abbrev=40', '--exclude', '*'];
    return execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return null;
  }
}

/** A package may hide its package.json from `require`, so it is looked for where packages lie. */
function versionOf(name: string): string | null {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const path = join(folder, name, 'package.json');
    if (existsSync(path)) return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  }
  return null;
}
