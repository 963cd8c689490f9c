/**
 * Memory and code of WebAssembly, as far as they are used here (the types of Node.js and ES2023 do not have them). Knows
 * sizes and bytes; does not know what is computed.
 */

/** Memory that threads share and that grows in place: views of it stay good, and pages that nobody wrote cost nothing. */
export interface GrowableMemory {
  readonly buffer: SharedArrayBuffer;
  /** Adds pages of 64 KiB and tells how many there were, also when several threads do so at once; throws a `RangeError` past the maximum. */
  grow(pages: number): number;
}

interface Api {
  readonly Memory: new (limits: { initial: number; maximum: number; shared: true }) => GrowableMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly memory: { readonly memory: GrowableMemory } },
  ) => { readonly exports: Readonly<Record<string, (...values: number[]) => number>> };
}
const { WebAssembly: api } = globalThis as unknown as { WebAssembly: Api };

/** The bytes of a page. */
export const PAGE = 65536;
/** What 32 bits can address. */
export const LARGEST_MEMORY = 2 ** 32;

export const pagesOf = (bytes: number): number => Math.ceil(bytes / PAGE);

/** Zeros that can grow to `maximum` bytes; both are rounded up to pages. */
export function growableMemory(initial: number, maximum: number): GrowableMemory {
  return new api.Memory({ initial: pagesOf(initial), maximum: pagesOf(maximum), shared: true });
}

/** Code that can be put to work on any memory. */
export function compileModule(
  bytes: Uint8Array,
): (memory: GrowableMemory) => Readonly<Record<string, (...values: number[]) => number>> {
  const module = new api.Module(bytes);
  return (memory) => new api.Instance(module, { memory: { memory } }).exports;
}
