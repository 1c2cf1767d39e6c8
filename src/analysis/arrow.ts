/** Results as Arrow IPC streams, the form in which columns go to Polars, pandas, Perspective and other engines. */
import type * as Flechette from '@uwdata/flechette'
import { LakeError } from '../model/errors.ts'
import type { ColumnData } from '../storage/parquet/columns.ts'
import type { Value } from '../storage/parquet/values.ts'
import { jsonOf } from '../storage/parquet/values.ts'

/** Encodes columns of equal length. Texts become dictionaries; what Arrow has no simple type for becomes text. */
export async function arrowStream(columns: readonly ColumnData[]): Promise<Uint8Array> {
  const arrow = await loadFlechette()
  const encoded = columns.map((column) => [column.name, encode(arrow, column)] as const)
  const table = arrow.tableFromColumns(encoded.map(([name, column]) => [name, column]))
  return arrow.tableToIPC(table, { format: 'stream' })!
}

async function loadFlechette(): Promise<typeof Flechette> {
  try {
    return await import('@uwdata/flechette')
  } catch (cause) {
    throw new LakeError(
      'UNSUPPORTED_FEATURE',
      'Arrow needs the optional package @uwdata/flechette',
      {
        cause,
        next: 'Install it: npm install @uwdata/flechette.',
      },
    )
  }
}

type Column = Flechette.Column<unknown>

function encode(arrow: typeof Flechette, column: ColumnData): Column {
  const type = arrowType(arrow, column)
  const cells = cellsOf(column)
  // Of no rows the library makes a column without a type.
  return cells.length === 0 ? new arrow.Column([], type) : arrow.columnFromArray(cells, type)
}

function arrowType(arrow: typeof Flechette, column: ColumnData): Flechette.DataType {
  if (column.kind === 'text') return arrow.dictionary(arrow.utf8(), arrow.int32())
  const types: Readonly<Record<string, () => Flechette.DataType>> = {
    DOUBLE: arrow.float64,
    FLOAT: arrow.float32,
    INTEGER: arrow.int32,
    SMALLINT: arrow.int16,
    TINYINT: arrow.int8,
    BIGINT: arrow.int64,
    DATE: arrow.dateDay,
    BOOLEAN: arrow.bool,
  }
  if (isMoments(column)) return arrow.timestamp(arrow.TimeUnit.MILLISECOND, 'UTC')
  return (types[column.type] ?? arrow.utf8)()
}

const DAY_MS = 86_400_000

function cellsOf(column: ColumnData): unknown[] | NumberValues {
  switch (column.kind) {
    case 'text': {
      const { codes, dictionary, valid } = column
      return Array.from(codes, (code, i) => (valid?.[i] === 0 ? null : dictionary[code]!))
    }
    case 'number': {
      const { type, values, valid } = column
      if (!valid && type !== 'DATE') return values
      return Array.from(values as Float64Array, (value, i) =>
        valid?.[i] === 0 ? null : type === 'DATE' ? value * DAY_MS : value,
      )
    }
    case 'other': {
      const { values, type } = column
      if (isMoments(column))
        return values.map((value) => (value === null ? null : Date.parse(value as string)))
      return type === 'BOOLEAN' ? [...values] : values.map(textOf)
    }
  }
}

type NumberValues = Extract<ColumnData, { kind: 'number' }>['values']

/** Microseconds and infinities would be lost in milliseconds: such a column goes as text. */
function isMoments(column: ColumnData): boolean {
  if (column.kind !== 'other' || column.type !== 'TIMESTAMP WITH TIME ZONE') return false
  return column.values.every(
    (value) =>
      value === null || (typeof value === 'string' && /^\d{4}-[^.]*(\.\d{1,3})?Z$/.test(value)),
  )
}

function textOf(value: Value): string | null {
  const json = jsonOf(value)
  if (json === null) return null
  return typeof json === 'object' ? JSON.stringify(json) : String(json)
}
