/** `sesrec analyse`: one subcommand per analysis. Knows their list; each is a file in cli/analyses/. */
import { Command } from 'commander';
import { ablationAnalysis } from '../analyses/ablation.js';
import { alignmentAnalysis } from '../analyses/alignment.js';
import { analysisCommand } from '../analyses/analysis.js';
import { behaviourAnalysis } from '../analyses/behaviour.js';
import { correctionAnalysis } from '../analyses/correction.js';
import { divergenceAnalysis } from '../analyses/divergence.js';
import { plantedAnalysis } from '../analyses/planted.js';
import { reasonsAnalysis } from '../analyses/reasons.js';
import { sensitivityAnalysis } from '../analyses/sensitivity.js';
import { thresholdsAnalysis } from '../analyses/thresholds.js';

/** In the order of the paper's figures and tables; then what the paper does not have. */
export function analyseCommand(): Command {
  return new Command('analyse')
    .description("the paper's analyses, and more: of a data set, of a model, of a comparison")
    .addCommand(analysisCommand(behaviourAnalysis))
    .addCommand(analysisCommand(ablationAnalysis))
    .addCommand(analysisCommand(divergenceAnalysis))
    .addCommand(analysisCommand(thresholdsAnalysis))
    .addCommand(analysisCommand(alignmentAnalysis))
    .addCommand(analysisCommand(sensitivityAnalysis))
    .addCommand(analysisCommand(plantedAnalysis))
    .addCommand(analysisCommand(reasonsAnalysis))
    .addCommand(analysisCommand(correctionAnalysis));
}
