/** New rows: each goes into a new file, by the layout of the table. */
import type { AddFile, RemoveFile } from './actions.ts'
import type { Incoming } from './incoming.ts'
import { completeSql } from './incoming.ts'
import { planFiles } from './layout.ts'
import { hiveDirectory } from './paths.ts'
import { relationSql } from './relation.ts'
import type { StageContext } from './stage.ts'
import { removeOf, writeFile } from './stage.ts'
import { identifier, literal } from '../parquet/sql.ts'

/** Files written for new rows, and files they replace (in the per-symbol layout). */
export interface Inserted {
  readonly adds: readonly AddFile[]
  readonly removes: readonly RemoveFile[]
}

/** Writes the rows of a temporary table, none of whose keys is in the table, into new files. */
export async function insertRows(context: StageContext, rows: Incoming): Promise<Inserted> {
  if (rows.rows === 0) return { adds: [], removes: [] }
  return context.shape.layout === 'per-symbol'
    ? insertPerSymbol(context, rows)
    : insertClustered(context, rows)
}

async function insertClustered(context: StageContext, rows: Incoming): Promise<Inserted> {
  const adds: AddFile[] = []
  for (const where of await planFiles(context, rows)) {
    const sql = completeSql(context.snapshot.schema, rows, where)
    const add = await writeFile(context, { sql })
    if (add) adds.push(add)
  }
  return { adds, removes: [] }
}

const SYMBOL = 'symbol'

/** A symbol keeps one file: new rows are merged into it. */
async function insertPerSymbol(context: StageContext, rows: Incoming): Promise<Inserted> {
  const { session, snapshot } = context
  const symbols = await session.rows<{ symbol: string | null }>(
    `SELECT DISTINCT ${identifier(SYMBOL)} AS symbol FROM ${identifier(rows.name)} ORDER BY 1`,
  )
  const adds: AddFile[] = []
  const removes: RemoveFile[] = []
  for (const { symbol } of symbols) {
    const old = [...snapshot.files.values()].filter((f) => f.partitionValues[SYMBOL] === symbol)
    const where = symbol === null ? `${SYMBOL} IS NULL` : `${SYMBOL} = ${literal(symbol)}`
    const fresh = completeSql(snapshot.schema, rows, where)
    const stored =
      old.length > 0 ? ` UNION ALL ${relationSql(context.directory, snapshot, old)}` : ''
    const add = await writeSymbol(context, symbol, `${fresh}${stored}`)
    if (add) adds.push(add)
    removes.push(...old.map((file) => removeOf(file, context.effects.now())))
  }
  return { adds, removes }
}

/** Writes a file of the per-symbol layout into the directory of its symbol. */
export function writeSymbol(
  context: StageContext,
  symbol: string | null,
  sql: string,
  dataChange = true,
): Promise<AddFile | undefined> {
  return writeFile(context, {
    sql,
    subdirectory: hiveDirectory(SYMBOL, symbol),
    partitionValues: { [SYMBOL]: symbol },
    dataChange,
  })
}
