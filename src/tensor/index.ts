/** The compute wing's door: graphs, their gradients, and the runtime that runs them. Knows nothing of recommending. */
export type { DataType, Shape, Tensor } from './graph.js';
export { sizeOf, topologicalOrder } from './graph.js';
export * as ops from './ops.js';
export * as nn from './nn.js';
export { gradients } from './gradients.js';
export { lean } from './passes.js';
export {
  toOnnx,
  type HeldValues,
  type InputDescription,
  type OnnxModel,
  type OnnxOptions,
  type Prelude,
} from './onnx.js';
export {
  Runtime,
  type Companion,
  type NumberArray,
  type OpenCompanion,
  type Placement,
  type Program,
  type RunHere,
  type RunResult,
  type RuntimeOptions,
  type Told,
} from './runtime.js';
