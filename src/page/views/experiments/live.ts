/** An experiment that grows while it trains: what its files say, and what comes over its stream since. Knows both; does not draw. */
import { useEffect, useState } from 'preact/hooks';
import { PATHS } from '../../../serve/schemas/paths.js';
import type { ExperimentAnswer, LiveEpoch, LiveState } from '../../../client/index.js';
import { announce } from '../../app/announce.js';
import { type Asked, useAnswer } from '../../app/answer.js';
import { ask } from '../../app/server.js';
import { follow } from '../../app/stream.js';
import { texts } from '../../texts/index.js';
import { metricFigure } from './metrics.js';

const words = texts.experiments;
/** Milliseconds. While it trains the stream tells; what was stopped can be gone on with, and what has ended can be evaluated. */
const ASK_AGAIN = { running: null, stopped: 5000, finished: 30_000 } as const;

export interface Live {
  readonly asked: Asked<ExperimentAnswer>;
  readonly state: ExperimentAnswer['state'] | null;
  readonly curves: ExperimentAnswer['curves'];
  /** Whether the stream broke off and is tried again. */
  readonly isLost: boolean;
}

export function useLive(name: string): Live {
  const asked = useAnswer(
    `experiment ${name}`,
    async (signal) => ask<ExperimentAnswer>(PATHS.experiment(name), undefined, signal),
    { askAgain: (found) => (found === null ? null : ASK_AGAIN[found.state]) },
  );
  const [grown, setGrown] = useState<ExperimentAnswer['curves'] | null>(null);
  const [isLost, setLost] = useState(false);
  const { answer } = asked;
  const isRunning = answer?.state === 'running';
  useEffect(() => {
    if (!answer) return;
    setGrown(answer.curves);
    if (!isRunning) return;
    const known = new Set(
      answer.curves.flatMap(({ label, seed, epochs }) => epochs.map(({ epoch }) => `${label} ${seed} ${epoch}`)),
    );
    const stop = new AbortController();
    void follow(
      PATHS.experimentLive(name),
      stop.signal,
      ({ event, data }) => {
        if (event === 'epoch') {
          const told = JSON.parse(data) as LiveEpoch;
          const key = `${told.label} ${told.seed} ${told.epoch.epoch}`;
          if (!known.has(key))
            announce(words.newEpoch(told.label, told.epoch.epoch, 'MRR', metricFigure(told.epoch.metrics['mrr'])));
          known.add(key);
          setGrown((curves) => withEpoch(curves ?? [], told));
        } else if (event === 'end' || (event === 'state' && (JSON.parse(data) as LiveState).state !== 'running')) {
          if (event === 'end') announce(words.ended);
          asked.again(); // its results are there now
        }
      },
      setLost,
    );
    return () => stop.abort();
  }, [answer]);
  return { asked, state: answer?.state ?? null, curves: grown ?? answer?.curves ?? [], isLost: isLost && isRunning };
}

/** The curves with one epoch more, or another in its place. */
export function withEpoch(
  curves: ExperimentAnswer['curves'],
  { label, seed, epoch }: LiveEpoch,
): ExperimentAnswer['curves'] {
  const known = curves.some((curve) => curve.label === label && curve.seed === seed);
  const all = known ? curves : [...curves, { label, seed, epochs: [] }];
  return all.map((curve) =>
    curve.label !== label || curve.seed !== seed
      ? curve
      : {
          ...curve,
          epochs: [...curve.epochs.filter((other) => other.epoch !== epoch.epoch), epoch].sort(
            (a, b) => a.epoch - b.epoch,
          ),
        },
  );
}
