import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  addQuantity,
  canonicalQuantity,
  compareQuantity,
  cpuMillis,
  formatQuantity,
  parseQuantity,
  quantityToNumber,
  subQuantity,
} from './quantity.ts';

describe('canonicalQuantity', () => {
  const table: readonly (readonly [string | number, string])[] = [
    ['0', '0'],
    ['1', '1'],
    ['1000', '1k'],
    ['1500m', '1500m'],
    ['1.5', '1500m'],
    ['0.1', '100m'],
    ['1024Mi', '1Gi'],
    ['1.5Gi', '1536Mi'],
    ['500', '500'],
    ['100Ki', '100Ki'],
    ['1000Ki', '1000Ki'],
    ['1023', '1023'],
    ['0.5Ki', '512'],
    ['1e3', '1e3'],
    ['1E', '1E'],
    ['12e6', '12e6'],
    ['1000000', '1M'],
    ['-1', '-1'],
    ['+2', '2'],
    ['.5', '500m'],
    ['5.', '5'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['100000m', '100'],
    [2, '2'],
    [0.25, '250m'],
    ['0Gi', '0'],
    ['0.1Gi', '107374182400m'],
  ];
  for (const [given, want] of table)
    it(`writes ${given} as ${want}`, () => assert.equal(canonicalQuantity(given), want));

  for (const bad of ['', 'x', '1.2.3', '1 Gi', '1gi', 'Gi', '--1', '1e', '1Kii']) {
    it(`refuses ${JSON.stringify(bad)}`, () =>
      assert.throws(() => parseQuantity(bad), /quantities must match|unable to parse quantity's suffix/));
  }
});

describe('quantity arithmetic', () => {
  it('compares across suffixes', () => {
    assert.equal(compareQuantity(parseQuantity('1Gi'), parseQuantity('1G')), 1);
    assert.equal(compareQuantity(parseQuantity('1000m'), parseQuantity('1')), 0);
  });
  it('keeps the format of the left operand', () => {
    assert.equal(formatQuantity(addQuantity(parseQuantity('1Gi'), parseQuantity('512Mi'))), '1536Mi');
    assert.equal(formatQuantity(subQuantity(parseQuantity('1'), parseQuantity('250m'))), '750m');
  });
  it('rounds up when a whole number is asked for', () => {
    assert.equal(quantityToNumber('1500m'), 2);
    assert.equal(quantityToNumber('1Gi'), 1073741824);
    assert.equal(cpuMillis('0.1'), 100);
    assert.equal(cpuMillis('1u'), 1);
    assert.equal(cpuMillis(undefined), 0);
  });
});
