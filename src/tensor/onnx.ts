/**
 * From graph to ONNX model bytes (standard operators, opset 17). Knows the lowering rule of each primitive and the
 * few fields of the ONNX format that are needed; does not know who runs the model.
 *
 * Deterministic by construction: sums at repeated rows use ScatterElements where an operator has several threads, because
 * ScatterND with reduction `add` then differs from run to run (measured on ONNX Runtime 1.30). On one thread both add in
 * the order of the rows, to the same bits, and ScatterND is nine times as fast.
 */
import { PbfWriter } from 'pbf';
import { getOrCreate } from '../base/index.js';
import { type DataType, type RuleTable, type Shape, type Tensor, applyRule, topologicalOrder } from './graph.js';

const OPSET_VERSION = 17;
const IR_VERSION = 8;
// TensorProto.DataType
const FLOAT = 1;
const INT32 = 6;
const INT64 = 7;
const dataTypeCode: Readonly<Record<DataType, number>> = { float32: FLOAT, int32: INT32 };

type Attribute = number | string | { readonly float: number } | readonly number[];
interface OnnxNode {
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Collects nodes and initialisers while tensors are lowered one after another. */
class Builder {
  /** Whether no operator will have more than one thread. */
  readonly oneThread: boolean;
  readonly nodes: OnnxNode[] = [];
  readonly initialisers = new Map<string, { dtype: number; shape: Shape; bytes: Uint8Array }>();
  readonly #constants = new Map<string, string>();

  constructor(oneThread: boolean) {
    this.oneThread = oneThread;
  }

  node(
    type: string,
    inputs: readonly string[],
    output: string | readonly string[],
    attributes: OnnxNode['attributes'] = {},
  ): void {
    this.nodes.push({ type, inputs, outputs: typeof output === 'string' ? [output] : output, attributes });
  }

  /** The name of an initialiser with the given content; equal contents share one. */
  constant(values: Float32Array | BigInt64Array, shape: Shape): string {
    const isFloat = values instanceof Float32Array;
    const content = `${isFloat ? 'float' : 'int'}[${shape}]:${values.join(',')}`;
    return getOrCreate(this.#constants, content, () => {
      const name = `constant ${this.#constants.size}`; // every node that takes it says its name, so that is short
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      this.initialisers.set(name, { dtype: isFloat ? FLOAT : INT64, shape, bytes });
      return name;
    });
  }

  integers(values: readonly number[]): string {
    return this.constant(BigInt64Array.from(values, BigInt), [values.length]);
  }
}

interface Lowering {
  readonly builder: Builder;
  readonly tensor: Tensor;
  /** Names of the inputs. */
  readonly inputs: readonly string[];
  /** Name that the result must get. */
  readonly output: string;
}

const direct =
  (type: string) =>
  (_: unknown, { builder, inputs, output }: Lowering): void =>
    builder.node(type, inputs, output);
const comparison =
  (type: string) =>
  (_: unknown, { builder, inputs, output }: Lowering): void => {
    builder.node(type, inputs, `${output}.boolean`);
    builder.node('Cast', [`${output}.boolean`], output, { to: FLOAT });
  };
const nothing = (): void => {};
/** A by-product of a layer norm is a further output of its ONNX node; only the name is passed on. */
const layerNormOutput =
  (suffix: string) =>
  (_: unknown, { builder, inputs, output }: Lowering): void =>
    builder.node('Identity', [`${inputs[0]}${suffix}`], output);

const swapLastTwo = (rank: number): number[] => [
  ...Array.from({ length: rank - 2 }, (_, axis) => axis),
  rank - 1,
  rank - 2,
];

const loweringRules: RuleTable<Lowering, void> = {
  input: nothing,
  constant: nothing,
  add: direct('Add'),
  sub: direct('Sub'),
  mul: direct('Mul'),
  div: direct('Div'),
  maximum: direct('Max'),
  greater: comparison('Greater'),
  greaterOrEqual: comparison('GreaterOrEqual'),
  neg: direct('Neg'),
  exp: direct('Exp'),
  log: direct('Log'),
  sqrt: direct('Sqrt'),
  tanh: direct('Tanh'),
  sigmoid: direct('Sigmoid'),
  relu: direct('Relu'),
  // log(1 + e^x) = max(x, 0) - log sigmoid(|x|): ONNX Runtime's Softplus does the same, without overflow
  softplus: direct('Softplus'),
  erf: direct('Erf'),
  leakyRelu: (op, { builder, inputs, output }) =>
    builder.node('LeakyRelu', inputs, output, { alpha: { float: op.slope } }),
  reshape: (op, { builder, inputs, output }) =>
    builder.node('Reshape', [...inputs, builder.integers(op.shape)], output),
  broadcast: (op, { builder, inputs, output }) =>
    builder.node('Expand', [...inputs, builder.integers(op.shape)], output),
  transpose: (op, { builder, inputs, output }) => builder.node('Transpose', inputs, output, { perm: op.permutation }),
  concat: (op, { builder, inputs, output }) => builder.node('Concat', inputs, output, { axis: op.axis }),
  slice: (op, { builder, inputs, output }) =>
    builder.node(
      'Slice',
      [...inputs, builder.integers([op.start]), builder.integers([op.end]), builder.integers([op.axis])],
      output,
    ),
  pad: (op, { builder, tensor, inputs, output }) => {
    const zeros = tensor.shape.map(() => 0);
    builder.node(
      'Pad',
      [...inputs, builder.integers([...zeros.with(op.axis, op.before), ...zeros.with(op.axis, op.after)])],
      output,
    );
  },
  sum: (op, { builder, inputs, output }) =>
    builder.node('ReduceSum', [...inputs, builder.integers(op.axes)], output, { keepdims: 1 }),
  matmul: (op, { builder, tensor, inputs, output }) => {
    const rank = tensor.shape.length;
    if (rank === 2) {
      builder.node('Gemm', inputs, output, { transA: op.transposeA ? 1 : 0, transB: op.transposeB ? 1 : 0 });
      return;
    }
    // ONNX Runtime folds such a transpose into its FusedMatMul: nothing is moved.
    const operand = (position: 0 | 1, transposed: boolean): string => {
      const name = inputs[position] as string;
      if (!transposed) return name;
      builder.node('Transpose', [name], `${output}.transposed${position}`, { perm: swapLastTwo(rank) });
      return `${output}.transposed${position}`;
    };
    builder.node('MatMul', [operand(0, op.transposeA), operand(1, op.transposeB)], output);
  },
  softmax: (_, { builder, inputs, output }) => builder.node('Softmax', inputs, output, { axis: -1 }),
  layerNorm: (op, { builder, inputs, output }) =>
    builder.node('LayerNormalization', inputs, [output, `${output}.mean`, `${output}.inverse`], {
      axis: -1,
      epsilon: { float: op.epsilon },
    }),
  layerNormMean: layerNormOutput('.mean'),
  layerNormInverseDeviation: layerNormOutput('.inverse'),
  withGradient: (_, { builder, inputs, output }) => builder.node('Identity', [inputs[0] as string], output),
  gather: (_, { builder, inputs, output }) => builder.node('Gather', inputs, output, { axis: 0 }),
  scatterAdd: (op, { builder, tensor, inputs, output }) => {
    const [indices, updates] = inputs as [string, string];
    const width = tensor.shape[1] as number;
    const zeros = `${output}.zeros`;
    builder.node('Expand', [builder.constant(Float32Array.of(0), []), builder.integers([op.rows, width])], zeros);
    if (builder.oneThread) {
      builder.node('Cast', [indices], `${output}.whole`, { to: INT64 });
      builder.node('Unsqueeze', [`${output}.whole`, builder.integers([1])], `${output}.indices`);
      builder.node('ScatterND', [zeros, `${output}.indices`, updates], output, { reduction: 'add' });
      return;
    }
    builder.node('Unsqueeze', [indices, builder.integers([1])], `${output}.column`);
    // The number of updates is taken from the indices themselves: Expand broadcasts (n,1) with (1,width).
    builder.node('Expand', [`${output}.column`, builder.integers([1, width])], `${output}.indices`);
    builder.node('ScatterElements', [zeros, `${output}.indices`, updates], output, { axis: 0, reduction: 'add' });
  },
};

/** A graph input as a caller must supply it. */
export interface InputDescription {
  readonly key: string;
  readonly shape: Shape;
  readonly dtype: DataType;
}

export interface OnnxModel {
  readonly bytes: Uint8Array;
  readonly inputs: readonly InputDescription[];
  readonly outputs: readonly { readonly key: string; readonly shape: Shape }[];
}

/** Values that a file holds under a name. */
export interface HeldValues {
  readonly shape: Shape;
  readonly data: Float32Array | Int32Array;
}

/**
 * What a file has before a graph: inputs of its own, and how inputs of the graph come of them and of held values. For files that somebody
 * else runs, who does not want to know what a batch is.
 */
export interface Prelude {
  readonly inputs: readonly InputDescription[];
  /** What the file calls an input of the graph, where it has another name there. */
  readonly names: Readonly<Record<string, string>>;
  readonly held: ReadonlyMap<string, HeldValues>;
  /** In the order in which they can be computed. Gather and Concat go along the first axis; `shape`: of Reshape. */
  readonly steps: readonly (
    | {
        readonly operator: 'Gather';
        readonly inputs: readonly [table: string, indices: string];
        readonly output: string;
      }
    | { readonly operator: 'Concat'; readonly inputs: readonly string[]; readonly output: string }
    | { readonly operator: 'Add' | 'Equal'; readonly inputs: readonly [string, string]; readonly output: string }
    | {
        readonly operator: 'Where';
        readonly inputs: readonly [condition: string, where: string, elsewhere: string];
        readonly output: string;
      }
    | {
        readonly operator: 'Reshape';
        readonly inputs: readonly [string];
        readonly output: string;
        readonly shape: Shape;
      }
  )[];
}

export interface OnnxOptions {
  /** It will be run on one thread only. */
  readonly oneThread?: boolean;
  readonly prelude?: Prelude;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Writes what comes before a graph; the names of all that it makes. */
function writePrelude(builder: Builder, { held, steps }: Prelude): Set<string> {
  for (const [name, { shape, data }] of held)
    builder.initialisers.set(name, {
      dtype: data instanceof Float32Array ? FLOAT : INT32,
      shape,
      bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    });
  for (const step of steps) {
    const { operator, inputs, output } = step;
    if (operator === 'Reshape') builder.node(operator, [...inputs, builder.integers(step.shape)], output);
    else if (operator === 'Gather' || operator === 'Concat') builder.node(operator, inputs, output, { axis: 0 });
    else builder.node(operator, inputs, output);
  }
  return new Set([...held.keys(), ...steps.map(({ output }) => output)]);
}

/** Lowers the graph behind some named tensors to the bytes of an ONNX model. */
export function toOnnx(
  outputs: Readonly<Record<string, Tensor>>,
  { oneThread = false, prelude, metadata = {} }: OnnxOptions = {},
): OnnxModel {
  const builder = new Builder(oneThread);
  const made = prelude ? writePrelude(builder, prelude) : new Set<string>();
  const names = new Map<Tensor, string>();
  const inputs = new Map((prelude?.inputs ?? []).map((input) => [input.key, input]));
  for (const tensor of topologicalOrder(Object.values(outputs))) {
    const { op, shape, dtype } = tensor;
    let name = `${op.name}_${names.size}`;
    if (op.name === 'input') {
      name = prelude?.names[op.key] ?? op.key;
      const known = inputs.get(name);
      if (known && (known.dtype !== dtype || known.shape.join() !== shape.join()))
        throw new Error(`internal error: input ${name} has two shapes`);
      if (!made.has(name)) inputs.set(name, { key: name, shape, dtype });
    } else if (op.name === 'constant') {
      name = builder.constant(Float32Array.from(op.data), shape);
    }
    names.set(tensor, name);
    applyRule(loweringRules, op, {
      builder,
      tensor,
      output: name,
      inputs: tensor.inputs.map((source) => names.get(source) as string),
    });
  }
  const results = Object.entries(outputs).map(([key, tensor]) => {
    builder.node('Identity', [names.get(tensor) as string], key);
    return { key, shape: tensor.shape, dtype: tensor.dtype };
  });
  const taken = [...inputs.values()];
  return { bytes: encode(builder, taken, results, metadata), inputs: taken, outputs: results };
}

/** Serialises to protocol buffers. The numbers are the field numbers of onnx.proto. */
function encode(
  builder: Builder,
  inputs: readonly InputDescription[],
  outputs: readonly InputDescription[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const message = <T>(pbf: PbfWriter, field: number, value: T, write: (value: T, pbf: PbfWriter) => void): void =>
    pbf.writeMessage(field, write, value);

  const writeValueInfo = (value: InputDescription, pbf: PbfWriter): void => {
    pbf.writeStringField(1, value.key);
    message(pbf, 2, value, (__, type) =>
      message(type, 1, value, (___, tensorType) => {
        tensorType.writeVarintField(1, dataTypeCode[value.dtype]);
        message(tensorType, 2, value, (____, shape) => {
          for (const size of value.shape)
            message(shape, 1, size, (dimension, inner) => inner.writeVarintField(1, dimension));
        });
      }),
    );
  };
  const writeAttribute = ([name, value]: [string, Attribute], pbf: PbfWriter): void => {
    pbf.writeStringField(1, name);
    if (typeof value === 'number') {
      pbf.writeVarintField(3, value);
      pbf.writeVarintField(20, 2);
    } else if (typeof value === 'string') {
      pbf.writeStringField(4, value);
      pbf.writeVarintField(20, 3);
    } else if ('float' in value) {
      pbf.writeFloatField(2, value.float);
      pbf.writeVarintField(20, 1);
    } else {
      for (const integer of value) pbf.writeVarintField(8, integer);
      pbf.writeVarintField(20, 7);
    }
  };
  const writeNode = (node: OnnxNode, pbf: PbfWriter): void => {
    for (const name of node.inputs) pbf.writeStringField(1, name);
    for (const name of node.outputs) pbf.writeStringField(2, name);
    pbf.writeStringField(4, node.type);
    for (const attribute of Object.entries(node.attributes)) message(pbf, 5, attribute, writeAttribute);
  };

  const pbf = new PbfWriter();
  pbf.writeVarintField(1, IR_VERSION);
  pbf.writeStringField(2, 'sesrec');
  message(pbf, 7, builder, (_, graph) => {
    for (const node of builder.nodes) message(graph, 1, node, writeNode);
    graph.writeStringField(2, 'sesrec');
    for (const [name, { dtype, shape, bytes }] of builder.initialisers) {
      message(graph, 5, name, (__, tensor) => {
        for (const size of shape) tensor.writeVarintField(1, size);
        tensor.writeVarintField(2, dtype);
        tensor.writeStringField(8, name);
        tensor.writeBytesField(9, bytes);
      });
    }
    for (const value of inputs) message(graph, 11, value, writeValueInfo);
    for (const value of outputs) message(graph, 12, value, writeValueInfo);
  });
  message(pbf, 8, OPSET_VERSION, (version, opset) => {
    opset.writeStringField(1, '');
    opset.writeVarintField(2, version);
  });
  for (const entry of Object.entries(metadata))
    message(pbf, 14, entry, ([key, value], property) => {
      property.writeStringField(1, key);
      property.writeStringField(2, value);
    });
  return pbf.finish();
}
