/**
 * Attention over neighbours along edges that carry queries, as SRJGraph has it (models/srjgraph.ts). Knows what a neighbour tells, how
 * a node looks at what it is told and what it makes of it; does not know who is whose neighbour, nor tasks.
 *
 *   message    m = ReLU(W_m [h_n ; q_e ; h_n * q_e])                of neighbour n over edge e
 *   attention  s = softmax(w . LeakyReLU(W_a [h_x ; m ; q_e * q*]))  over the neighbours of node x
 *   update     h'_x = LN(h_x + ReLU(W_h [h_x ; sum s m]))
 *
 * Linear maps of things side by side are sums of maps of each: what depends on the neighbour and the edge alone can be worked out
 * once, wherever they stand. Shapes: d width, n nodes, K neighbours, Q queries, B rows; … any.
 */
import { type Tensor, nn, ops } from '../../tensor/index.js';
import { type Scope, initialisers, layerNorm, linear } from './layers.js';

const EPSILON = 1e-5;

const { add, matmul, mul, relu, reshape, slice } = ops;

/** Neighbours at the ends of edges: their vectors (…,d), those of the edges' queries (…,d), and the rows of these queries in any table (Q,d). */
export interface Neighbours {
  readonly vectors: Tensor;
  readonly edges: Tensor;
  readonly ofQueries: (table: Tensor) => Tensor;
}

/** What neighbours tell over their edges, whoever listens and whatever for, (…,d): a message, and its part of the attention. */
export interface Told {
  readonly messages: Tensor;
  readonly looks: Tensor;
}

/** A linear map of things side by side as one map of each: the columns of `name.weight` (out, sum of widths). */
export function maps(scope: Scope, name: string, out: number, widths: readonly number[]): Tensor[] {
  const total = widths.reduce((a, b) => a + b, 0);
  const weight = scope.parameter(`${name}.weight`, [out, total], initialisers.xavierNormal(total, out));
  let end = 0;
  return widths.map((width) => slice(weight, 1, end, (end += width)));
}

/** The parts of W_a, by what they are applied to. */
function attentionMaps(scope: Scope, name: string, width: number) {
  const [node, message, fit] = maps(scope, `${name}.attention`, width, [width, width, width]) as [
    Tensor,
    Tensor,
    Tensor,
  ];
  return { node, message, fit };
}

/** What neighbours tell. queries: (Q,d), the vectors of the queries that edges may carry. */
export function toldBy(scope: Scope, name: string, { vectors, edges, ofQueries }: Neighbours, queries: Tensor): Told {
  const width = vectors.shape.at(-1) as number;
  const three = [width, width, width];
  const [byNeighbour, byQuery, byBoth] = maps(scope, `${name}.message`, width, three) as [Tensor, Tensor, Tensor];
  const ofBoth = nn.linear(mul(vectors, edges), byBoth);
  const messages = relu(add(add(nn.linear(vectors, byNeighbour), ofBoth), ofQueries(nn.linear(queries, byQuery))));
  return { messages, looks: nn.linear(messages, attentionMaps(scope, name, width).message) };
}

/** W_a's part of what a task looks for in an edge, q_e * q*, where it looks for nothing in particular. (…,d). */
export function fitToNothing(scope: Scope, name: string, { ofQueries }: Neighbours, queries: Tensor): Tensor {
  const { fit } = attentionMaps(scope, name, queries.shape[1] as number);
  return ofQueries(nn.linear(mul(queries, slice(queries, 0, 0, 1)), fit));
}

/** The same where rows look for something. edges: (n,K,d), n K a multiple of B; intention: (B,d). */
export function fitTo(scope: Scope, name: string, edges: Tensor, intention: Tensor): Tensor {
  const [total, count, width] = edges.shape as [number, number, number];
  const rows = intention.shape[0] as number;
  const products = mul(reshape(edges, [rows, (total * count) / rows, width]), reshape(intention, [rows, 1, width]));
  return reshape(nn.linear(products, attentionMaps(scope, name, width).fit), edges.shape);
}

/** Nodes with what they are told taken in. nodes: (n,d); told: (n,K,d), its looks with the fit to the task; mask: (n,K). Result (n,d). */
export function aggregate(scope: Scope, name: string, nodes: Tensor, { messages, looks }: Told, mask: Tensor): Tensor {
  const [total, count, width] = messages.shape as [number, number, number];
  const [fromNode, fromMessages] = maps(scope, `${name}.update`, width, [width, width]) as [Tensor, Tensor];
  const ofNode = reshape(nn.linear(nodes, attentionMaps(scope, name, width).node), [total, 1, width]);
  const seen = ops.leakyRelu(add(looks, ofNode));
  const scores = reshape(linear(scope, `${name}.score`, seen, 1, { bias: false }), [total, count]);
  const weights = reshape(nn.maskedSoftmax(scores, mask), [total, 1, count]);
  const taken = reshape(matmul(weights, messages), [total, width]);

  const update = relu(add(nn.linear(nodes, fromNode), nn.linear(taken, fromMessages)));
  return layerNorm(scope, `${name}.norm`, add(nodes, update), EPSILON);
}
