/** Experiments: the list of runs and comparisons, or one of them. Knows which; does not know what is in them. */
import type { ViewProps } from '../../app/view.js';
import { ExperimentDetail } from './experiment-detail.js';
import { ExperimentList } from './experiment-list.js';
import './experiments.css';

export default function Experiments({ place }: ViewProps) {
  const [name] = place.rest;
  return name === undefined ? <ExperimentList /> : <ExperimentDetail key={name} name={name} />;
}
