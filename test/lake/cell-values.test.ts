/** Texts of cells: what they say comes in, and what a cast would round or cut is none of the type. */
import { expect, test } from 'vitest'
import { parseCell } from '../../src/lake/cell-values.ts'
import { field } from '../../src/model/schema.ts'
import type { DataType } from '../../src/model/schema.ts'
import { literal } from '../../src/storage/parquet/sql.ts'
import { useEngine } from '../support/engine.ts'

const { session } = useEngine()

test.each<[DataType, string, string | null]>([
  ['long', '10', '10'],
  ['long', ' -7 ', '-7'],
  ['long', '2.0', '2'],
  ['long', '1e+05', '100000'],
  ['long', '1.5', null],
  ['long', '1.5e0', null],
  ['long', '1_000', null],
  ['long', '9223372036854775807', '9223372036854775807'],
  ['integer', '2147483648', null],
  ['decimal(5,2)', '1.23', '1.23'],
  ['decimal(5,2)', '1.2300', '1.23'],
  ['decimal(5,2)', '1.239', null],
  ['decimal(5,2)', '1.239e0', null],
  ['decimal(5,2)', '1e2', '100.00'],
  ['double', '1e400', null],
  ['date', '20240229', '2024-02-29'],
  ['date', '2024-02-29 00:00:00', '2024-02-29'],
  ['date', '2024-02-29T00:00:00.000+08:00', '2024-02-29'],
  ['date', '2024-02-29 15:00:00', null],
  ['timestamp', '2024-01-02 09:30:00.123456+08:00', '2024-01-02 01:30:00.123456+00'],
  ['timestamp', '2024-01-02 09:30:00.123456000+08:00', '2024-01-02 01:30:00.123456+00'],
  ['timestamp', '2024-01-02 09:30:00.1234567+08:00', null],
  ['timestamp_ntz', '2024-01-02 09:30:00', '2024-01-02 09:30:00'],
  ['timestamp_ntz', '2024-01-02 09:30:00+08:00', null],
  ['timestamp_ntz', '2024-01-02 09:30:00.1234567', null],
  ['boolean', 'true', 'true'],
])('%s of %j is %j', async (type, text, expected) => {
  const value = parseCell(field('c', type), literal(text))
  const [row] = await session().rows(`SELECT CAST(${value} AS VARCHAR) AS v`)
  expect(row!['v']).toBe(expected)
})
