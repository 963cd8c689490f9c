import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { CorruptFileError } from '../../src/base/index.js';
import { type NamedTensor, decodeSafetensors } from '../../src/model/index.js';
import { encodeSafetensors } from '../support/safetensors.js';

const tensor: fc.Arbitrary<NamedTensor> = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }).chain((shape) => {
  const length = shape.reduce((product, size) => product * size, 1);
  return fc
    .array(fc.float(), { minLength: length, maxLength: length })
    .map((data) => ({ shape, data: Float32Array.from(data) }));
});
const names = fc
  .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('item.id', '__proto__', 'constructor', '0', ''))
  .filter((name) => name !== '__metadata__');
const tensors = fc.array(fc.tuple(names, tensor), { maxLength: 5 }).map((entries) => new Map(entries));

/** A file of our own making: any header, any data. */
function file(header: string | Uint8Array, data: number, claimed?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + data);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
/** Decodes, or refuses as it must. Returns whether it decoded. */
function decodesOrRefuses(bytes: Uint8Array): boolean {
  try {
    const found = decodeSafetensors(bytes, 'here');
    for (const { shape, data } of found.values())
      assert.equal(
        data.length,
        shape.reduce((product, size) => product * size, 1),
      );
    assert.ok(
      [...found.values()].reduce((total, { data }) => total + data.byteLength, 0) <= bytes.length,
      'more was read than the file holds',
    );
    return true;
  } catch (error) {
    if (!(error instanceof CorruptFileError)) throw error;
    assert.match(error.message, /^here is not a sound safetensors file: /);
    return false;
  }
}

describe('safetensors', () => {
  test('come back as they were written, bit for bit, whatever their names', () => {
    fc.assert(
      fc.property(tensors, (written) => {
        const read = decodeSafetensors(encodeSafetensors(written, { made: 'here' }), 'here');
        assert.deepEqual([...read.keys()].sort(), [...written.keys()].sort());
        for (const [name, { shape, data }] of written) {
          const found = read.get(name) as NamedTensor;
          assert.deepEqual(found.shape, shape);
          assert.deepEqual(new Uint8Array(found.data.buffer), new Uint8Array(data.buffer));
        }
      }),
    );
  });

  test('are read from a view into a larger buffer, and written from one', () => {
    const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
    const bytes = encodeSafetensors(new Map([['x', { shape: [2], data }]]));
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    const read = decodeSafetensors(Buffer.from(shifted.buffer, 3), 'here');
    assert.deepEqual(read.get('x'), { shape: [2], data: Float32Array.of(1, 2) });
  });

  test('have the header that the format asks for', () => {
    const bytes = encodeSafetensors(new Map([['x', { shape: [2], data: Float32Array.of(1, 2) }]]));
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    assert.equal(length % 8, 0);
    assert.deepEqual(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))), {
      x: { dtype: 'F32', shape: [2], data_offsets: [0, 8] },
    });
    assert.equal(bytes.length, 8 + length + 8);
  });

  test('cut short or extended are always refused', () => {
    const bytes = encodeSafetensors(
      new Map([
        ['x', { shape: [2], data: Float32Array.of(1, 2) }],
        ['y', { shape: [], data: Float32Array.of(3) }],
      ]),
    );
    assert.ok(decodesOrRefuses(bytes));
    for (let length = 0; length < bytes.length; length++)
      assert.ok(!decodesOrRefuses(bytes.subarray(0, length)), `cut to ${length}`);
    for (const extra of [1, 4, 100]) {
      const longer = new Uint8Array(bytes.length + extra);
      longer.set(bytes);
      assert.ok(!decodesOrRefuses(longer), `extended by ${extra}`);
    }
  });

  test('with any bit of the header flipped are refused or still add up', () => {
    const bytes = encodeSafetensors(
      new Map([
        ['x', { shape: [2], data: Float32Array.of(1, 2) }],
        ['y', { shape: [], data: Float32Array.of(3) }],
      ]),
    );
    let refused = 0;
    for (let bit = 0; bit < 8 * (bytes.length - 12); bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
      if (!decodesOrRefuses(flipped)) refused++;
    }
    assert.ok(refused > 500);
  });

  test('with any JSON for a header are refused or add up', () => {
    const entry = fc.oneof(
      fc.jsonValue(),
      fc.record(
        {
          dtype: fc.oneof({ weight: 5, arbitrary: fc.constant('F32') }, fc.jsonValue()),
          shape: fc.oneof(
            fc.array(fc.oneof(fc.nat(4), fc.maxSafeInteger(), fc.double()), { maxLength: 3 }),
            fc.jsonValue(),
          ),
          data_offsets: fc.oneof(fc.array(fc.oneof(fc.nat(16), fc.maxSafeInteger()), { maxLength: 3 }), fc.jsonValue()),
        },
        { requiredKeys: [] },
      ),
    );
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(fc.string(), entry)), fc.nat(32), (header, data) => {
        decodesOrRefuses(file(JSON.stringify(header), data));
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodesOrRefuses(bytes);
      }),
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodesOrRefuses(file(bytes, 8));
      }),
    );
  });

  test('that claim sizes they do not have, or are no text, are refused before anything is read', () => {
    const one = (fields: string): string => `{"x":{${fields}}}`;
    const bad: Uint8Array[] = [
      file('{}', 0, 2n ** 64n - 1n),
      file('{}', 0, 2n ** 40n),
      file('{}', 0, 3n),
      file(Uint8Array.of(0x7b, 0xff, 0x7d), 0),
      file('[]', 0),
      file('null', 0),
      file('3', 0),
      file('{"x":null}', 0),
      file('{"x":5}', 0),
      file(one('"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]'), 8),
      file(one('"dtype":"F32","shape":[9007199254740991,9007199254740991],"data_offsets":[0,8]'), 8),
      file(one('"dtype":"F32","shape":[2],"data_offsets":[8,0]'), 8),
      file(one('"dtype":"F32","shape":[-2],"data_offsets":[0,8]'), 8),
      file(one('"dtype":"F32","shape":[1.5],"data_offsets":[0,6]'), 6),
      file(one('"dtype":"F32","shape":[1],"data_offsets":[0,8]'), 8),
      file(one('"dtype":"F32","shape":[2],"data_offsets":[0,8,9]'), 8),
      file(one('"dtype":"F16","shape":[4],"data_offsets":[0,8]'), 8),
      file(one('"dtype":{"toString":1,"valueOf":1},"shape":[2],"data_offsets":[0,8]'), 8),
      file(one('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), 12),
    ];
    bad.forEach((bytes, position) => assert.ok(!decodesOrRefuses(bytes), `case ${position} was read`));
    assert.ok(decodesOrRefuses(file(one('"dtype":"F32","shape":[2],"data_offsets":[0,8]'), 8)));
  });

  test('that overlap, leaving other bytes to nobody, are refused', () => {
    const at = (start: number, end: number): string => `{"dtype":"F32","shape":[2],"data_offsets":[${start},${end}]}`;
    assert.ok(decodesOrRefuses(file(`{"x":${at(8, 16)},"y":${at(0, 8)}}`, 16)), 'any order will do');
    assert.ok(!decodesOrRefuses(file(`{"x":${at(0, 8)},"y":${at(0, 8)}}`, 16)));
    assert.ok(!decodesOrRefuses(file(`{"x":${at(0, 8)},"y":${at(4, 12)}}`, 16)));
  });
});
