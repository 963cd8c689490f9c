/**
 * The one list of formats that are read by name, and by `auto`. Knows the list and nothing else: the command line, `auto`, the
 * documents and the tests take theirs from here. `interactions` is not in it, since its columns are chosen by hand.
 */
import { algolia } from './algolia.js';
import { amazonReviews } from './amazon-reviews.js';
import { events } from './events.js';
import type { Format } from './format.js';
import { ga4 } from './ga4.js';
import { gorse } from './gorse.js';
import { jdsearch } from './jdsearch.js';
import { kuaisar } from './kuaisar.js';
import { metarank } from './metarank.js';
import { personalize } from './personalize.js';
import { productSearch } from './product-search.js';
import { qilin } from './qilin.js';
import { recbole } from './recbole.js';
import { retail } from './retail.js';
import { s3rec } from './s3rec.js';
import { segment } from './segment.js';
import { snowplow } from './snowplow.js';
import { ubi } from './ubi.js';

export const FORMATS: readonly Format[] = [
  events,
  ga4,
  segment,
  snowplow,
  ubi,
  algolia,
  retail,
  personalize,
  metarank,
  gorse,
  recbole,
  s3rec,
  kuaisar,
  amazonReviews,
  productSearch,
  qilin,
  jdsearch,
];
