/** Work that is done piece after piece, in the order in which it was asked for. Does not know what it is. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Does something when all that was asked for before is over, well or not. What it fails with is told to whoever asked for it, and to nobody else. */
  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    const own = this.#last.then(work);
    this.#last = own.catch(() => undefined);
    return own;
  }

  /** Waits until all is over that was asked for until now. */
  async over(): Promise<void> {
    await this.#last;
  }
}
