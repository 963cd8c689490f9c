/** `sesrec score-task`: what Spark calls for a part of the users of `sesrec recommend --all-users`. Knows the streams; cli/scoring/worker.ts does the work. */
import { Command } from 'commander';
import { decodeJob, scoringTask } from '../scoring/worker.js';

export function scoreTaskCommand(): Command {
  return new Command('score-task')
    .description('called by Spark: lists of the users that standard input names')
    .argument('<job>', 'what to do, encoded')
    .action(async (job: string) => scoringTask(decodeJob(job), process.stdin, process.stdout));
}
