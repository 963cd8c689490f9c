/** `sesrec audit`: whether a data set keeps the future out. Knows where data and candidate lists lie and how a report is shown; analyse/ does the work. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { type AuditReport, type NamedCandidates, audit } from '../../analyse/index.js';
import { UserError, counted } from '../../base/index.js';
import { type Dataset, loadDataset } from '../../data/index.js';
import { drawCandidates, readCandidatesFile } from '../../evaluate/index.js';
import { cutsText } from '../making-data.js';
import { candidateCountOption, dataDirectoryOf, jsonOption } from '../options.js';
import { printJson, printText } from '../output.js';
import { textTable } from '../table.js';

interface AuditFlags {
  readonly candidateCount: number;
  readonly json?: boolean;
}

export function auditCommand(): Command {
  return new Command('audit')
    .description(
      'check that nothing held out reaches training, histories, vocabularies or candidates, and count what the split lets through by nature',
    )
    .argument('<data>', 'a directory made by sesrec import or sesrec train')
    .addOption(candidateCountOption())
    .addOption(jsonOption())
    .action(async (given: string, { candidateCount, json }: AuditFlags) => {
      const directory = dataDirectoryOf(given);
      const dataset = await loadDataset(directory);
      const report = await audit(dataset, await candidatesIn(directory, dataset, candidateCount));
      if (json) printJson({ data: directory, hash: dataset.manifest.hash, ...report });
      else printText(auditText(directory, dataset, report));
      const failed = report.checks.filter(({ ok }) => !ok).length;
      if (failed > 0) throw new UserError(`${failed} of ${report.checks.length} checks fail for ${directory}`);
    });
}

/** The lists kept with the data; where none are, those that `evaluate` would draw. */
async function candidatesIn(directory: string, dataset: Dataset, count: number): Promise<NamedCandidates[]> {
  const kept = (await readdir(directory)).filter((name) => /^candidates-.*\.jsonl\.gz$/.test(name)).sort();
  if (kept.length === 0)
    return [{ name: `${count} candidates drawn with seed 1`, lists: drawCandidates(dataset, { count }) }];
  const read = [];
  for (const name of kept) read.push({ name, lists: await readCandidatesFile(join(directory, name), dataset) });
  return read;
}

function auditText(directory: string, dataset: Dataset, { ok, split, checks, crossings }: AuditReport): string {
  const cuts = cutsText(dataset.manifest);
  const lines = [
    `${directory}: split ${split.strategy}${cuts === null ? '' : ` (${cuts})`}, ${counted(dataset.feedItem.length)} feed events, ${counted(dataset.searchQuery.length)} searches`,
    '',
    textTable([
      ['what must hold', 'checked', 'violations', ''],
      ...checks.map((check) => [
        check.name,
        counted(check.checked),
        counted(check.violations),
        check.ok ? 'ok' : 'FAILS',
      ]),
    ]),
    ...checks.flatMap(({ name, example }) => (example === undefined ? [] : [`fails: ${name}; for example ${example}`])),
    '',
  ];
  if (crossings === null) lines.push(`what ${split.strategy} lets through cannot be counted: the log has no times`);
  else {
    lines.push(
      textTable([
        [`what ${split.strategy} lets through (no failures)`, 'count', 'of', ''],
        ...crossings.map(({ name, count, of }) => [
          name,
          counted(count),
          counted(of),
          of === 0 ? '–' : `${((100 * count) / of).toFixed(1)} %`,
        ]),
      ]),
    );
  }
  lines.push(
    '',
    ok
      ? `all ${checks.length} checks hold`
      : `${checks.filter((check) => !check.ok).length} of ${checks.length} checks fail`,
  );
  return lines.join('\n');
}
