/**
 * Layers that read a history in its order: causal Transformers, filters in the frequency domain, and the state at the last
 * real position. Knows sequences and their masks; does not know what a position stands for, nor any one model.
 *
 * Shapes: B rows, T positions, d width. A mask (B,T) is 1 at real positions, which follow one another without gaps.
 */
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type NormPlace, type Scope, initialisers, keyMask, residualAttention, residualFeedForward } from './layers.js';

const { add, matmul, mul, reshape, sub } = ops;

/** What the blocks of a Transformer are like. */
export interface TransformerOptions {
  readonly blocks: number;
  readonly heads: number;
  /** Width of the feed-forward layer between its two linear maps. */
  readonly innerWidth: number;
  readonly activation: 'gelu' | 'relu';
  /** Of the layer norms. */
  readonly epsilon: number;
  /** Behind each layer unless told; `pre` leaves the sum of the last block as it is. */
  readonly norm?: NormPlace;
}

const activations = { gelu: nn.gelu, relu: ops.relu } as const;

/** One block: positions of x attend to those of memory that the mask allows. x: (B,S,d), memory: (B,T,d). */
function block(
  scope: Scope,
  name: string,
  x: Tensor,
  memory: Tensor,
  mask: Tensor,
  options: TransformerOptions,
): Tensor {
  return feedForward(scope, name, residualAttention(scope, `${name}.attention`, x, memory, mask, options), options);
}

function feedForward(scope: Scope, name: string, x: Tensor, options: TransformerOptions): Tensor {
  const activation = activations[options.activation];
  return residualFeedForward(scope, `${name}.feedForward`, x, { ...options, activation });
}

/**
 * Transformer blocks in which a position attends to those that a mask allows: Z = LN(X + Drop(MHA(X))), X = LN(Z +
 * Drop(FFN(Z))); with `norm: 'pre'` the norms come first, on what asks, not on keys and values: Z = X + Drop(MHA(LN(X), X)),
 * X = Z + Drop(FFN(LN(Z))); for `code` see `NormPlace`. Parameters `name.0`, `name.1`, … x: (B,T,d), mask: a shape that broadcasts to (B,h,T,T), 1 where
 * the position of the row may attend to that of the column. Result (B,T,d); positions that see nothing get finite values
 * that mean nothing.
 */
export function maskedTransformer(
  scope: Scope,
  name: string,
  x: Tensor,
  mask: Tensor,
  options: TransformerOptions,
): Tensor {
  let hidden = x;
  for (let at = 0; at < options.blocks; at++) hidden = block(scope, `${name}.${at}`, hidden, hidden, mask, options);
  return hidden;
}

/**
 * `maskedTransformer` of two sequences, one behind the other, in which positions attend to those of the other sequence alone. x: (B,S,d),
 * y: (B,T,d), masks: (B,S) and (B,T). Result (B,S,d) and (B,T,d); where there is nothing to attend to, finite values that mean nothing.
 */
export function crossTransformer(
  scope: Scope,
  name: string,
  [x, y]: readonly [x: Tensor, y: Tensor],
  masks: readonly [x: Tensor, y: Tensor],
  options: TransformerOptions,
): readonly [x: Tensor, y: Tensor] {
  const [ofX, ofY] = masks.map(keyMask) as [Tensor, Tensor];
  let hidden = [x, y] as const;
  for (let at = 0; at < options.blocks; at++)
    hidden = [
      block(scope, `${name}.${at}`, hidden[0], hidden[1], ofY, options),
      block(scope, `${name}.${at}`, hidden[1], hidden[0], ofX, options),
    ];
  return hidden;
}

/**
 * Decoder blocks (Vaswani et al. 2017), without a causal mask: x attends to itself, then to a memory, then comes the
 * feed-forward layer. Parameters `name.0.self.attention`, `name.0.cross.attention`, `name.0.feedForward`, … x: (B,S,d), mask: (B,S),
 * memory: (B,T,d), memoryMask: (B,T). Result (B,S,d); where there is nothing to attend to, finite values that mean nothing.
 */
export function transformerDecoder(
  scope: Scope,
  name: string,
  x: Tensor,
  mask: Tensor,
  memory: Tensor,
  memoryMask: Tensor,
  options: TransformerOptions,
): Tensor {
  let hidden = x;
  for (let at = 0; at < options.blocks; at++) {
    const own = residualAttention(scope, `${name}.${at}.self.attention`, hidden, hidden, keyMask(mask), options);
    const crossed = residualAttention(
      scope,
      `${name}.${at}.cross.attention`,
      own,
      memory,
      keyMask(memoryMask),
      options,
    );
    hidden = feedForward(scope, `${name}.${at}`, crossed, options);
  }
  return hidden;
}

/** 1 where a column is not after its row: a constant (T,T). */
function lowerTriangle(positions: number): Tensor {
  const isVisible = (entry: number): boolean => entry % positions <= Math.floor(entry / positions);
  const entries = Array.from({ length: positions ** 2 }, (_, entry) => (isVisible(entry) ? 1 : 0));
  return ops.constant(entries, [positions, positions]);
}

/**
 * `maskedTransformer` in which a position attends to itself and the real positions before it (Kang and McAuley 2018, SASRec;
 * post-norm it has the block of RecBole). x: (B,T,d), mask: (B,T). Result (B,T,d); at padded positions, and where a row has no
 * real one, finite values that mean nothing.
 */
export function causalTransformer(
  scope: Scope,
  name: string,
  x: Tensor,
  mask: Tensor,
  options: TransformerOptions,
): Tensor {
  const visible = mul(lowerTriangle(x.shape[1] as number), keyMask(mask)); // (B,1,T,T)
  return maskedTransformer(scope, name, x, visible, options);
}

/**
 * `lastState` of `causalTransformer`, of the same parameters, with the last block worked out for that one position: it sees
 * every real one, so the others only have to be its keys and values. At least one block. Result (B,d).
 */
export function lastOfCausalTransformer(
  scope: Scope,
  name: string,
  x: Tensor,
  mask: Tensor,
  options: TransformerOptions,
): Tensor {
  const [rows, , width] = x.shape as [number, number, number];
  const last = options.blocks - 1;
  const memory = causalTransformer(scope, name, x, mask, { ...options, blocks: last });
  const query = reshape(lastState(memory, mask), [rows, 1, width]);
  const state = block(scope, `${name}.${last}`, query, memory, keyMask(mask), options);
  return mul(reshape(state, [rows, width]), ops.greater(ops.sum(mask, [1]), 0));
}

/** 1 at the last real position of a mask. (B,T) to (B,T). */
export const lastOfMask = (mask: Tensor): Tensor => mul(mask, sub(1, aPlaceOn(mask)));

/** What stands at the next position; zeros at the last. x: (B,T,…). Result of the same shape. */
export function aPlaceOn(x: Tensor): Tensor {
  const positions = x.shape[1] as number;
  return positions === 1 ? mul(x, 0) : ops.pad(ops.slice(x, 1, 1, positions), 1, 0, 1);
}

/** The state at the last real position; zeros where there is none. x: (B,T,d), mask: (B,T). Result (B,d). */
export function lastState(x: Tensor, mask: Tensor): Tensor {
  const [rows, positions, width] = x.shape as [number, number, number];
  const isLast = positions === 1 ? mask : lastOfMask(mask);
  return reshape(matmul(reshape(isLast, [rows, 1, positions]), x), [rows, width]);
}

/** Matrices of the real discrete Fourier transform, orthonormal: cos and sin of 2 pi k t / T, over sqrt T. */
function fourierMatrices(positions: number, from: number) {
  const bins = Math.floor(positions / 2) + 1;
  const isReal = (bin: number): boolean => bin === 0 || 2 * bin === positions; // these have no imaginary part
  const turn = (bin: number, position: number): number => (2 * Math.PI * ((bin * position) % positions)) / positions;
  const cosine = (bin: number, position: number): number => Math.cos(turn(bin, position)) / Math.sqrt(positions);
  const sine = (bin: number, position: number): number =>
    isReal(bin) ? 0 : Math.sin(turn(bin, position)) / Math.sqrt(positions);
  const copies = (bin: number): number => (isReal(bin) ? 1 : 2); // bin k stands for bin T - k too
  const matrix = (rows: number, columns: number, entry: (row: number, column: number) => number): Tensor =>
    ops.constant(
      Array.from({ length: rows * columns }, (_, at) => entry(Math.floor(at / columns), at % columns)),
      [rows, columns],
    );
  return {
    bins,
    forward: {
      real: matrix(bins, positions, cosine),
      imaginary: matrix(bins, positions, (bin, position) => -sine(bin, position)),
    },
    inverse: {
      real: matrix(positions - from, bins, (row, bin) => copies(bin) * cosine(bin, from + row)),
      imaginary: matrix(positions - from, bins, (row, bin) => -copies(bin) * sine(bin, from + row)),
    },
  };
}

/**
 * The learnable filter of FMLP-Rec (Zhou et al. 2022): irfft(rfft(X) * W) along the positions, which is a circular
 * convolution of each channel. It sees padding like anything else: the newest action belongs at the same place in every row.
 * W: `name.filter` (floor(T/2) + 1, d, 2), real and imaginary parts; the imaginary parts of the first bin, and of the last
 * where T is even, have no effect and no gradient. x: (B,T,d). Result (B,T - from,d).
 * @param from the first position that is wanted; T - 1 for the last state alone
 */
export function frequencyFilter(scope: Scope, name: string, x: Tensor, from = 0): Tensor {
  const [rows, positions, width] = x.shape as [number, number, number];
  const { bins, forward, inverse } = fourierMatrices(positions, from);
  const filter = scope.parameter(`${name}.filter`, [bins, width, 2], initialisers.normal(0.02));
  const part = (at: 0 | 1): Tensor => reshape(ops.slice(filter, 2, at, at + 1), [bins, 1, width]);
  const [real, imaginary] = [part(0), part(1)];

  // positions in front, so that each transform is one product for all rows and channels
  const byPosition = reshape(ops.transpose(x, [1, 0, 2]), [positions, rows * width]);
  const transformed = (matrix: Tensor): Tensor => reshape(matmul(matrix, byPosition), [bins, rows, width]);
  const [a, b] = [transformed(forward.real), transformed(forward.imaginary)];
  const restored = (matrix: Tensor, spectrum: Tensor): Tensor =>
    matmul(matrix, reshape(spectrum, [bins, rows * width]));
  const filtered = add(
    restored(inverse.real, sub(mul(a, real), mul(b, imaginary))),
    restored(inverse.imaginary, add(mul(a, imaginary), mul(b, real))),
  );
  return ops.transpose(reshape(filtered, [positions - from, rows, width]), [1, 0, 2]);
}
