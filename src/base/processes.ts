/** Processes of this machine, by number. Knows whether one runs; does not know what it does. */

/** Whether a process of this number runs, ours or somebody else's. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'; // EPERM: it runs, and is somebody else's
  }
}
