/**
 * Parameters by name, and the layers made of them. Knows how a parameter is called, shaped and initialised; does not
 * know values (parameters.ts) nor any one model.
 *
 * A model is a function that asks a `Scope` for parameters while it builds its graph; the scope writes down what was
 * asked for, so that names and shapes are said once, where they are used.
 */
import { assert, getOrCreate } from '../../base/index.js';
import { type Shape, type Tensor, nn, ops } from '../../tensor/index.js';

/**
 * How a parameter starts. `normal`: N(0, deviation^2); `xavierNormal`: N(0, 2 / (fanIn + fanOut)); `xavierUniform`:
 * U(±sqrt(6 / (fanIn + fanOut))).
 */
export type Initialiser =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly deviation: number }
  | { readonly kind: 'xavierNormal' | 'xavierUniform'; readonly fanIn: number; readonly fanOut: number };

/** What a batch numbers, each thing once. */
export type IdKind = 'items' | 'queries' | 'words' | 'users';

/** A parameter of a model. */
export interface ParameterDescription {
  readonly name: string;
  readonly shape: Shape;
  readonly initialiser: Initialiser;
  /** What the rows of a table are of: it is kept outside the graph, which gets only the rows that a batch needs. Null: the graph takes it whole. */
  readonly table: IdKind | null;
  /** Row 0 stands for padding: it gets no gradient. */
  readonly padding: 'none' | 'frozen' | 'zero';
}

/** Rows of a table that a graph takes: input `key` holds the rows at `ids`, one after another. */
export interface Lookup {
  readonly key: string;
  readonly table: string;
  readonly ids: IdKind;
}

/** A mask that a training graph takes: 0 with probability `rate`, else 1 / (1 - rate). */
export interface DropoutMask {
  readonly key: string;
  readonly shape: Shape;
  readonly rate: number;
}

export class Scope {
  readonly parameters = new Map<string, ParameterDescription>();
  readonly lookups = new Map<string, Lookup>();
  readonly dropouts: DropoutMask[] = [];
  readonly #inputs = new Map<string, Tensor>();
  readonly #masks = new Map<string, Tensor>();
  readonly #dropoutRate: number | null;

  /** @param dropoutRate null for graphs that only score. */
  constructor(dropoutRate: number | null = null) {
    this.#dropoutRate = dropoutRate;
  }

  #declare(description: ParameterDescription): void {
    const known = this.parameters.get(description.name);
    assert(!known || known.shape.join() === description.shape.join(), `parameter ${description.name} has two shapes`);
    this.parameters.set(description.name, description);
  }

  /** An input of the graph that a batch supplies. */
  input(key: string, shape: Shape, dtype: 'float32' | 'int32' = 'float32'): Tensor {
    const known = this.#inputs.get(key) ?? ops.placeholder(key, shape, dtype);
    assert(known.shape.join() === shape.join(), `input ${key} has two shapes`);
    this.#inputs.set(key, known);
    return known;
  }

  /** An input that was asked for before. */
  known(key: string): Tensor {
    const tensor = this.#inputs.get(key);
    assert(tensor, `the graph has no input ${key}`);
    return tensor;
  }

  /** A parameter that the graph takes whole. Asked for twice, it is the same tensor. */
  parameter(name: string, shape: Shape, initialiser: Initialiser): Tensor {
    this.#declare({ name, shape, initialiser, table: null, padding: 'none' });
    return this.input(name, shape);
  }

  /** Rows of an embedding table (rows, width): the distinct ids of one kind that a batch holds. Result (count, width). */
  rows(
    table: string,
    shape: readonly [number, number],
    ids: IdKind,
    count: number,
    padding: ParameterDescription['padding'] = 'none',
  ): Tensor {
    this.#declare({ name: table, shape, initialiser: xavierNormal(...shape), table: ids, padding });
    const key = `rows of ${table}`;
    this.lookups.set(key, { key, table, ids });
    return this.input(key, [count, shape[1]]);
  }

  /** Inverted dropout, at the model's rate or one of its own; the identity in graphs that only score. */
  dropout(x: Tensor, rate = this.#dropoutRate ?? 0): Tensor {
    if (this.#dropoutRate === null || rate === 0) return x;
    const mask = { key: `dropout ${this.dropouts.length}`, shape: x.shape, rate };
    this.dropouts.push(mask);
    return ops.mul(x, this.input(mask.key, mask.shape));
  }

  /**
   * x with some rows left out whole, each with probability `rate`, and the others as they are; x in graphs that only score. Asked for twice
   * by the same name, the same rows are left out.
   */
  withoutSome(name: string, x: Tensor, rate: number): Tensor {
    if (this.#dropoutRate === null || rate === 0) return x;
    const rows = x.shape[0] as number;
    const draw = (): Tensor => {
      const kept = Array.from({ length: rows }, () => 1 - rate);
      return this.dropout(ops.constant(kept, [rows, 1]), rate);
    };
    return ops.mul(x, getOrCreate(this.#masks, name, draw));
  }
}

const xavierNormal = (fanIn: number, fanOut: number): Initialiser => ({ kind: 'xavierNormal', fanIn, fanOut });
export const initialisers = {
  xavierNormal,
  xavierUniform: (fanIn: number, fanOut: number): Initialiser => ({ kind: 'xavierUniform', fanIn, fanOut }),
  constant: (value: number): Initialiser => ({ kind: 'constant', value }),
  normal: (deviation: number): Initialiser => ({ kind: 'normal', deviation }),
};

/** x W^T + b. x: (…, in). Result (…, out). */
export function linear(
  scope: Scope,
  name: string,
  x: Tensor,
  out: number,
  { bias = true, initialiser }: { bias?: boolean; initialiser?: Initialiser } = {},
): Tensor {
  const inner = x.shape.at(-1) as number;
  const weight = scope.parameter(`${name}.weight`, [out, inner], initialiser ?? xavierNormal(inner, out));
  return nn.linear(x, weight, bias ? scope.parameter(`${name}.bias`, [out], initialisers.constant(0)) : null);
}

/** Layer norm over the last axis with learned scale and shift. */
export function layerNorm(scope: Scope, name: string, x: Tensor, epsilon: number): Tensor {
  const width = x.shape.at(-1) as number;
  const scale = scope.parameter(`${name}.weight`, [width], initialisers.constant(1));
  return ops.layerNorm(x, scale, scope.parameter(`${name}.bias`, [width], initialisers.constant(0)), epsilon);
}

/** A small table (rows, width) that the graph takes whole, read at int32 indices. Result (…indices, width). */
export function embedding(scope: Scope, name: string, shape: readonly [number, number], indices: Tensor): Tensor {
  return ops.gather(scope.parameter(name, shape, xavierNormal(...shape)), indices);
}

/**
 * Adds a learned vector per position. x: (B,T,d); the parameter: (window,d), of which the first T are used. Its vectors start at `zero`; or
 * `small`, N(0, .02^2), where rows of padding go into a norm, which has no slope at zero; or `asTable`, as large as those of any table of its
 * size. That is many times as large as vectors of items start: a norm of the sum would see positions only, and what the items say is learnt
 * late or never.
 */
export function addPositions(scope: Scope, name: string, x: Tensor, window: number, start: PositionStart): Tensor {
  const [, positions, width] = x.shape as [number, number, number];
  return ops.add(x, positionVectors(scope, name, [positions, width], window, start));
}

/** What `addPositions` adds: (T,d), of a table of `window` rows. */
export function positionVectors(
  scope: Scope,
  name: string,
  [positions, width]: readonly [positions: number, width: number],
  window: number,
  start: PositionStart,
): Tensor {
  const { constant, normal } = initialisers;
  const starts = { zero: constant(0), small: normal(0.02), asTable: xavierNormal(window, width) };
  return ops.slice(scope.parameter(name, [window, width], starts[start]), 0, 0, positions);
}

type PositionStart = 'zero' | 'small' | 'asTable';

/**
 * Where the layer norm of a residual layer stands: before it, on its input alone, or behind it, on the sum; `code`: before it, as the released
 * code of SASRec and of those who replicated it has it, which differs from the paper's text: what is dropped are weights of attention and
 * what stands inside a feed-forward layer, and such a layer adds to its normed input.
 */
export type NormPlace = 'pre' | 'post' | 'code';

/** LN(X + Drop(f(X))), or X + Drop(f(LN(X))) where the norm comes first, or LN(X) + Drop(f(LN(X))). */
function residual(
  scope: Scope,
  name: string,
  x: Tensor,
  { epsilon, norm, adds, drops }: { epsilon: number; norm: NormPlace; adds: 'input' | 'normed'; drops: boolean },
  layer: (x: Tensor) => Tensor,
): Tensor {
  const normalised = (input: Tensor): Tensor => layerNorm(scope, `${name}.norm`, input, epsilon);
  const dropped = (output: Tensor): Tensor => (drops ? scope.dropout(output) : output);
  if (norm === 'post') return normalised(ops.add(x, dropped(layer(x))));
  const input = normalised(x);
  return ops.add(adds === 'normed' ? input : x, dropped(layer(input)));
}

/**
 * The first half of a Transformer block: LN(X + Drop(MHA(X, M))), X attending to M, with biases in the four projections; with
 * `norm: 'pre'` X + Drop(MHA(LN(X), M)), in which keys and values are those of M as it is (Kang and McAuley 2018), or X + MHA(LN(X), M) with
 * dropped weights. x: (B,S,d);
 * memory: (B,T,d), x itself for self-attention; mask: a shape that broadcasts to (B,h,S,T), 1 where a position of x may attend
 * to one of memory; `initialiser`: of the projections of query, key and value. Result (B,S,d).
 */
export function residualAttention(
  scope: Scope,
  name: string,
  x: Tensor,
  memory: Tensor,
  mask: Tensor,
  {
    heads,
    initialiser,
    epsilon,
    norm = 'post',
  }: { heads: number; epsilon: number; norm?: NormPlace; initialiser?: Initialiser },
): Tensor {
  const isOfCode = norm === 'code';
  const width = x.shape.at(-1) as number;
  const part = (role: 'query' | 'key' | 'value', source: Tensor): Tensor =>
    linear(scope, `${name}.${role}`, source, width, initialiser ? { initialiser } : {});
  return residual(scope, name, x, { epsilon, norm, adds: 'input', drops: !isOfCode }, (input) => {
    const [query, key, value] = [part('query', input), part('key', memory), part('value', memory)];
    const drop = isOfCode ? (weights: Tensor): Tensor => scope.dropout(weights) : undefined;
    return linear(scope, `${name}.output`, nn.multiHeadAttention(query, key, value, mask, heads, drop), width);
  });
}

/**
 * The second half: LN(X + Drop(F(X))) with F(X) = W_2 activation(W_1 X + b_1) + b_2; or X + Drop(F(LN(X))); or LN(X) + Drop(F(LN(X))) with W_2
 * activation(Drop(W_1 X + b_1)) + b_2. x: (…,d). Result (…,d).
 */
export function residualFeedForward(
  scope: Scope,
  name: string,
  x: Tensor,
  {
    innerWidth,
    activation,
    epsilon,
    norm = 'post',
  }: { innerWidth: number; activation: (x: Tensor) => Tensor; epsilon: number; norm?: NormPlace },
): Tensor {
  const isOfCode = norm === 'code';
  return residual(scope, name, x, { epsilon, norm, adds: isOfCode ? 'normed' : 'input', drops: true }, (input) => {
    const before = linear(scope, `${name}.inner`, input, innerWidth);
    const inner = activation(isOfCode ? scope.dropout(before) : before);
    return linear(scope, `${name}.outer`, inner, x.shape.at(-1) as number);
  });
}

/** A mask of keys (B,T) as multi-head attention takes it, (B,1,1,T). */
export function keyMask(mask: Tensor): Tensor {
  const [batch, positions] = mask.shape as [number, number];
  return ops.reshape(mask, [batch, 1, 1, positions]);
}

/**
 * One bidirectional Transformer block, post-norm (SESRec, Eq. 4 and 5): Z = LN(X + MHA(X)), H = LN(Z + FFN(Z)), inner
 * width d, LeakyReLU. Padded keys are not attended to. x: (B,T,d), mask: (B,T). Result (B,T,d).
 */
export function transformerBlock(scope: Scope, name: string, x: Tensor, mask: Tensor, heads: number): Tensor {
  const width = x.shape.at(-1) as number;
  const epsilon = 1e-8;
  const z = residualAttention(scope, `${name}.attention`, x, x, keyMask(mask), {
    heads,
    epsilon,
    // query, key and value were one packed (3d, d) matrix in the official code: its fan-out is 3d
    initialiser: initialisers.xavierUniform(width, 3 * width),
  });
  return residualFeedForward(scope, `${name}.feedForward`, z, {
    innerWidth: width,
    activation: (inner) => ops.leakyRelu(inner),
    epsilon,
  });
}

/**
 * Several transformer blocks, one after another: `name.0`, `name.1`, …
 */
export function transformer(
  scope: Scope,
  name: string,
  x: Tensor,
  mask: Tensor,
  { blocks, heads }: { blocks: number; heads: number },
): Tensor {
  let hidden = x;
  for (let block = 0; block < blocks; block++)
    hidden = transformerBlock(scope, `${name}.${block}`, hidden, mask, heads);
  return hidden;
}
