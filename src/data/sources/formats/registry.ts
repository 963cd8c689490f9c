/** Every format of logs that can be imported and is recognised by its content. Knows the list; the command line, `auto`, the documents and the tests take theirs from here. */
import { algolia } from './algolia.js';
import { amazonReviews } from './amazon-reviews.js';
import type { Format } from './format.js';
import { ga4 } from './ga4.js';
import { gorse } from './gorse.js';
import { jdsearch } from './jdsearch.js';
import { kuaisar } from './kuaisar.js';
import { metarank } from './metarank.js';
import { personalize } from './personalize.js';
import { productSearch } from './product-search.js';
import { recbole } from './recbole.js';
import { retail } from './retail.js';
import { segment } from './segment.js';
import { snowplow } from './snowplow.js';
import { ubi } from './ubi.js';

export const FORMATS: readonly Format[] = [
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
  kuaisar,
  amazonReviews,
  productSearch,
  jdsearch,
];
