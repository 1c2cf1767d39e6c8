/** Columns that may not be NULL: Delta leaves it to every writer to refuse rows that break this. */
import { LakeError } from '../../model/errors.ts'
import type { DataType, Field } from '../../model/schema.ts'
import { findField } from '../../model/schema.ts'
import { identifier, literal } from '../parquet/sql.ts'
import type { Incoming } from './incoming.ts'
import type { StageContext } from './stage.ts'

/** Throws `NULL_VALUE` if incoming rows hold a NULL where the schema allows none, at any depth. */
export async function checkRequired(context: StageContext, incoming: Incoming): Promise<void> {
  for (const column of incoming.schema.fields) {
    const broken = violation(identifier(column.name), column)
    if (broken === undefined || incoming.rows === 0) continue
    const { n, first } = await context.session.row<{ n: bigint; first: bigint | null }>(
      `SELECT count(*) AS n, min(rowid) + 1 AS first FROM ${identifier(incoming.name)} WHERE ${broken}`,
    )
    if (n > 0n) throw refused(context.table, column.name, Number(n), Number(first))
  }
}

/** Throws `NULL_VALUE` if new rows come without a column that may not be NULL. */
export function checkComplete(context: StageContext, incoming: Incoming): void {
  if (incoming.rows === 0) return
  const missing = context.snapshot.schema.fields.find(
    (f) => !f.nullable && !findField(incoming.schema, f.name),
  )
  if (missing) throw refused(context.table, missing.name, incoming.rows, 1)
}

function refused(table: string, column: string, count: number, row: number): LakeError {
  const message = `${count} rows for ${table} have NULL where ${column} allows none; first: row ${row}`
  return new LakeError('NULL_VALUE', message, {
    details: { table, column, count, row },
    next: 'Fill or remove these values.',
  })
}

/** A condition that is true for values that break the rules of a field; undefined if nothing can. */
function violation(
  expression: string,
  field: Pick<Field, 'type' | 'nullable'>,
): string | undefined {
  const inner = innerViolation(expression, field.type)
  const own = field.nullable ? [] : [`${expression} IS NULL`]
  const parts = [...own, ...(inner === undefined ? [] : [`coalesce(${inner}, false)`])]
  return parts.length === 0 ? undefined : `(${parts.join(' OR ')})`
}

function innerViolation(expression: string, type: DataType): string | undefined {
  if (typeof type === 'string') return undefined
  switch (type.type) {
    case 'struct': {
      const parts = type.fields.flatMap(
        (f) => violation(`struct_extract(${expression}, ${literal(f.name)})`, f) ?? [],
      )
      return parts.length === 0
        ? undefined
        : `(${expression} IS NOT NULL AND (${parts.join(' OR ')}))`
    }
    case 'array':
      return anyOf(expression, { type: type.elementType, nullable: type.containsNull })
    case 'map': {
      const keys = anyOf(`map_keys(${expression})`, { type: type.keyType, nullable: true })
      const values = anyOf(`map_values(${expression})`, {
        type: type.valueType,
        nullable: type.valueContainsNull,
      })
      return keys && values ? `(${keys} OR ${values})` : (keys ?? values)
    }
  }
}

function anyOf(list: string, item: Pick<Field, 'type' | 'nullable'>): string | undefined {
  const broken = violation('x', item)
  return broken && `len(list_filter(${list}, lambda x: ${broken})) > 0`
}
