/** What every importer is asked, and what it gives. Knows the words; does not know what is done. */
import type { SparkOptions, SparkSession } from '../../spark/index.js';
import type { DataManifest } from '../schema.js';
import type { SplitRequest } from '../split.js';

/** Options of every importer. */
export interface ImportOptions {
  /** The data directory to make. */
  readonly out: string;
  /** Replace `out` if it exists. Default: refuse. */
  readonly overwrite?: boolean;
  /** The filter of the paper: only users who searched and acted in the feed. Default: everybody stays. */
  readonly requireBoth?: boolean;
  /** Keep only users and items with at least so many feed events, again and again until that holds. Default: 0, everybody. */
  readonly kCore?: number;
  /** Who is held out. Default: leave-one-out; of data that grow, as it was, with cuts found anew. */
  readonly split?: SplitRequest;
  /** Refuse on the first rejected record, instead of putting it into quarantine. Default: false. */
  readonly strict?: boolean;
  /** Leave out events that equal an earlier one in everything. Default: false. */
  readonly dropRepeats?: boolean;
  /** A data directory to grow from: its events come in, too, and its vocabularies come first, so that no index changes. */
  readonly append?: string;
  /** For what happened on a live site, behind logs of before it. */
  readonly live?: LiveSite;
  /** Threads of the engine. Results do not depend on it. Default: 2. */
  readonly threads?: number;
  /** Megabytes that the engine may use; the rest goes to disk. Default: 1500. */
  readonly memory?: number;
  /** Do the work on a Spark cluster. The data are the same, byte for byte. `threads` and `memory` are then those of each reader of the log, and of the writer of the files. */
  readonly spark?: SparkImport;
}

/** How an import uses Spark. */
export type SparkImport = (
  | Pick<SparkOptions, 'master' | 'conf' | 'driverMemory' | 'signal' | 'onProgress'>
  /** An application that runs. */
  | { readonly session: SparkSession }
) & {
  /** Bytes of a file that are read at once on a machine. Default: 128 MiB. */
  readonly unitBytes?: number;
};

/** A live site whose log is imported behind those of before it. */
export interface LiveSite {
  /** Writes its log into a folder, which goes with the import. */
  readonly write: (folder: string) => Promise<WrittenLog>;
}

/** The log of a live site. */
export interface WrittenLog {
  /** Attributes in it change those in other files, and leave what they do not name, as they did on the site. */
  readonly path: string;
  /** SHA-256 of the ids of people who were erased, in hexadecimal digits: what other files have of them is taken for nothing. */
  readonly erased: readonly string[];
  /** Those of them who were erased while it was written: what it has of them is taken for nothing, too. */
  readonly erasedMeanwhile: readonly string[];
}

/** What an import made, and what its maker should know about the input. */
export interface ImportResult {
  readonly manifest: DataManifest;
  readonly warnings: readonly string[];
}
