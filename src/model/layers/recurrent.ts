/**
 * Recurrent layers, unrolled to the positions of a batch. Knows gates and states; does not know what a position stands for, nor
 * any one model.
 *
 * Shapes: B rows, C candidates, T positions, g units. A mask (B,T) is 1 at real positions; at others the state is held, so with
 * padding on the right the last position holds the last real state.
 *
 * Differentiated through time by a rule of its own, exactly: primitive by primitive, the gradient of T slices of one
 * tensor would be a sum of T tensors of its whole size.
 */
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Scope, initialisers } from './layers.js';

const { add, concat, matmul, mul, reshape, slice, sub, sum } = ops;

/** What a step leaves behind for the way back. Gates: reset and update side by side, (B,C,2g); else (B,C,g). */
interface Step {
  readonly before: Tensor;
  readonly gates: Tensor;
  readonly recalled: Tensor;
  readonly fresh: Tensor;
  /** How much of the change is made: pace times update. */
  readonly gain: Tensor;
  /** fresh - before. */
  readonly change: Tensor;
}

interface Inputs {
  /** (B,T,3g): W x of reset, update and new, side by side. */
  readonly projected: Tensor;
  /** (B,C,T): what the update gate is multiplied with. */
  readonly pace: Tensor;
  /** (3g,g): U of reset, update and new, one below the other. */
  readonly recurrent: Tensor;
  /** (3g). */
  readonly bias: Tensor | null;
}

const at = (x: Tensor, axis: number, position: number): Tensor => slice(x, axis, position, position + 1);

/** All states, (B,C,g) each: h' = h + pace * update * (fresh - h), fresh = tanh(W_n x + reset * (U_n h + b_n)). */
function unroll({ projected, pace, recurrent, bias }: Inputs): { states: Tensor[]; steps: Step[] } {
  const [batch, candidates, positions] = pace.shape as [number, number, number];
  const units = recurrent.shape[1] as number;
  const recall = (state: Tensor, from: number, to: number): Tensor => {
    const flat = reshape(state, [batch * candidates, units]);
    const own = bias && slice(bias, 0, from, to);
    const product = matmul(flat, slice(recurrent, 0, from, to), { transposeB: true }, own);
    return reshape(product, [batch, candidates, to - from]);
  };
  const ofGates = slice(projected, 2, 0, 2 * units);
  const ofNew = slice(projected, 2, 2 * units, 3 * units);
  const [states, steps]: [Tensor[], Step[]] = [[], []];
  let before = ops.broadcast(ops.constant(0), [batch, candidates, units]);
  for (let position = 0; position < positions; position++) {
    const gates = ops.sigmoid(add(recall(before, 0, 2 * units), at(ofGates, 1, position)));
    const recalled = recall(before, 2 * units, 3 * units);
    const fresh = ops.tanh(add(mul(slice(gates, 2, 0, units), recalled), at(ofNew, 1, position)));
    const gain = mul(slice(gates, 2, units, 2 * units), at(pace, 2, position));
    const change = sub(fresh, before);
    steps.push({ before, gates, recalled, fresh, gain, change });
    before = add(before, mul(gain, change));
    states.push(before);
  }
  return { states, steps };
}

/** Back through time. `upstream`: the gradient by each state, null where there is none. Gradients by the inputs in their order. */
function backThroughTime(
  { projected, pace, recurrent, bias }: Inputs,
  steps: readonly Step[],
  upstream: (position: number) => Tensor | null,
): Tensor[] {
  const [batch, candidates] = pace.shape as [number, number, number];
  const units = recurrent.shape[1] as number;
  const [byProjected, byPace]: [Tensor[], Tensor[]] = [[], []];
  let [carried, byRecurrent, byBias]: (Tensor | null)[] = [null, null, null];
  const plus = (a: Tensor | null | undefined, b: Tensor): Tensor => (a ? add(a, b) : b);
  for (const [position, { before, gates, recalled, fresh, gain, change }] of [...steps.entries()].toReversed()) {
    const own = upstream(position);
    const total = own && carried ? add(own, carried) : (own ?? (carried as Tensor));
    const byFresh = mul(total, gain);
    const byNew = mul(byFresh, sub(1, mul(fresh, fresh)));
    const byRecalled = mul(byNew, slice(gates, 2, 0, units));
    // each times its gate already: of s (1 - s) one factor is left
    const byGates = mul(concat([mul(byRecalled, recalled), mul(byFresh, change)], 2), sub(1, gates));
    const flat = reshape(concat([byGates, byRecalled], 2), [batch * candidates, 3 * units]);
    byProjected.unshift(sum(concat([byGates, byNew], 2), [1]));
    byPace.unshift(sum(mul(mul(total, change), slice(gates, 2, units, 2 * units)), [2]));
    byRecurrent = plus(byRecurrent, matmul(flat, reshape(before, [batch * candidates, units]), { transposeA: true }));
    if (bias) byBias = plus(byBias, sum(flat, [0]));
    carried = add(sub(total, byFresh), reshape(matmul(flat, recurrent), [batch, candidates, units]));
  }
  return [
    reshape(concat(byProjected, 1), projected.shape),
    concat(byPace, 2),
    byRecurrent as Tensor,
    ...(bias ? [reshape(byBias as Tensor, bias.shape)] : []),
  ];
}

const sourcesOf = ({ projected, pace, recurrent, bias }: Inputs): Tensor[] =>
  bias ? [projected, pace, recurrent, bias] : [projected, pace, recurrent];

/** W, (3g,in), and U, (3g,g): reset, update and new, one below the other, each started as a matrix of its own. */
function weightsOf(scope: Scope, name: string, inner: number, units: number): { input: Tensor; recurrent: Tensor } {
  const start = initialisers.xavierUniform;
  return {
    input: scope.parameter(`${name}.input.weight`, [3 * units, inner], start(inner, units)),
    recurrent: scope.parameter(`${name}.recurrent.weight`, [3 * units, units], start(units, units)),
  };
}

/**
 * Gated recurrent unit (Cho et al. 2014, reset after the product): r = s(W_r x + U_r h), z = s(W_z x + U_z h), n = tanh(W_n x +
 * r (U_n h)), h' = (1 - z) n + z h, starting from 0. x: (B,T,in), mask: (B,T). Result: all states (B,T,g).
 */
export function gru(scope: Scope, name: string, x: Tensor, mask: Tensor, units: number, { bias = false } = {}): Tensor {
  const [batch, positions, inner] = x.shape as [number, number, number];
  const { input, recurrent } = weightsOf(scope, name, inner, units);
  // 1 - s(v) = s(-v): with the update turned round, both units take as much of the new as their gate says
  const sign = ops.constant(Array.from({ length: 3 * units }, (_, i) => (Math.floor(i / units) === 1 ? -1 : 1)));
  const turned = (weight: Tensor): Tensor => mul(weight, reshape(sign, [3 * units, 1]));
  const biasOf = (part: string): Tensor | null =>
    bias ? mul(scope.parameter(`${name}.${part}.bias`, [3 * units], initialisers.constant(0)), sign) : null;
  const inputs = {
    projected: nn.linear(x, turned(input), biasOf('input')),
    pace: reshape(mask, [batch, 1, positions]),
    recurrent: turned(recurrent),
    bias: biasOf('recurrent'),
  };
  const { states, steps } = unroll(inputs);
  return ops.withGradient(concat(states, 1), sourcesOf(inputs), (upstream) =>
    backThroughTime(inputs, steps, (position) => at(upstream, 1, position)),
  );
}

/**
 * Gated recurrent unit with attentional update gate (Zhou et al. 2019, DIEN, Eq. 14 to 16): z' = a z, s' = (1 - z') s + z' n. The
 * update gate scales the new here: a = 0 leaves the state. x: (B,T,in), the same for all candidates; attention: (B,C,T);
 * mask: (B,T). Result: the last states (B,C,g).
 */
export function augru(scope: Scope, name: string, x: Tensor, attention: Tensor, mask: Tensor, units: number): Tensor {
  const [batch, , positions] = attention.shape as [number, number, number];
  const { input, recurrent } = weightsOf(scope, name, x.shape[2] as number, units);
  const inputs = {
    projected: nn.linear(x, input),
    pace: mul(attention, reshape(mask, [batch, 1, positions])),
    recurrent,
    bias: null,
  };
  const { states, steps } = unroll(inputs);
  return ops.withGradient(states.at(-1) as Tensor, sourcesOf(inputs), (upstream) =>
    backThroughTime(inputs, steps, (position) => (position === positions - 1 ? upstream : null)),
  );
}
