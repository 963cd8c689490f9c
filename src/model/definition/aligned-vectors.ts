/** Queries and items in one space. Knows what there is of it; does not know how it comes about. */

export interface AlignedVectors {
  /** d */
  readonly width: number;
  /** Ê_q by query index, (queries,d). Those of padding and unknown mean nothing. */
  readonly queries: Float32Array;
  /** Ê_i by item index, (items,d). */
  readonly items: Float32Array;
  /** W_A of s(q,i) = tanh(q^T W_A i), (d,d), row-major; null where the model was built without the alignment. */
  readonly bilinear: Float32Array | null;
}
