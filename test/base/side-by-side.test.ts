import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sideBySide } from '../../src/base/index.js';

const idle = new AbortController().signal;

describe('work side by side', () => {
  test('gives what came of each in the order of the things, never more at once than asked', async () => {
    let [now, most] = [0, 0];
    const begun: number[] = [];
    const results = await sideBySide([30, 1, 20, 2, 10], { most: 3, signal: idle }, async (milliseconds) => {
      begun.push(milliseconds);
      most = Math.max(most, ++now);
      await delay(milliseconds);
      now--;
      return -milliseconds;
    });
    assert.deepEqual(results, [-30, -1, -20, -2, -10]);
    assert.deepEqual(begun, [30, 1, 20, 2, 10]);
    assert.equal(most, 3);
    assert.deepEqual(await sideBySide([], { most: 3, signal: idle }, () => assert.fail()), []);
  });

  test('a failure begins nothing more, asks the others to stop, waits for them, and is thrown', async () => {
    const begun: number[] = [];
    let stopped = 0;
    const work = async (thing: number, signal: AbortSignal): Promise<void> => {
      begun.push(thing);
      if (thing === 1) throw new Error('thing 1 is broken');
      while (!signal.aborted) await delay(1);
      await delay(20);
      stopped++;
      throw new Error('stopped');
    };
    await assert.rejects(sideBySide([0, 1, 2, 3], { most: 2, signal: idle }, work), /thing 1 is broken/);
    assert.deepEqual(begun, [0, 1]);
    assert.equal(stopped, 1);
  });

  test('whoever is asked to stop asks all that goes on', async () => {
    const outer = new AbortController();
    const ended: string[] = [];
    const all = sideBySide(['a', 'b', 'c'], { most: 2, signal: outer.signal }, async (thing, signal) => {
      while (!signal.aborted) await delay(1);
      ended.push(thing);
      throw new Error(`${thing} was stopped`);
    });
    await delay(5);
    outer.abort();
    await assert.rejects(all, /was stopped/);
    assert.deepEqual(ended.toSorted(), ['a', 'b']);
    await assert.rejects(
      sideBySide(['d'], { most: 1, signal: outer.signal }, async (_, signal) => signal.throwIfAborted()),
      { name: 'AbortError' },
    );
  });
});
