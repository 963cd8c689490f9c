/** Who is let in, by a clock of the test's own: open-loop arrivals at a multiple of what can be done, and keys that ask too often. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../src/base/index.js';
import { Admission } from '../../src/serve/admission.js';
import { Rates } from '../../src/serve/rates.js';

const LANES = 2;
/** Milliseconds of work, on average, and how it is spread. */
interface Work {
  readonly mean: number;
  readonly isExponential: boolean;
}

/** A minute of arrivals at `rate` a second, each answered by one of the lanes in order: latencies of those let in, and how many were not. */
function simulate(rate: number, { mean, isExponential }: Work, seed: number) {
  const random = new Random('admission', rate, mean, seed);
  const exponential = (average: number): number => -Math.log(1 - random.float()) * average;
  let now = 0;
  const admission = new Admission(64, LANES, () => now);
  const free = Array.from({ length: LANES }, () => 0);
  const ending: { at: number; leave: () => void }[] = [];
  const latencies: number[] = [];
  let [refused, mostUnderWay] = [0, 0];
  const settle = (until: number): void => {
    ending.sort((a, b) => a.at - b.at);
    while (ending.length > 0 && (ending[0] as { at: number }).at <= until) {
      const { at, leave } = ending.shift() as (typeof ending)[number];
      now = at;
      leave();
    }
    now = until;
  };
  for (let due = exponential(1000 / rate); due < 60_000; due += exponential(1000 / rate)) {
    settle(due);
    if (!admission.isOpen) {
      refused++;
      continue;
    }
    const lane = free.indexOf(Math.min(...free));
    const start = Math.max(due, free[lane] as number);
    const at = start + (isExponential ? exponential(mean) : mean);
    free[lane] = at;
    ending.push({ at, leave: admission.enter() });
    mostUnderWay = Math.max(mostUnderWay, admission.underWay);
    if (due > 5000) latencies.push(at - due);
  }
  settle(Infinity);
  assert.equal(admission.underWay, 0);
  const p99 = latencies.toSorted((a, b) => a - b)[Math.floor(0.99 * latencies.length)] as number;
  return { p99, done: latencies.length / 55, refused, mostUnderWay };
}

for (const work of [
  { mean: 4, isExponential: false },
  { mean: 4, isExponential: true },
  { mean: 70, isExponential: false },
]) {
  test(`at two and five times the capacity, answers that take ${work.mean} ms${work.isExponential ? ' or so' : ''}: soon, many, and a bounded queue`, () => {
    const capacity = (1000 * LANES) / work.mean;
    const half = simulate(0.5 * capacity, work, 1);
    assert.ok(half.refused < half.done * 0.05 * 60, `${half.refused} refused at half the capacity`);
    const busy = simulate(0.8 * capacity, work, 1);
    assert.ok(busy.refused < 0.1 * busy.done * 60, `${busy.refused} refused at four fifths of the capacity`);
    for (const times of [2, 5]) {
      const { p99, done, refused, mostUnderWay } = simulate(times * capacity, work, 2);
      assert.ok(p99 <= Math.max(50, 3 * half.p99), `p99 ${p99} ms, ${half.p99} at half the capacity`);
      assert.ok(done >= 0.8 * capacity, `${done} of ${capacity} a second`);
      assert.ok(refused > 0 && mostUnderWay <= 64);
    }
  });
}

test('whatever it has seen, two for each that is worked on at once are let in, and never more than the bound', () => {
  let now = 0;
  const admission = new Admission(8, LANES, () => now);
  for (let round = 0; round < 50; round++) {
    const leave = [admission.enter(), admission.enter()];
    now += 10_000;
    for (const one of leave) one();
  }
  for (let i = 0; i < 2 * LANES; i++) {
    assert.ok(admission.isOpen);
    admission.enter();
  }
  const patient = new Admission(3, 8);
  const leave = [patient.enter(), patient.enter(), patient.enter()];
  assert.ok(!patient.isOpen);
  leave[0]?.();
  leave[0]?.();
  assert.equal(patient.underWay, 2, 'a second leaving counts for nothing');
  assert.ok(patient.isOpen);
});

test('a key may ask so often, a burst of a second, and again after the time that it was told', () => {
  let now = 0;
  const rates = new Rates(10, () => now);
  for (let i = 0; i < 10; i++) assert.equal(rates.wait('a'), 0);
  assert.equal(rates.wait('a'), 1);
  assert.equal(rates.wait('b'), 0, 'other keys are not held up');
  now = 1000;
  for (let i = 0; i < 10; i++) assert.equal(rates.wait('a'), 0);
  assert.equal(rates.wait('a'), 1);
  now = 1e9;
  let more = 0;
  while (rates.wait('a') === 0) more++;
  assert.equal(more, 10, 'what was not asked for is not saved up');
  const free = new Rates(0);
  for (let i = 0; i < 1000; i++) assert.equal(free.wait('a'), 0);
});
