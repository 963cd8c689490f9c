/** Metrics as they are called and written. Knows names only. */
export const METRICS = ['mrr', 'ndcg@10', 'ndcg@5', 'hit@1', 'hit@5', 'hit@10'] as const;
export type MetricName = (typeof METRICS)[number];

/** NDCG@10 */
export const metricText = (metric: string): string => metric.toUpperCase();

export const metricFigure = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(4);
