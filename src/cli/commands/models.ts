/** `sesrec models`: what there is to train and to compare with. Knows how cards are shown; the models' own files say what is on them. */
import { Argument, Command } from 'commander';
import { UserError, counted } from '../../base/index.js';
import { type Dataset, loadDataset } from '../../data/index.js';
import {
  type CommonConfig,
  type ModelCard,
  type ModelId,
  RANKER_IDS,
  type RankerId,
  type ShapeName,
  type Trial,
  buildModel,
  cardOf,
  groupOf,
  isCounted,
  models,
  parametersOf,
  publishedShapes,
} from '../../model/index.js';
import { dataDirectoryOf, jsonOption } from '../options.js';
import { printJson, printText } from '../output.js';
import { planRun } from '../run-plan.js';
import { settingsText, textTable } from '../table.js';
import { trainFlags } from './train.js';

const SHAPES = Object.keys(publishedShapes) as ShapeName[];

/** All that is told of one model. What is trained has more to tell than what only counts. */
interface Told extends ModelCard {
  readonly group: string;
  readonly trained: {
    readonly presets: readonly string[];
    /** By preset and published shape. */
    readonly settings: Readonly<Record<string, Readonly<Record<ShapeName, Settings>>>>;
    /** By preset: what `sesrec compare` tries. */
    readonly tuning: Readonly<Record<string, readonly Trial[]>>;
    /** At the amazon shape, for the data given; null without data, and for a model that these data cannot train. */
    readonly parameters: number | null;
  } | null;
}
type Settings = ReturnType<(typeof models)[ModelId]['settings']>;

export function modelsCommand(): Command {
  return new Command('models')
    .description(
      'the models that can be trained, and what is counted to compare them with: a table, or the card of one',
    )
    .addArgument(new Argument('[name]', 'the model whose card is wanted').choices(RANKER_IDS))
    .option('--data <directory>', 'count parameters for the vocabulary of this data set, at the amazon shape')
    .addOption(jsonOption())
    .action(async (name: RankerId | undefined, flags: { readonly data?: string; readonly json?: boolean }) => {
      const dataset = flags.data === undefined ? null : await loadDataset(dataDirectoryOf(flags.data));
      const told = (name === undefined ? RANKER_IDS : [name]).map((id) => tell(id, dataset));
      if (flags.json) printJson(name === undefined ? { models: told } : told[0]);
      else printText(name === undefined ? tableText(told, dataset !== null) : cardText(told[0] as Told, flags.data));
    });
}

function tell(id: RankerId, dataset: Dataset | null): Told {
  const base = { ...cardOf(id), group: groupOf(id) };
  if (isCounted(id)) return { ...base, trained: null };
  const { presets, settings, tuning } = models[id];
  const byShape = (preset: string) => Object.fromEntries(SHAPES.map((shape) => [shape, settings(preset, shape)]));
  return {
    ...base,
    trained: {
      presets,
      settings: Object.fromEntries(
        presets.map((preset) => [preset, byShape(preset) as Readonly<Record<ShapeName, Settings>>]),
      ),
      tuning: Object.fromEntries(presets.map((preset) => [preset, tuning(preset)])),
      parameters: dataset && parametersFor(id, dataset),
    },
  };
}

/** The number of parameters of a model with its usual settings; null where it cannot learn from these data. */
function parametersFor(id: ModelId, dataset: Dataset): number | null {
  let config: CommonConfig;
  try {
    ({ config } = planRun(dataset, trainFlags(['data', '--model', id])));
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
  return parametersOf(buildModel(id, config)).size;
}

/** The names of losses, without what the card says of each. */
const lossNames = ({ extraLosses }: ModelCard): string =>
  extraLosses.map((loss) => loss.split(/[ :(]/)[0]).join(', ') || '–';

function tableText(told: readonly Told[], withParameters: boolean): string {
  const rows = told.map((one) => [
    one.id,
    one.name,
    one.kind,
    String(one.source.year),
    ...(withParameters ? [parametersText(one)] : []),
    one.sees.join(', '),
    lossNames(one),
  ]);
  const titles = ['', 'name', 'kind', 'year', ...(withParameters ? ['parameters'] : []), 'sees', 'extra losses'];
  return textTable([titles, ...rows], withParameters ? '<<<>><<' : '<<<><<');
}

const parametersText = ({ trained }: Told): string =>
  trained === null ? '0' : trained.parameters === null ? '–' : counted(trained.parameters);

function cardText(told: Told, data: string | undefined): string {
  const { authors, title, venue, year } = told.source;
  const lines: (readonly [string, readonly string[]])[] = [
    ['source', [`${authors}, “${title}”, ${venue} ${year}`]],
    ['idea', [told.idea]],
    ['sees', [told.sees.join(', ')]],
    ['losses', told.trained ? ['prediction', ...told.extraLosses] : ['none: nothing is trained']],
    ['differs', told.differs.length === 0 ? ['nothing'] : told.differs],
  ];
  if (told.trained) {
    const { presets, tuning } = told.trained;
    lines.push(['presets', [presets.join(', ')]]);
    const [usual, ...others] = Object.entries(tuning) as [[string, readonly Trial[]], ...[string, readonly Trial[]][]];
    lines.push(['tuning', usual[1].map(settingsText)]);
    for (const [preset, trials] of others)
      if (trials !== usual[1]) lines.push([`of ${preset}`, trials.map(settingsText)]);
    if (data !== undefined) lines.push(['parameters', [`${parametersText(told)} at the amazon shape, for ${data}`]]);
  }
  const width = Math.max(...lines.map(([label]) => label.length));
  const body = lines.flatMap(([label, texts]) =>
    texts.map((text, i) => `${(i === 0 ? label : '').padEnd(width)}  ${text}`),
  );
  return [`${told.id}: ${told.name}, ${told.kind}`, '', ...body, ...settingsLines(told)].join('\n');
}

/** The settings of the first preset at each published shape, and what the other presets change. */
function settingsLines({ trained }: Told): string[] {
  if (!trained) return [];
  const { presets, settings } = trained;
  const at = (preset: string, shape: ShapeName): Readonly<Record<string, unknown>> => ({
    ...(settings[preset] as Record<ShapeName, Settings>)[shape],
  });
  const [first, ...others] = presets as [string, ...string[]];
  const row = (preset: string, name: string): string[] => [
    name,
    ...SHAPES.map((shape) => JSON.stringify(at(preset, shape)[name])),
  ];
  const names = Object.keys(at(first, SHAPES[0] as ShapeName));
  const alignment = '<'.repeat(1 + SHAPES.length);
  const lines = [
    '',
    textTable([[`settings of ${first}`, ...SHAPES], ...names.map((name) => row(first, name))], alignment),
  ];
  for (const preset of others) {
    const changed = names.filter((name) => row(preset, name).join() !== row(first, name).join());
    lines.push(
      '',
      textTable([[`other in ${preset}`, ...SHAPES], ...changed.map((name) => row(preset, name))], alignment),
    );
  }
  return lines;
}
