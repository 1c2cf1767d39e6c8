/** The plan of an import: which tables an old file has, what they become in the lake, and what stands in the way. */
import { LakeError } from '../model/errors.ts'
import type { Field } from '../model/schema.ts'
import { hidesRowNumber } from '../model/name.ts'
import { field, findField } from '../model/schema.ts'
import { standardTable } from '../model/standard-tables.ts'
import type { MigratedColumn, MigratedTable } from '../storage/lake/migration-state.ts'
import { columnsOf } from '../storage/lake/migration-state.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { duckdbType, losslessCast } from '../storage/parquet/types.ts'
import { proposedKey } from './import-key.ts'
import { lakeTableName, lakeColumnNames, symbolForm, toStandard } from './import-names.ts'
import type { OldColumn } from './sides.ts'
import { keyInOld, oldColumns, oldRows, toLake } from './sides.ts'
import { OLD, oldTable } from './old-file.ts'

/** What the user says of an import. */
export interface ImportChoices {
  /** Only these old tables. */
  readonly tables?: readonly string[]
  /** Lake tables by old table. */
  readonly map?: Readonly<Record<string, string>>
  /** Keys by old table, in the old file's names; an empty key for rows without identity. */
  readonly keys?: Readonly<Record<string, readonly string[]>>
  /** Of rows of equal keys the last one is taken. */
  readonly onDuplicate?: 'error' | 'last'
}

/** An old table and what becomes of it. */
export interface PlannedTable extends MigratedTable {
  readonly fields: readonly Field[]
  readonly rows: number
  /** Columns whose names Delta forbids, as `old -> new`. */
  readonly renamed: readonly string[]
  readonly problems: readonly ImportProblem[]
}

/** Rows that an import cannot take as they are. */
export interface ImportProblem {
  readonly kind: 'null-key' | 'duplicate-key' | 'type' | 'symbol'
  readonly message: string
  readonly rows: number
  /** Some of the keys or values. */
  readonly examples: readonly string[]
}

/** All tables, and what is left out. */
export interface ImportPlan {
  readonly tables: readonly PlannedTable[]
  /** Views and macros of the old file. */
  readonly left: readonly string[]
}

const EXAMPLES_MAX = 3

/** Looks at the attached old file. Nothing is written. */
export async function planImport(session: Session, choices: ImportChoices): Promise<ImportPlan> {
  const names = await tableNames(session)
  const wanted = choices.tables ?? names
  const unknown = [...wanted, ...Object.keys(choices.map ?? {}), ...Object.keys(choices.keys ?? {})]
  const missing = unknown.find((name) => !names.includes(name))
  if (missing !== undefined) {
    throw new LakeError('TABLE_NOT_FOUND', `the old file has no table ${missing}`, {
      details: { table: missing, tables: names },
      next: `Its tables are: ${names.join(', ')}.`,
    })
  }
  const tables: PlannedTable[] = []
  for (const name of wanted) tables.push(await planTable(session, name, choices))
  refuseTwice(tables)
  return { tables, left: await leftOut(session) }
}

/** Throws if two old tables would become one. */
export function refuseTwice(tables: readonly PlannedTable[]): void {
  const twice = tables.find(
    (a, i) => tables.findIndex((b) => b.table.toLowerCase() === a.table.toLowerCase()) < i,
  )
  if (twice) {
    throw new LakeError('INVALID_ARGUMENT', `two old tables would become ${twice.table}`, {
      details: { table: twice.table, old: twice.old },
      next: `Give one another name: --map ${twice.old}=NAME.`,
    })
  }
}

/** The tables of the attached old file. */
export async function tableNames(session: Session): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `SELECT table_name AS name FROM duckdb_tables()
     WHERE database_name = ${literal(OLD)} AND schema_name = 'main' AND NOT internal ORDER BY 1`,
  )
  return rows.map((row) => row.name)
}

async function leftOut(session: Session): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `SELECT 'view ' || view_name AS name FROM duckdb_views()
       WHERE database_name = ${literal(OLD)} AND NOT internal
     UNION ALL SELECT DISTINCT 'macro ' || function_name FROM duckdb_functions()
       WHERE database_name = ${literal(OLD)} AND NOT internal AND function_type LIKE '%macro'
     UNION ALL SELECT 'table ' || schema_name || '.' || table_name FROM duckdb_tables()
       WHERE database_name = ${literal(OLD)} AND schema_name NOT IN ('main', 'marketlake')
     ORDER BY 1`,
  )
  return rows.map((row) => row.name)
}

async function planTable(
  session: Session,
  old: string,
  choices: ImportChoices,
): Promise<PlannedTable> {
  const there = [...(await oldColumns(session, old))!.values()]
  const { n } = await session.row<{ n: bigint }>(`SELECT count(*) AS n FROM ${oldTable(old)}`)
  const unsupported = there.filter((column) => column.delta === undefined)
  const mapped = await mappedTable(session, old, there, choices)
  const asked = choices.keys?.[old]
  const key = asked
    ? asked.map((name) => newName(mapped.columns, name, old))
    : (mapped.key ?? (await proposedKey(session, old, mapped.columns)))
  const duplicates = choices.onDuplicate ?? 'error'
  const table: MigratedTable = { old, table: mapped.table, key, columns: mapped.columns.map(brief) }
  const problems = [
    ...unsupported.map((column) => typeProblem(column)),
    ...rowidProblems(there),
    ...(await rangeProblems(session, old, there)),
    ...(await symbolProblems(session, table)),
    ...(key.length > 0 ? await keyProblems(session, table, duplicates) : []),
  ]
  const twice = key.length > 0 && duplicates === 'last' && (await hasDuplicates(session, table))
  return {
    ...table,
    ...(mapped.standard && { source: 'file' }),
    ...(twice && { onDuplicate: 'last' as const }),
    fields: there.flatMap((column, i) =>
      column.delta === undefined ? [] : [field(mapped.columns[i]!.new, column.delta)],
    ),
    rows: Number(n),
    renamed: mapped.columns.flatMap((c) =>
      c.old === c.new || mapped.standard ? [] : [`${c.old} -> ${c.new}`],
    ),
    problems,
  }
}

interface Mapped {
  readonly table: string
  readonly columns: readonly MigratedColumn[]
  /** Set for a table of reports. */
  readonly key?: readonly string[]
  readonly standard: boolean
}

/** A table of reports becomes one of the lake's own where its columns fit; any other keeps its name. */
async function mappedTable(
  session: Session,
  old: string,
  there: readonly OldColumn[],
  choices: ImportChoices,
): Promise<Mapped> {
  const target = choices.map?.[old]
  const names = lakeColumnNames(there.map((c) => c.name))
  const plain = there.map((c, i): MigratedColumn => withType(c, names[i]!))
  const standard = target === undefined ? toStandard(old, there) : undefined
  if (standard && (await fits(session, old, standard.table, there, standard.names))) {
    const form = await symbolForm(session, old, standard.symbol)
    const columns = there.map((c, i) => {
      const column = withType(c, standard.names[i]!)
      return c.name === standard.symbol && form !== undefined && form !== 'lake'
        ? { ...column, symbols: form }
        : column
    })
    if (form !== undefined)
      return { table: standard.table, columns, key: ['symbol', 'end_date'], standard: true }
  }
  return {
    table: lakeTableName(target ?? old, target !== undefined),
    columns: plain,
    standard: false,
  }
}

/** The old type is noted where the lake's gives another one back. */
function withType({ name, type, delta }: OldColumn, to: string): MigratedColumn {
  const same = delta !== undefined && duckdbType(delta) === type
  return { old: name, new: to, ...(!same && { type }) }
}

function brief(column: MigratedColumn): string | MigratedColumn {
  return Object.keys(column).length === 2 && column.old === column.new ? column.old : column
}

/** Every column that the lake's table knows must hold the old values as they are. */
async function fits(
  session: Session,
  old: string,
  table: string,
  there: readonly OldColumn[],
  names: readonly string[],
): Promise<boolean> {
  const { schema } = standardTable(table)!
  const good = there.every((column, i) => {
    const known = findField(schema, names[i]!)
    if (!known || known.name === 'symbol') return column.delta !== undefined
    return column.delta !== undefined && losslessCast(column.delta, known.type)
  })
  if (!good) return false
  // Several rows of one report may be versions; only their owner knows.
  const [symbol, end] = ['symbol', 'end_date'].map((name) =>
    identifier(there[names.indexOf(name)]!.name),
  )
  const { twice } = await session.row<{ twice: boolean }>(
    `SELECT count(*) > count(DISTINCT (${symbol}, ${end})) AS twice FROM ${oldTable(old)}`,
  )
  return !twice
}

function newName(columns: readonly MigratedColumn[], name: string, old: string): string {
  const found = columns.find((c) => c.old.toLowerCase() === name.toLowerCase())
  if (found) return found.new
  throw new LakeError('COLUMN_NOT_FOUND', `the old table ${old} has no column ${name}`, {
    details: { table: old, column: name },
    next: `It has: ${columns.map((c) => c.old).join(', ')}.`,
  })
}

function typeProblem({ name, type }: OldColumn): ImportProblem {
  return {
    kind: 'type',
    message: `column ${name} has type ${type}, which a table cannot hold; cast it in the old file first`,
    rows: 0,
    examples: [],
  }
}

/** Values that the lake's nearest type cannot hold: HUGEINT reaches further than 38 digits. */
async function rangeProblems(
  session: Session,
  old: string,
  there: readonly OldColumn[],
): Promise<ImportProblem[]> {
  const problems: ImportProblem[] = []
  for (const { name, type, delta } of there) {
    if (delta === undefined || duckdbType(delta) === type) continue
    const [value, target] = [identifier(name), duckdbType(delta)]
    const from = `${oldTable(old)} WHERE ${value} IS NOT NULL AND TRY_CAST(${value} AS ${target}) IS NULL`
    const { n } = await session.row<{ n: bigint }>(`SELECT count(*) AS n FROM ${from}`)
    if (n === 0n) continue
    const rows = await session.rows<{ v: string }>(
      `SELECT CAST(${value} AS VARCHAR) AS v FROM ${from} LIMIT ${EXAMPLES_MAX}`,
    )
    const message = `column ${name} has values of type ${type} that ${target} cannot hold`
    problems.push({ kind: 'type', message, rows: Number(n), examples: rows.map((r) => r.v) })
  }
  return problems
}

/** A column of that name hides the numbers of rows, by which rows are found again. */
function rowidProblems(there: readonly OldColumn[]): ImportProblem[] {
  const found = there.find(({ name }) => hidesRowNumber(name))
  if (!found) return []
  const message = `column ${found.name} hides the numbers of rows; rename it in the old file first`
  return [{ kind: 'type', message, rows: 0, examples: [] }]
}

/** Texts in a column of symbols that name no stock. */
async function symbolProblems(session: Session, table: MigratedTable): Promise<ImportProblem[]> {
  const column = columnsOf(table).find((c) => c.symbols !== undefined)
  if (!column) return []
  const name = identifier(column.old)
  const bad = await session.rows<{ value: string; n: bigint }>(
    `SELECT CAST(${name} AS VARCHAR) AS value, count(*) AS n FROM ${oldTable(table.old)}
     WHERE ${name} IS NOT NULL AND sym(${name}) IS NULL GROUP BY 1 ORDER BY 1`,
  )
  if (bad.length === 0) return []
  const rows = bad.reduce((sum, row) => sum + Number(row.n), 0)
  const examples = bad.slice(0, EXAMPLES_MAX).map((row) => row.value)
  return [
    {
      kind: 'symbol',
      message: `${column.old} holds texts that are no stock symbols`,
      rows,
      examples,
    },
  ]
}

async function keyProblems(
  session: Session,
  table: MigratedTable,
  onDuplicate: 'error' | 'last',
): Promise<ImportProblem[]> {
  const key = keyInOld(table)
  const text = `concat_ws(', ', ${key.map((k) => `coalesce(CAST(${k} AS VARCHAR), 'NULL')`).join(', ')})`
  const from = oldTable(table.old)
  const nulls = key.map((k) => `${k} IS NULL`).join(' OR ')
  const named = table.key.join(', ')
  const problems: ImportProblem[] = []
  const { n } = await session.row<{ n: bigint }>(`SELECT count(*) AS n FROM ${from} WHERE ${nulls}`)
  if (n > 0n) {
    const rows = await session.rows<{ k: string }>(
      `SELECT ${text} AS k FROM ${from} WHERE ${nulls} LIMIT ${EXAMPLES_MAX}`,
    )
    const message = `the key (${named}) is NULL`
    problems.push({ kind: 'null-key', message, rows: Number(n), examples: rows.map((r) => r.k) })
  }
  if (onDuplicate === 'last') return problems
  const twice = await session.row<{ n: bigint | null }>(
    `SELECT sum(c)::BIGINT AS n FROM (SELECT count(*) AS c FROM ${from} GROUP BY ${key.join(', ')} HAVING c > 1)`,
  )
  if (twice.n === null) return problems
  const rows = await session.rows<{ k: string }>(
    `SELECT ${text} AS k FROM ${from} GROUP BY ${key.join(', ')} HAVING count(*) > 1 ORDER BY k LIMIT ${EXAMPLES_MAX}`,
  )
  const message = `several rows have the same key (${named})`
  problems.push({
    kind: 'duplicate-key',
    message,
    rows: Number(twice.n),
    examples: rows.map((r) => r.k),
  })
  return problems
}

async function hasDuplicates(session: Session, table: MigratedTable): Promise<boolean> {
  const found = await session.rows(
    `SELECT 1 FROM ${oldTable(table.old)} GROUP BY ${keyInOld(table).join(', ')} HAVING count(*) > 1 LIMIT 1`,
  )
  return found.length > 0
}

/** The rows of an old table as the lake stores them. */
export function importSql(table: PlannedTable): string {
  const types = new Map(table.fields.map((f) => [f.name, f.type]))
  const columns = columnsOf(table).flatMap((column) => {
    const type = types.get(column.new)
    if (type === undefined) return []
    const value = toLake(column, column.symbols ? undefined : duckdbType(type))
    return [`${value} AS ${identifier(column.new)}`]
  })
  const extra =
    table.source === undefined ? [] : [`${literal(table.source)} AS source`, `'backfill' AS origin`]
  return oldRows(table, [...columns, ...extra])
}
