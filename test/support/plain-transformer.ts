/**
 * A Transformer once more, a position at a time, from values for its parameters. Knows the equations; shares nothing with
 * the layers that it is compared with but the names of parameters.
 */
import { range, reader, total } from './layer-check.js';

export type Vector = readonly number[];

export interface PlainOptions {
  readonly heads: number;
  readonly epsilon: number;
  /** Where the layer norms stand; on the sums unless told. */
  readonly norm?: 'pre' | 'post' | 'code';
}

const relu = (x: number): number => Math.max(x, 0);
const sum = (a: Vector, b: Vector): Vector => a.map((value, at) => value + (b[at] as number));

export class PlainTransformer {
  readonly #given: Readonly<Record<string, ArrayLike<number>>>;
  readonly #options: PlainOptions;

  constructor(given: Readonly<Record<string, ArrayLike<number>>>, options: PlainOptions) {
    this.#given = given;
    this.#options = options;
  }

  linear(name: string, x: Vector): Vector {
    const bias = this.#given[`${name}.bias`] as ArrayLike<number>;
    const weight = reader(this.#given[`${name}.weight`] as ArrayLike<number>, [bias.length, x.length]);
    return Array.from(bias, (b, out) => b + total(x.map((value, at) => value * weight(out, at))));
  }

  normalised(name: string, x: Vector): Vector {
    const [weight, bias] = ['weight', 'bias'].map((part) => this.#given[`${name}.${part}`] ?? []) as [Vector, Vector];
    const mean = total(x) / x.length;
    const variance = total(x.map((value) => (value - mean) ** 2)) / x.length;
    return x.map((value, at) => {
      const scaled = (value - mean) / Math.sqrt(variance + this.#options.epsilon);
      return scaled * (weight[at] as number) + (bias[at] as number);
    });
  }

  /** LN(x + f(x)), or x + f(LN(x)); in code a feed-forward layer is LN(x) + f(LN(x)). */
  #residual(name: string, x: Vector, layer: (x: Vector) => Vector): Vector {
    const { norm = 'post' } = this.#options;
    if (norm === 'post') return this.normalised(name, sum(x, layer(x)));
    const normed = this.normalised(name, x);
    return sum(norm === 'code' && name.includes('feedForward') ? normed : x, layer(normed));
  }

  /** x with what it finds in the memory, where position s may attend to those of `visible(s)`. */
  attention(name: string, x: readonly Vector[], memory: readonly Vector[], visible: (s: number) => number[]): Vector[] {
    return x.map((own, s) => {
      const size = own.length / this.#options.heads;
      const seen = visible(s).map((t) => memory[t] as Vector);
      const [keys, values] = ['key', 'value'].map((part) =>
        seen.map((other) => this.linear(`${name}.${part}`, other)),
      ) as [Vector[], Vector[]];
      return this.#residual(`${name}.norm`, own, (asking) => {
        const query = this.linear(`${name}.query`, asking);
        const mixed = own.map((_, at) => {
          const head = Math.floor(at / size) * size;
          const powers = keys.map((key) =>
            Math.exp(
              total(range(size).map((i) => (query[head + i] as number) * (key[head + i] as number))) / Math.sqrt(size),
            ),
          );
          return total(powers.map((power, i) => power * ((values[i] as Vector)[at] as number))) / total(powers);
        });
        return this.linear(`${name}.output`, mixed);
      });
    });
  }

  feedForward(name: string, x: readonly Vector[], activation: (x: number) => number = relu): Vector[] {
    return x.map((own) =>
      this.#residual(`${name}.norm`, own, (input) =>
        this.linear(`${name}.outer`, this.linear(`${name}.inner`, input).map(activation)),
      ),
    );
  }

  /** Blocks `name.0`, … of self-attention, with ReLU. */
  blocks(name: string, count: number, x: readonly Vector[], visible: (s: number) => number[]): readonly Vector[] {
    return range(count).reduce<readonly Vector[]>(
      (hidden, block) =>
        this.feedForward(
          `${name}.${block}.feedForward`,
          this.attention(`${name}.${block}.attention`, hidden, hidden, visible),
        ),
      x,
    );
  }

  /** Decoder blocks `name.0`, …, with ReLU. `visible`: the positions of x and of the memory that there is something at. */
  decoder(
    name: string,
    count: number,
    x: readonly Vector[],
    memory: readonly Vector[],
    visible: { readonly own: number[]; readonly memory: number[] },
  ): readonly Vector[] {
    return range(count).reduce<readonly Vector[]>((hidden, block) => {
      const own = this.attention(`${name}.${block}.self.attention`, hidden, hidden, () => visible.own);
      const crossed = this.attention(`${name}.${block}.cross.attention`, own, memory, () => visible.memory);
      return this.feedForward(`${name}.${block}.feedForward`, crossed);
    }, x);
  }
}

/** x times the normal distribution function, by Simpson's rule. */
export function gelu(x: number): number {
  const steps = 400;
  const density = (at: number): number => Math.exp(-(at ** 2) / 2) / Math.sqrt(2 * Math.PI);
  const weight = (step: number): number => (step === 0 || step === steps ? 1 : step % 2 === 1 ? 4 : 2);
  const integral = total(range(steps + 1).map((step) => weight(step) * density((x * step) / steps)));
  return x * (0.5 + (integral * x) / steps / 3);
}
