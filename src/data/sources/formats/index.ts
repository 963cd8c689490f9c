/** All formats that are read by name, and by `auto` in this order. */
import { events } from './events.js';
import type { Format } from './format.js';
import { s3rec } from './s3rec.js';
import { ubi } from './ubi.js';

export const FORMATS: readonly Format[] = [events, ubi, s3rec];
