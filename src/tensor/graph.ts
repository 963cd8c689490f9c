/**
 * The node of a computation graph, and the closed list of primitive operations that it may be of. Knows data types, shapes and that a
 * tensor comes from other tensors; does not know what any operation means: the rules of a concern are a table typed by the list.
 *
 * A graph is nothing but tensors that refer to the tensors they are computed from. It is immutable, has no registry
 * and no names but those of its inputs.
 */

export type DataType = 'float32' | 'int32';

/** Sizes of the axes, outermost first; [] is a scalar. */
export type Shape = readonly number[];

export interface Tensor {
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly shape: Shape;
  readonly dtype: DataType;
}

export type Op =
  | { readonly name: 'input'; readonly key: string; readonly shape: Shape; readonly dtype: DataType }
  | { readonly name: 'constant'; readonly data: readonly number[]; readonly shape: Shape }
  // elementwise, two tensors
  | { readonly name: 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'greater' | 'greaterOrEqual' }
  // elementwise, one tensor
  | { readonly name: 'neg' | 'exp' | 'log' | 'sqrt' | 'tanh' | 'sigmoid' | 'relu' | 'softplus' | 'erf' }
  | { readonly name: 'leakyRelu'; readonly slope: number }
  // layout
  | { readonly name: 'reshape' | 'broadcast'; readonly shape: Shape }
  | { readonly name: 'transpose'; readonly permutation: readonly number[] }
  | { readonly name: 'concat'; readonly axis: number }
  | { readonly name: 'slice'; readonly axis: number; readonly start: number; readonly end: number }
  | { readonly name: 'pad'; readonly axis: number; readonly before: number; readonly after: number }
  // reduction and products
  | { readonly name: 'sum'; readonly axes: readonly number[] }
  | { readonly name: 'matmul'; readonly transposeA: boolean; readonly transposeB: boolean }
  | { readonly name: 'softmax' }
  | { readonly name: 'layerNorm'; readonly epsilon: number }
  | { readonly name: 'layerNormMean' | 'layerNormInverseDeviation' }
  // rows
  | { readonly name: 'gather' }
  | { readonly name: 'scatterAdd'; readonly rows: number }
  // a tensor whose gradient is worked out by a rule of its own
  | { readonly name: 'withGradient'; readonly rule: OwnGradient };

/** The gradients by the sources of a tensor, from that by the tensor itself. */
export type OwnGradient = (upstream: Tensor) => readonly Tensor[];

export type OpName = Op['name'];
/** The member of the union with a given name. */
export type OpNamed<Name extends OpName> = Op & { readonly name: Name };
/** One rule per operation: a forgotten one does not compile. */
export type RuleTable<Argument, Result> = {
  readonly [Name in OpName]: (op: OpNamed<Name>, argument: Argument) => Result;
};

/** Calls the rule of an operation. The table's type guarantees that name and rule fit; TypeScript cannot see it through a union. */
export function applyRule<Argument, Result>(rules: RuleTable<Argument, Result>, op: Op, argument: Argument): Result {
  return (rules[op.name] as (op: Op, argument: Argument) => Result)(op, argument);
}

/** The number of entries of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Every tensor that the given ones are computed from, and they themselves, each once, inputs before users. */
export function topologicalOrder(outputs: readonly Tensor[]): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>();
  // Depth first with a stack of our own: unrolled recurrent graphs are deeper than the call stack.
  const stack: { tensor: Tensor; next: number }[] = [];
  for (const output of outputs) {
    if (seen.has(output)) continue;
    seen.add(output);
    stack.push({ tensor: output, next: 0 });
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const child = top.tensor.inputs[top.next++];
      if (child === undefined) {
        order.push(top.tensor);
        stack.pop();
      } else if (!seen.has(child)) {
        seen.add(child);
        stack.push({ tensor: child, next: 0 });
      }
    }
  }
  return order;
}
