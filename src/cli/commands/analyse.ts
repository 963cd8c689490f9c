/** `sesrec analyse`: one subcommand per analysis. Knows their list; each is a file in cli/analyses/. */
import { Command } from 'commander';
import { ablationAnalysis } from '../analyses/ablation.js';
import { analysisCommand } from '../analyses/analysis.js';
import { behaviourAnalysis } from '../analyses/behaviour.js';
import { reasonsAnalysis } from '../analyses/reasons.js';
import { sensitivityAnalysis } from '../analyses/sensitivity.js';
import { thresholdsAnalysis } from '../analyses/thresholds.js';

export function analyseCommand(): Command {
  return new Command('analyse')
    .description("the paper's analyses, and more: of a data set, of a model")
    .addCommand(analysisCommand(behaviourAnalysis))
    .addCommand(analysisCommand(ablationAnalysis))
    .addCommand(analysisCommand(thresholdsAnalysis))
    .addCommand(analysisCommand(sensitivityAnalysis))
    .addCommand(analysisCommand(reasonsAnalysis));
}
