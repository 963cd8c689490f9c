/**
 * Checkpoints: tensors and a manifest, whole or absent. Knows files; does not know what is trained.
 *
 * A checkpoint `name` is `name.json` (the manifest: format, hash of the tensors' file, the state and its hash) and the
 * safetensors file it names. One that keeps a reserve also has `name.previous.json`, the manifest before. The order of
 * writing is: new tensors under a new name, the sound manifest becomes the reserve, the new manifest, each in one
 * rename. Whenever the process dies, `name.json` names a complete file. Tensors that no manifest names are deleted before, since a full disk may
 * have left some, and after.
 */
import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CorruptFileError,
  UserError,
  hashFile,
  hashOf,
  isFiniteEverywhere,
  isThere,
  messageOf,
  readJson,
  writeAtomically,
} from '../../base/index.js';
import { type NamedTensor, safetensorsParts } from './safetensors.js';
import { TensorFile } from './tensor-file.js';

const FORMAT = 'sesrec-checkpoint';
/** 2 has the hash of the state; 1, which has not, is read too. */
const VERSION = 2;

/** What a checkpoint says, without its tensors. */
export interface CheckedCheckpoint<State> {
  readonly state: State;
  /** SHA-256 of the tensors' file. */
  readonly sha256: string;
}

export interface Checkpoint<State> extends CheckedCheckpoint<State> {
  readonly tensors: Map<string, NamedTensor>;
}

/** A checkpoint, and why it is the reserve and not the last one: null when it is the last one. */
export interface Recovered<State> {
  readonly checkpoint: Checkpoint<State>;
  readonly damage: string | null;
}

interface Manifest {
  readonly file: string;
  readonly sha256: string;
  readonly state: unknown;
}

export const reserveOf = (name: string): string => `${name}.previous`;

/** The name of the first tensor with NaN or infinity in it, null when all are finite. */
export function firstNotFinite(tensors: ReadonlyMap<string, NamedTensor>): string | null {
  for (const [name, { data }] of tensors) if (!isFiniteEverywhere(data)) return name;
  return null;
}

/**
 * Writes a checkpoint. `state` must survive JSON. With `reserve`, the one before it is kept, if it is sound. A tensor
 * that is not finite is a `UserError`, and nothing is written.
 */
export async function saveCheckpoint(
  directory: string,
  name: string,
  tensors: ReadonlyMap<string, NamedTensor>,
  state: unknown,
  { reserve = false }: { reserve?: boolean } = {},
): Promise<string> {
  const broken = firstNotFinite(tensors);
  if (broken !== null)
    throw new UserError(`${join(directory, name)} was not saved: ${broken} holds values that are not finite`);
  const sha256 = hashOf(...safetensorsParts(tensors));
  const file = `${name}-${sha256.slice(0, 16)}.safetensors`;
  await sweep(directory, name);
  const current = reserve ? await soundManifest(directory, name) : null;
  await writeAtomically(join(directory, file), safetensorsParts(tensors));
  // Equal tensors, as after the last step of an epoch and after its validation, share a file: no reserve for each other.
  if (current && current.file !== file) await writeAtomically(join(directory, `${reserveOf(name)}.json`), current.text);
  await writeAtomically(
    join(directory, `${name}.json`),
    `${JSON.stringify({ format: FORMAT, version: VERSION, file, sha256, stateSha256: hashOfState(state), state }, null, 2)}\n`,
  );
  await sweep(directory, name);
  return sha256;
}

/** Deletes tensors of a checkpoint that neither its manifest nor the one in reserve names, and what writing left half done. */
async function sweep(directory: string, name: string): Promise<void> {
  const named = await Promise.all(
    [name, reserveOf(name)].map(async (which) =>
      (await isThere(join(directory, `${which}.json`))) ? readManifest(directory, which).catch(() => null) : undefined,
    ),
  );
  const isToldApart = named[0] !== null; // a damaged manifest may name anything; a reserve that cannot be read is none
  const files = new Set(named.map((manifest) => manifest?.file));
  for (const other of await readdir(directory)) {
    const isOurs = other.startsWith(`${name}-`) && other.endsWith('.safetensors');
    if ((isOurs && isToldApart && !files.has(other)) || other.endsWith('.tmp'))
      await rm(join(directory, other), { force: true });
  }
}

/** Reads a checkpoint; a missing, damaged or foreign one is a `CorruptFileError` that says so. */
export async function loadCheckpoint<State>(directory: string, name: string): Promise<Checkpoint<State>> {
  const { path, ...checked } = await checkCheckpoint<State>(directory, name);
  await using tensors = await TensorFile.open(path);
  return { tensors: await tensors.tensors(), ...checked };
}

/** The same without the tensors, of whose file, at `path`, the hash is looked at: a table need not fit into memory once more. */
export async function checkCheckpoint<State>(
  directory: string,
  name: string,
): Promise<CheckedCheckpoint<State> & { readonly path: string }> {
  const { file, sha256, state } = await readManifest(directory, name);
  const path = join(directory, file);
  const found = await hashFile(path).catch((error: unknown) => {
    throw new CorruptFileError(
      `the checkpoint ${join(directory, name)}.json names a file that cannot be read: ${messageOf(error)}`,
      { cause: error },
    );
  });
  if (found !== sha256)
    throw new CorruptFileError(
      `${path} is damaged: its content does not match the hash in ${join(directory, name)}.json; train again, or restore it from a copy`,
    );
  return { path, state: state as State, sha256 };
}

/**
 * Reads a checkpoint, or the one in reserve where it is damaged or fails `check`. Null when there never was one. Both
 * damaged: one `CorruptFileError` that tells of both.
 */
export async function loadOrRecover<State>(
  directory: string,
  name: string,
  check: (checkpoint: Checkpoint<State>, where: string) => void,
): Promise<Recovered<State> | null> {
  const read = async (which: string): Promise<Checkpoint<State>> => {
    const checkpoint = await loadCheckpoint<State>(directory, which);
    check(checkpoint, join(directory, which));
    return checkpoint;
  };
  const exists = async (which: string): Promise<boolean> => isThere(join(directory, `${which}.json`));
  const [hasLast, hasReserve] = [await exists(name), await exists(reserveOf(name))];
  if (!hasLast && !hasReserve) return null;
  try {
    return { checkpoint: await read(name), damage: null };
  } catch (error) {
    if (!(error instanceof CorruptFileError) || !hasReserve) throw error;
    try {
      return { checkpoint: await read(reserveOf(name)), damage: error.message };
    } catch (second) {
      if (!(second instanceof CorruptFileError)) throw second;
      throw new CorruptFileError(`${error.message}; the one in reserve is no use either: ${second.message}`, {
        cause: second,
      });
    }
  }
}

const hashOfState = (state: unknown): string => hashOf(JSON.stringify(state) ?? '');

async function readManifest(directory: string, name: string): Promise<Manifest> {
  const path = join(directory, `${name}.json`);
  const manifest = (await readJson(path)) as
    (Partial<Record<keyof Manifest, unknown>> & { format?: unknown; version?: unknown; stateSha256?: unknown }) | null;
  if (
    manifest?.format !== FORMAT ||
    typeof manifest.file !== 'string' ||
    typeof manifest.sha256 !== 'string' ||
    /[/\\]/.test(manifest.file)
  ) {
    throw new CorruptFileError(`${path} is not a checkpoint manifest of sesrec`);
  }
  if (manifest.version !== VERSION && manifest.version !== 1)
    throw new CorruptFileError(
      `${path} has format version ${JSON.stringify(manifest.version)}, this program reads 1 to ${VERSION}`,
    );
  if (manifest.version === VERSION && manifest.stateSha256 !== hashOfState(manifest.state))
    throw new CorruptFileError(`${path} is damaged: its state does not match the hash beside it`);
  return { file: manifest.file, sha256: manifest.sha256, state: manifest.state };
}

/** The manifest's text and the file it names, when both are whole: what may be kept in reserve. */
async function soundManifest(directory: string, name: string): Promise<{ text: string; file: string } | null> {
  try {
    const { file, sha256 } = await readManifest(directory, name);
    if ((await hashFile(join(directory, file))) !== sha256) return null;
    return { text: await readFile(join(directory, `${name}.json`), 'utf8'), file };
  } catch {
    return null;
  }
}
