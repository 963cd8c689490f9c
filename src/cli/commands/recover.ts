/** `sesrec recover`: a sound store of what can be read of a damaged one. Knows options; online/store does the rest. */
import { Command } from 'commander';
import { UserError } from '../../base/index.js';
import { isAddress, recoverStore, shownStore } from '../../online/index.js';
import { jsonOption } from '../options.js';
import { note, printJson, printText } from '../output.js';

export function recoverCommand(): Command {
  return new Command('recover')
    .description('makes a live store of what can be read of a damaged one; the damaged one stays as it is')
    .argument('<store>', 'the directory of the damaged store; no server may have it open')
    .requiredOption('--out <directory>', 'the store to make')
    .addOption(jsonOption())
    .action(async (store: string, { out, json = false }: { out: string; json?: boolean }) => {
      if (isAddress(store))
        throw new UserError(
          `${shownStore(store)} is no directory: what can be recovered there, Redis does itself (redis-check-aof, replicas, backups)`,
        );
      const found = await recoverStore(store, out);
      for (const failure of found.failures) note(`could not be read on: ${failure}`);
      if (json) return printJson({ out, ...found });
      const { events, items, users, erased, missing } = found;
      printText(
        `${out}  ${events} events, ${missing} known to be missing; ${items} items, ${users} users, ${erased} erasures; lists that were served are not taken over`,
      );
    });
}
