/** `sesrec analyse`: what a data set shows about the people in it. Knows how findings are told; analyse/ does the work. */
import { Command } from 'commander';
import { type Behaviour, type BehaviourShares, type Share, behaviour } from '../../analyse/index.js';
import { loadDataset } from '../../data/index.js';
import { dataDirectoryOf, jsonOption, namesIn, numberFrom } from '../options.js';
import { printJson, printText } from '../output.js';
import { counted, textTable } from '../table.js';

interface BehaviourFlags {
  readonly category: string;
  readonly passive?: string;
  readonly days: number;
  readonly json?: boolean;
}

/** The command, with one subcommand per analysis. */
export function analyseCommand(): Command {
  const command = new Command('analyse').description('what a data set shows about the people in it');
  command
    .command('behaviour')
    .description('how people search, and whether for what they meet in the feed (Figure 1(b) of the SESRec paper)')
    .argument('<data>', 'a directory made by sesrec import, simulate or train')
    .option('--category <attribute>', 'the item attribute that is the category', 'category')
    .option('--passive <sources>', 'the sources of searches that the site suggested with an item (default: related)')
    .option('--days <number>', 'how far back the feed counts', numberFrom(0), 7)
    .addOption(jsonOption())
    .action(async (given: string, { category, passive, days, json }: BehaviourFlags) => {
      const dataset = await loadDataset(dataDirectoryOf(given));
      const found = behaviour(dataset, {
        category,
        days,
        ...(passive === undefined ? {} : { passiveSources: namesIn(passive) }),
      });
      if (json) printJson(found);
      else printText(behaviourText(found));
    });
  return command;
}

const percent = (share: number): string => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`);

/** The findings as a table and the protocol as a paragraph. */
function behaviourText(found: Behaviour): string {
  const { searches, withClicks, withoutCategory, users, afterFirstDays, protocol } = found;
  const row = (label: string, { share, interval, count, of }: Share): string[] => [
    label,
    percent(share),
    Number.isNaN(share) ? '' : `${percent(interval[0])} to ${percent(interval[1])}`,
    `${counted(count)} of ${counted(of)}`,
  ];
  const shares = ({ passive, spontaneous, dissimilar }: BehaviourShares, suffix = ''): string[][] => [
    row(`spontaneous${suffix}`, spontaneous),
    row(`passive${suffix}`, passive),
    row(`dissimilar, of the spontaneous with a side${suffix}`, dissimilar.spontaneous.any),
    row(`dissimilar, of the passive with a side${suffix}`, dissimilar.passive.any),
  ];
  const { category, passiveSources, days } = protocol;
  return [
    `${counted(searches)} searches of ${counted(users.all)} users; ${counted(users.neverSearch)} never search, ${counted(users.neverInFeed)} never act in the feed`,
    textTable([
      ['', 'share', '95 % interval', 'searches'],
      row('with a click', withClicks),
      ...shares(found),
      row('dissimilar by every click, of the spontaneous', found.dissimilar.spontaneous.all),
      ...shares(afterFirstDays, `, after ${days} days`),
    ]),
    `passive: started from ${passiveSources.map((source) => JSON.stringify(source)).join(', ')}; dissimilar: the ${category} of no clicked item occurs in the user's feed of the ${days} days before; searches without a click${withoutCategory > 0 ? ` (and ${counted(withoutCategory)} without a ${category})` : ''} have no side; "after ${days} days" leaves out those of each user's first ${days} days; intervals: users are the unit`,
  ].join('\n');
}
