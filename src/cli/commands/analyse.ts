/** `sesrec analyse`: one subcommand per analysis. Knows their list; each is a file in cli/analyses/. */
import { Command } from 'commander';
import { analysisCommand } from '../analyses/analysis.js';
import { behaviourAnalysis } from '../analyses/behaviour.js';
import { reasonsAnalysis } from '../analyses/reasons.js';

export function analyseCommand(): Command {
  return new Command('analyse')
    .description("the paper's analyses, and more: of a data set, of a model")
    .addCommand(analysisCommand(behaviourAnalysis))
    .addCommand(analysisCommand(reasonsAnalysis));
}
