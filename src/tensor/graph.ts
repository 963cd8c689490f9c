/**
 * The node of a computation graph. Knows data types, shapes and that a tensor comes from other tensors; does not
 * know what any operation means.
 *
 * A graph is nothing but tensors that refer to the tensors they are computed from. It is immutable, has no registry
 * and no names but those of its inputs.
 */
import type { Op } from './ops.js';

export type DataType = 'float32' | 'int32';

/** Sizes of the axes, outermost first; [] is a scalar. */
export type Shape = readonly number[];

export interface Tensor {
  readonly op: Op;
  readonly inputs: readonly Tensor[];
  readonly shape: Shape;
  readonly dtype: DataType;
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
