/**
 * The outer optimiser: what the mean move of a round makes of the parameters. Knows moves and momentum; does not know workers.
 *
 * The mean move is taken for a gradient, downhill, of stochastic gradient descent with Nesterov's momentum. Without momentum and
 * with learning rate 1 it is the mean of the workers' parameters (local SGD; Stich, 2019); with 0.9 and 0.7 it is DiLoCo
 * (Douillard et al., 2023). Moments of the inner optimiser become the mean of theirs.
 */
import type { NamedTensor, ParameterDescription } from '../../model/index.js';
import { sharedZeros } from '../../model/index.js';
import type { MeanMoves } from './blocks.js';

export interface OuterOptions {
  readonly outerLearningRate: number;
  /** 0: none. */
  readonly outerMomentum: number;
}

export class OuterOptimizer {
  readonly #descriptions: readonly ParameterDescription[];
  readonly #options: OuterOptions;
  readonly #momenta: ReadonlyMap<string, NamedTensor>;

  constructor(descriptions: readonly ParameterDescription[], options: OuterOptions, length: (name: string) => number) {
    this.#descriptions = descriptions;
    this.#options = options;
    this.#momenta = new Map(
      options.outerMomentum === 0
        ? []
        : descriptions.map(({ name, shape }) => [
            `${name} / outer momentum`,
            { shape, data: sharedZeros(length(name)) },
          ]),
    );
  }

  /** The momenta as named tensors that share memory with them: part of a resumable state. */
  momentumTensors(): ReadonlyMap<string, NamedTensor> {
    return this.#momenta;
  }

  /** Moves parameters and moments, by the names that a state has them under. */
  apply(state: ReadonlyMap<string, NamedTensor>, moves: MeanMoves): void {
    const { outerLearningRate: rate, outerMomentum: decay } = this.#options;
    for (const [index, { name }] of this.#descriptions.entries()) {
      const values = (state.get(name) as NamedTensor).data;
      const firsts = (state.get(`${name} / first moment`) as NamedTensor).data;
      const seconds = (state.get(`${name} / second moment`) as NamedTensor).data;
      const momentum = this.#momenta.get(`${name} / outer momentum`)?.data;
      // momentum also carries what this round did not move
      for (const [from, [move, first, second]] of moves.of(index, { every: momentum !== undefined }))
        for (let i = 0, place = from; i < move.length; i++, place++) {
          let step = move[i] as number;
          if (momentum) {
            const kept = decay * (momentum[place] as number) + step;
            momentum[place] = kept;
            step += decay * kept;
          }
          values[place] = (values[place] as number) + rate * step;
          firsts[place] = (firsts[place] as number) + (first[i] as number);
          // a mean of squares, which rounding must not make less than nothing
          seconds[place] = Math.max(0, (seconds[place] as number) + (second[i] as number));
        }
    }
  }
}
