/**
 * Checkpoints: tensors and a manifest, whole or absent. Knows files; does not know what is trained.
 *
 * A checkpoint `name` is `name.json` (the manifest: format, hash of the tensors' file, any state) and the safetensors
 * file it names. The tensors are written first under a new name, then the manifest is replaced in one rename, then
 * older files are deleted: whenever the process dies, `name.json` names a file that is complete.
 */
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CorruptFileError, hashOf, messageOf, readJson, writeAtomically } from '../base/index.js';
import { type NamedTensor, decodeSafetensors, encodeSafetensors } from './safetensors.js';

const FORMAT = 'sesrec-checkpoint';
const VERSION = 1;

export interface Checkpoint<State> {
  readonly tensors: Map<string, NamedTensor>;
  readonly state: State;
  /** SHA-256 of the tensors' file. */
  readonly sha256: string;
}

/** Writes a checkpoint. `state` must survive JSON. */
export async function saveCheckpoint(
  directory: string,
  name: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  state: unknown,
): Promise<string> {
  const bytes = encodeSafetensors(tensors);
  const sha256 = hashOf(bytes);
  const file = `${name}-${sha256.slice(0, 16)}.safetensors`;
  await writeAtomically(join(directory, file), bytes);
  await writeAtomically(
    join(directory, `${name}.json`),
    `${JSON.stringify({ format: FORMAT, version: VERSION, file, sha256, state }, null, 2)}\n`,
  );
  for (const other of await readdir(directory)) {
    const ours = other.startsWith(`${name}-`) && other.endsWith('.safetensors');
    if ((ours && other !== file) || other.endsWith('.tmp')) await rm(join(directory, other), { force: true });
  }
  return sha256;
}

/** Reads a checkpoint; a missing, damaged or foreign one is a `CorruptFileError` that says so. */
export async function loadCheckpoint<State>(directory: string, name: string): Promise<Checkpoint<State>> {
  const path = join(directory, `${name}.json`);
  const manifest = (await readJson(path)) as {
    format?: unknown;
    version?: unknown;
    file?: unknown;
    sha256?: unknown;
    state?: unknown;
  } | null;
  if (
    manifest?.format !== FORMAT ||
    typeof manifest.file !== 'string' ||
    typeof manifest.sha256 !== 'string' ||
    /[/\\]/.test(manifest.file)
  ) {
    throw new CorruptFileError(`${path} is not a checkpoint manifest of sesrec`);
  }
  if (manifest.version !== VERSION)
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(manifest.version)}, this program reads ${VERSION}`,
    );
  const file = join(directory, manifest.file);
  const bytes = await readFile(file).catch((error: unknown) => {
    throw new CorruptFileError(`the checkpoint ${path} names a file that cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  });
  if (hashOf(bytes) !== manifest.sha256)
    throw new CorruptFileError(
      `${file} is damaged: its content does not match the hash in ${path}; train again, or restore it from a copy`,
    );
  return { tensors: decodeSafetensors(bytes, file), state: manifest.state as State, sha256: manifest.sha256 };
}
