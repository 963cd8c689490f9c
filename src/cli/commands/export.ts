/** `sesrec export`: a trained model for other programs. Knows files and options; model/runs/exported.ts makes the ONNX file. */
import { stat } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { refuseExisting, writeAtomically } from '../../base/index.js';
import { TEXT_RULES } from '../../data/index.js';
import { type Run, exportOnnx, loadRun, safetensorsParts } from '../../model/index.js';
import { jsonOption, wholeNumber } from '../options.js';
import { printJson, printText } from '../output.js';

interface ExportFlags {
  readonly format: 'onnx' | 'safetensors';
  readonly out: string;
  readonly overwrite?: boolean;
  readonly rows: number;
  readonly candidates: number;
  readonly json?: boolean;
}

/** How a program fills in words of a query that the vocabulary lacks. */
const RULE_OF_SEARCH_WORDS =
  'where search is 1: the words of the query that the vocabulary has, the first of them as far as there is room; 0 behind them, and wherever ' +
  'there is no such word; where search is not 1 it does not matter what is here';

export function exportCommand(): Command {
  return new Command('export')
    .description(
      'a trained model as one file for other programs; beside it FILE.json with its signature and vocabularies',
    )
    .argument('<run>', 'a directory made by sesrec train')
    .addOption(
      new Option('--format <name>', 'onnx: histories and candidates to logits; safetensors: the parameters alone')
        .choices(['onnx', 'safetensors'])
        .default('onnx'),
    )
    .requiredOption('--out <file>', 'where to write it')
    .option('--overwrite', 'replace the file if it exists')
    .option('--rows <number>', 'onnx: histories at once', wholeNumber(1, 4096), 1)
    .option('--candidates <number>', 'onnx: candidates of each history', wholeNumber(1, 65_536), 100)
    .addOption(jsonOption())
    .action(async (directory: string, { format, out, overwrite, json = false, ...sizes }: ExportFlags) => {
      await refuseExisting(out, overwrite);
      const run = await loadRun(directory);
      const { model, preset } = run.manifest;
      const { bytes: content, ...signature } =
        format === 'onnx' ? exportOnnx(run, sizes) : { bytes: safetensorsOf(run), inputs: [], outputs: [] };
      const { items, queries, sources, users, words } = run.dataset;
      const description = {
        format: 'sesrec-export',
        version: 2,
        model: { name: model, preset, version: run.version },
        window: run.model.config.window,
        ...signature,
        texts: {
          ...TEXT_RULES,
          ...(signature.inputs.some(({ key }) => key === 'searchWords') && { searchWords: RULE_OF_SEARCH_WORDS }),
        },
        vocabularies: {
          items: items.ids,
          queries: queries.ids,
          words: words.ids,
          sources: sources.ids,
          users: users.ids,
        },
      };
      await writeAtomically(out, content);
      const { size: bytes } = await stat(out);
      await writeAtomically(`${out}.json`, `${JSON.stringify(description)}\n`);
      const { vocabularies: _, ...told } = description;
      if (json) printJson({ file: out, bytes, ...told });
      else
        printText(
          [
            `${out}  ${(bytes / 2 ** 20).toFixed(1)} MiB, ${model} ${preset}; vocabularies in ${out}.json`,
            ...signature.inputs.map(({ key, shape }) => `takes ${key} [${shape.join(', ')}] int32`),
            ...signature.outputs.map(({ key, shape }) => `gives ${key} [${shape.join(', ')}] float32`),
          ].join('\n'),
        );
    });
}

function safetensorsOf({ parameters, manifest, version }: Run): Iterable<Uint8Array> {
  const { model, preset, config } = manifest;
  return safetensorsParts(parameters.tensors(), { model, preset, version, config: JSON.stringify(config) });
}
