/** Commands that Spark calls for its tasks. Knows their streams; cli/scoring/worker.ts and cli/rounds/task.ts do the work. */
import { Command } from 'commander';
import { shareTask, sumTask } from '../rounds/task.js';
import { decodeJob, scoringTask } from '../scoring/worker.js';

/** They are for programs, and no help tells of them. */
export const taskCommands = (): Command[] => [
  new Command('score-task')
    .description('called by Spark: lists of the users that standard input names')
    .argument('<job>', 'what to do, encoded')
    .action(async (job: string) => scoringTask(decodeJob(job), process.stdin, process.stdout)),
  new Command('share-task')
    .description('called by Spark: the steps of the workers that standard input names')
    .argument('<round>', 'the folder of a round')
    .action(async (round: string) => shareTask(round, process.stdin, process.stdout)),
  new Command('sum-task')
    .description('called by Spark: sums of the blocks on standard input')
    .argument('<round>', 'the folder of a round')
    .action(async (round: string) => sumTask(round, process.stdin, process.stdout)),
];
