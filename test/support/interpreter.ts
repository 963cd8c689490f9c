/**
 * A second opinion on graphs: evaluates them in float64 with plain loops. Knows the meaning of each primitive,
 * written down independently of gradients.ts and onnx.ts; slow, for tests only.
 */
import {
  type RuleTable,
  type Shape,
  type Tensor,
  applyRule,
  sizeOf,
  topologicalOrder,
} from '../../src/tensor/graph.js';

type Values = Float64Array;
interface Evaluation {
  readonly inputs: readonly Values[];
  readonly shapes: readonly Shape[];
  readonly shape: Shape;
  readonly given: Readonly<Record<string, ArrayLike<number>>>;
}

const knownStrides = new WeakMap<Shape, readonly number[]>();
function strides(shape: Shape): readonly number[] {
  let known = knownStrides.get(shape);
  if (!known) {
    known = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
    knownStrides.set(shape, known);
  }
  return known;
}

/** Calls back with the coordinates of every entry, in row-major order. The array of them is the same one each time. */
function forEachIndex(shape: Shape, visit: (index: readonly number[], position: number) => void): void {
  const index = shape.map(() => 0);
  const size = sizeOf(shape);
  for (let position = 0; position < size; position++) {
    visit(index, position);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] as number) + 1;
      index[axis] = next % (shape[axis] as number);
      if (index[axis] !== 0) break;
    }
  }
}

/** Where in an array of the given shape the entry is that broadcasting puts at an index of higher or equal rank. */
function placeOf(shape: Shape, index: readonly number[]): number {
  const step = strides(shape);
  const lead = index.length - shape.length;
  let position = 0;
  for (let axis = 0; axis < shape.length; axis++)
    if (shape[axis] !== 1) position += (index[axis + lead] as number) * (step[axis] as number);
  return position;
}
const pick = (values: Values, shape: Shape, index: readonly number[]): number =>
  values[placeOf(shape, index)] as number;

function generate(shape: Shape, entry: (index: readonly number[], position: number) => number): Values {
  const values = new Float64Array(sizeOf(shape));
  forEachIndex(shape, (index, position) => {
    values[position] = entry(index, position);
  });
  return values;
}

const binary =
  (rule: (a: number, b: number) => number) =>
  (_: unknown, { inputs, shapes, shape }: Evaluation): Values =>
    generate(shape, (index) =>
      rule(pick(inputs[0] as Values, shapes[0] as Shape, index), pick(inputs[1] as Values, shapes[1] as Shape, index)),
    );
const unary =
  (rule: (x: number) => number) =>
  (_: unknown, { inputs }: Evaluation): Values =>
    (inputs[0] as Values).map(rule);
const moved =
  (source: (index: readonly number[]) => readonly number[]) =>
  ({ inputs, shapes, shape }: Evaluation): Values =>
    generate(shape, (index) => {
      const from = source(index);
      const inside = from.every((at, axis) => at >= 0 && at < ((shapes[0] as Shape)[axis] as number));
      return inside ? pick(inputs[0] as Values, shapes[0] as Shape, from) : 0;
    });
/** Statistics of each last-axis row of the first input. */
function rows({
  inputs,
  shapes,
}: Evaluation): { values: Values; mean: number; deviation: (epsilon: number) => number }[] {
  const width = (shapes[0] as Shape).at(-1) as number;
  const x = inputs[0] as Values;
  return Array.from({ length: x.length / width }, (_, row) => {
    const values = x.slice(row * width, (row + 1) * width);
    const mean = values.reduce((a, b) => a + b, 0) / width;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / width;
    return { values, mean, deviation: (epsilon) => Math.sqrt(variance + epsilon) };
  });
}

/**
 * erf x = 2 / sqrt(pi) e^(-x^2) (x + 2 x^3 / 3 + 4 x^5 / (3 * 5) + …), Abramowitz and Stegun 7.1.6: its terms have one sign,
 * so nothing cancels. From 6 on the result is 1 to the last bit.
 */
function errorFunction(x: number): number {
  if (Math.abs(x) >= 6) return Math.sign(x);
  let term = x;
  let total = x;
  for (let odd = 3; Math.abs(term) > 1e-18 * Math.abs(total); odd += 2) {
    term *= (2 * x * x) / odd;
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}

/** By-products of a layer norm are worked out from what the layer norm was given; see `evaluate`. */
let layerNormSource = new WeakMap<Values, Evaluation & { epsilon: number }>();

const rules: RuleTable<Evaluation, Values> = {
  input: (op, { given }) => Float64Array.from(given[op.key] as ArrayLike<number>),
  constant: (op) => Float64Array.from(op.data),
  add: binary((a, b) => a + b),
  sub: binary((a, b) => a - b),
  mul: binary((a, b) => a * b),
  div: binary((a, b) => a / b),
  maximum: binary((a, b) => Math.max(a, b)),
  greater: binary((a, b) => (a > b ? 1 : 0)),
  greaterOrEqual: binary((a, b) => (a >= b ? 1 : 0)),
  neg: unary((x) => -x),
  exp: unary(Math.exp),
  log: unary(Math.log),
  sqrt: unary(Math.sqrt),
  tanh: unary(Math.tanh),
  sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
  relu: unary((x) => Math.max(x, 0)),
  softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  erf: unary(errorFunction),
  leakyRelu: (op, { inputs }) => (inputs[0] as Values).map((x) => (x > 0 ? x : op.slope * x)),
  reshape: (_, { inputs }) => inputs[0] as Values,
  withGradient: (_, { inputs }) => inputs[0] as Values,
  broadcast: (_, { inputs, shapes, shape }) =>
    generate(shape, (index) => pick(inputs[0] as Values, shapes[0] as Shape, index)),
  transpose: (op, evaluation) =>
    moved((index) => index.map((__, axis) => index[op.permutation.indexOf(axis)] as number))(evaluation),
  concat: (op, { inputs, shapes, shape }) =>
    generate(shape, (index) => {
      let at = index[op.axis] as number;
      let part = 0;
      while (at >= ((shapes[part] as Shape)[op.axis] as number)) at -= (shapes[part++] as Shape)[op.axis] as number;
      return pick(inputs[part] as Values, shapes[part] as Shape, index.with(op.axis, at));
    }),
  slice: (op, evaluation) => moved((index) => index.with(op.axis, (index[op.axis] as number) + op.start))(evaluation),
  pad: (op, evaluation) => moved((index) => index.with(op.axis, (index[op.axis] as number) - op.before))(evaluation),
  sum: (_, { inputs, shapes, shape }) => {
    const totals = new Float64Array(sizeOf(shape));
    const step = strides(shape);
    forEachIndex(shapes[0] as Shape, (index, position) => {
      const target = shape.reduce(
        (at, size, axis) => at + (size === 1 ? 0 : (index[axis] as number) * (step[axis] as number)),
        0,
      );
      totals[target] = (totals[target] as number) + ((inputs[0] as Values)[position] as number);
    });
    return totals;
  },
  matmul: (op, { inputs, shapes, shape }) => {
    const [aShape, bShape] = shapes as [Shape, Shape];
    const inner = (op.transposeA ? aShape.at(-2) : aShape.at(-1)) as number;
    return generate(shape, (index) => {
      const [lead, row, column] = [index.slice(0, -2), index.at(-2) as number, index.at(-1) as number];
      const ofA = placeOf(aShape, [...lead, ...(op.transposeA ? [0, row] : [row, 0])]);
      const ofB = placeOf(bShape, [...lead, ...(op.transposeB ? [column, 0] : [0, column])]);
      const [stepA, stepB] = [
        op.transposeA ? (aShape.at(-1) as number) : 1,
        op.transposeB ? 1 : (bShape.at(-1) as number),
      ];
      let total = inputs[2]?.[column] ?? 0;
      for (let k = 0; k < inner; k++)
        total +=
          ((inputs[0] as Values)[ofA + k * stepA] as number) * ((inputs[1] as Values)[ofB + k * stepB] as number);
      return total;
    });
  },
  softmax: (_, evaluation) =>
    Float64Array.from(
      rows(evaluation).flatMap(({ values }) => {
        const largest = Math.max(...values);
        const powers = Array.from(values, (x) => Math.exp(x - largest));
        const total = powers.reduce((a, b) => a + b, 0);
        return powers.map((power) => power / total);
      }),
    ),
  layerNorm: (op, evaluation) => {
    const [scale, shift] = evaluation.inputs.slice(1) as [Values, Values];
    const result = Float64Array.from(
      rows(evaluation).flatMap(({ values, mean, deviation }) =>
        Array.from(
          values,
          (x, at) => ((x - mean) / deviation(op.epsilon)) * (scale[at] as number) + (shift[at] as number),
        ),
      ),
    );
    layerNormSource.set(result, { ...evaluation, epsilon: op.epsilon });
    return result;
  },
  layerNormMean: (_, { inputs }) => {
    const source = layerNormSource.get(inputs[0] as Values);
    return Float64Array.from(rows(source as Evaluation).map(({ mean }) => mean));
  },
  layerNormInverseDeviation: (_, { inputs }) => {
    const source = layerNormSource.get(inputs[0] as Values) as Evaluation & { epsilon: number };
    return Float64Array.from(rows(source).map(({ deviation }) => 1 / deviation(source.epsilon)));
  },
  gather: (_, { inputs, shapes }) => {
    const width = sizeOf((shapes[0] as Shape).slice(1));
    const table = inputs[0] as Values;
    return Float64Array.from(
      Array.from(inputs[1] as Values).flatMap((row) => Array.from(table.slice(row * width, (row + 1) * width))),
    );
  },
  scatterAdd: (_, { inputs, shapes, shape }) => {
    const totals = new Float64Array(sizeOf(shape));
    const [indices, updates] = inputs as [Values, Values];
    forEachIndex(shapes[1] as Shape, ([row, column], position) => {
      const target = (indices[row as number] as number) * (shape[1] as number) + (column as number);
      totals[target] = (totals[target] as number) + (updates[position] as number);
    });
    return totals;
  },
};

/** Values of some tensors in float64, for given inputs by key. */
export function evaluate(
  outputs: readonly Tensor[],
  given: Readonly<Record<string, ArrayLike<number>>>,
): Float64Array[] {
  layerNormSource = new WeakMap();
  const values = new Map<Tensor, Values>();
  for (const tensor of topologicalOrder(outputs)) {
    const inputs = tensor.inputs.map((source) => values.get(source) as Values);
    values.set(
      tensor,
      applyRule(rules, tensor.op, {
        inputs,
        shapes: tensor.inputs.map((source) => source.shape),
        shape: tensor.shape,
        given,
      }),
    );
  }
  return outputs.map((tensor) => values.get(tensor) as Values);
}

/**
 * Values of some tensors in float64, time and again with another value of one input: only what depends on that input is worked
 * out anew. `values` must be as many as those given at first.
 */
export function reevaluator(
  outputs: readonly Tensor[],
  given: Readonly<Record<string, ArrayLike<number>>>,
): (key: string, values: ArrayLike<number>) => Float64Array[] {
  layerNormSource = new WeakMap();
  const order = topologicalOrder(outputs);
  const evaluated = (tensor: Tensor, known: (source: Tensor) => Values, inputs: Evaluation['given']): Values =>
    applyRule(rules, tensor.op, {
      inputs: tensor.inputs.map(known),
      shapes: tensor.inputs.map((source) => source.shape),
      shape: tensor.shape,
      given: inputs,
    });
  const base = new Map<Tensor, Values>();
  for (const tensor of order)
    base.set(
      tensor,
      evaluated(tensor, (source) => base.get(source) as Values, given),
    );
  return (key, values) => {
    const changed = new Map<Tensor, Values>();
    const known = (source: Tensor): Values => changed.get(source) ?? (base.get(source) as Values);
    for (const tensor of order) {
      const isChanged =
        tensor.op.name === 'input' ? tensor.op.key === key : tensor.inputs.some((source) => changed.has(source));
      if (isChanged) changed.set(tensor, evaluated(tensor, known, { [key]: values }));
    }
    return outputs.map(known);
  };
}
