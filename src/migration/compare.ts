/** Compares a table of the old file with the lake's: groups of rows by hash, and row by row where hashes differ. */
import type { Session } from '../storage/parquet/database.ts'
import { identifier, identifiers, literal } from '../storage/parquet/sql.ts'
import type { Value } from '../storage/parquet/values.ts'
import { jsonOf } from '../storage/parquet/values.ts'
import type { Json } from '../storage/parquet/values.ts'
import type { ComparedColumn, Drift, Sides } from './sides.ts'

/** A cell that differs. */
export interface DifferingCell {
  readonly key: Json
  readonly column: string
  readonly old: Json
  readonly lake: Json
}

/** The sum of a column on both sides. */
export interface ColumnSum {
  readonly column: string
  readonly old: Json
  readonly lake: Json
}

/** How a table differs. */
export interface TableComparison {
  readonly name: string
  /** The lake's name of it. */
  readonly table: string
  readonly rowsOld: number
  readonly rowsNew: number
  /** Older rows of equal keys in the old file, which are not among its rows compared. */
  readonly duplicates: number
  /** Rows of the old file that the lake has not. */
  readonly missing: number
  /** Rows of the lake that the old file has not. */
  readonly extra: number
  /** Rows of one key with other values. */
  readonly differing: number
  readonly drift: readonly Drift[]
  /** Groups of rows compared by hash, and those that differ. */
  readonly groups: {
    readonly by: string
    readonly count: number
    readonly differing: readonly string[]
  }
  /** Differing rows by column. */
  readonly columns: Readonly<Record<string, number>>
  readonly sums: readonly ColumnSum[]
  readonly examples: {
    readonly missing: readonly Json[]
    readonly extra: readonly Json[]
    readonly cells: readonly DifferingCell[]
  }
}

/** Rows that are joined at a time. */
const JOIN_ROWS_MAX = 500_000
const SHARES = 256
const EXAMPLES_MAX = 10
/** Names of ours; no column of a user has them. */
const [GROUP, HASH, NTH, HERE] = ['group', 'hash', 'nth', 'here'].map((n) => `marketlake_${n}`) as [
  string,
  string,
  string,
  string,
]

/** Compares both sides. */
export async function compareSides(
  session: Session,
  name: string,
  table: string,
  sides: Sides,
): Promise<TableComparison> {
  const groups = await differingGroups(session, sides)
  const total: Totals = { missing: 0, extra: 0, differing: 0, columns: {} }
  const examples: Examples = { missing: [], extra: [], cells: [] }
  for (const share of shares(groups.differing)) {
    await joinShare(session, sides, share)
    await addTotals(session, sides, total)
    await addExamples(session, sides, examples)
  }
  await session.run('DROP TABLE IF EXISTS marketlake_joined')
  return {
    name,
    table,
    rowsOld: groups.rowsOld,
    rowsNew: groups.rowsNew,
    duplicates: await duplicatesOf(session, sides, groups.rowsOld),
    ...total,
    drift: sides.drift,
    groups: {
      by: groups.by,
      count: groups.count,
      differing: groups.differing.slice(0, EXAMPLES_MAX).map((g) => g.group ?? 'NULL'),
    },
    sums: await columnSums(session, sides),
    examples,
  }
}

async function duplicatesOf(session: Session, sides: Sides, rowsOld: number): Promise<number> {
  if (sides.allOldSql === undefined) return 0
  const { n } = await session.row<{ n: bigint }>(`SELECT count(*) AS n FROM (${sides.allOldSql})`)
  return Number(n) - rowsOld
}

/** True if nothing differs. */
export function isEqual(table: TableComparison): boolean {
  return table.missing + table.extra + table.differing + table.drift.length === 0
}

interface Group {
  readonly group: string | null
  readonly rows: number
}

interface Groups {
  readonly by: string
  readonly count: number
  readonly rowsOld: number
  readonly rowsNew: number
  readonly differing: readonly Group[]
}

/** Equal values hash equally, but so do 0 and -0: their signs go in beside them. */
function rowHash(columns: readonly ComparedColumn[]): string {
  const signs = columns.filter((c) => c.floating).map((c) => negativeZero(identifier(c.name)))
  return `hash(${[...columns.map((c) => identifier(c.name)), ...signs].join(', ')})`
}

function negativeZero(value: string): string {
  return `coalesce(${value} = 0 AND signbit(${value}), false)`
}

function groupOf({ key, columns }: Sides): { by: string; sql: string } {
  if (key.includes('symbol')) return { by: 'symbol', sql: 'CAST(symbol AS VARCHAR)' }
  const hash = key.length > 0 ? `hash(${identifiers(key)})` : rowHash(columns)
  return { by: `hash of the key modulo ${SHARES}`, sql: `CAST(${hash} % ${SHARES} AS VARCHAR)` }
}

async function differingGroups(session: Session, sides: Sides): Promise<Groups> {
  const { by, sql } = groupOf(sides)
  const side = (rows: string): string =>
    `(SELECT g, count(*) AS n, sum(h) AS s, bit_xor(h) AS x
      FROM (SELECT ${sql} AS g, ${rowHash(sides.columns)} AS h FROM (${rows})) GROUP BY g)`
  await session.run(
    `CREATE OR REPLACE TEMP TABLE marketlake_groups AS
     SELECT coalesce(a.g, b.g) AS g, coalesce(a.n, 0) AS old_n, coalesce(b.n, 0) AS lake_n,
            a.n IS DISTINCT FROM b.n OR a.s IS DISTINCT FROM b.s OR a.x IS DISTINCT FROM b.x AS differs
     FROM ${side(sides.oldSql)} a FULL JOIN ${side(sides.lakeSql)} b ON a.g IS NOT DISTINCT FROM b.g`,
  )
  const all = await session.row<{ count: bigint; old: bigint; lake: bigint }>(
    `SELECT count(*) AS count, CAST(coalesce(sum(old_n), 0) AS BIGINT) AS old,
            CAST(coalesce(sum(lake_n), 0) AS BIGINT) AS lake FROM marketlake_groups`,
  )
  const differing = await session.rows<{ g: string | null; n: bigint }>(
    'SELECT g, old_n + lake_n AS n FROM marketlake_groups WHERE differs ORDER BY g',
  )
  return {
    by,
    count: Number(all.count),
    rowsOld: Number(all.old),
    rowsNew: Number(all.lake),
    differing: differing.map(({ g, n }) => ({ group: g, rows: Number(n) })),
  }
}

/** Groups put together until they are as many rows as are joined at a time. */
function shares(groups: readonly Group[]): Group[][] {
  const found: Group[][] = []
  let rows = Number.POSITIVE_INFINITY
  for (const group of groups) {
    if (rows + group.rows > JOIN_ROWS_MAX) {
      found.push([])
      rows = 0
    }
    found.at(-1)!.push(group)
    rows += group.rows
  }
  return found
}

/** The rows of some groups, joined by key; the second of two rows of one key joins the second of the other side. */
async function joinShare(session: Session, sides: Sides, share: readonly Group[]): Promise<void> {
  const key = sides.key.length > 0 ? sides.key : [HASH]
  const names = share.flatMap(({ group }) => (group === null ? [] : [literal(group)]))
  const isIn = names.length > 0 ? `${GROUP} IN (${names.join(', ')})` : 'false'
  const condition = share.some(({ group }) => group === null)
    ? `(${isIn} OR ${GROUP} IS NULL)`
    : isIn
  const side = (rows: string): string =>
    `(SELECT *, row_number() OVER (PARTITION BY ${identifiers(key)} ORDER BY ${HASH}) AS ${NTH}, true AS ${HERE}
      FROM (SELECT *, ${groupOf(sides).sql} AS ${GROUP}, ${rowHash(sides.columns)} AS ${HASH} FROM (${rows}))
      WHERE ${condition})`
  const on = [...key, NTH].map((n) => `a.${identifier(n)} IS NOT DISTINCT FROM b.${identifier(n)}`)
  const cells = sides.columns.flatMap(({ name }, i) => [
    `a.${identifier(name)} AS a${i}`,
    `b.${identifier(name)} AS b${i}`,
  ])
  await session.run(
    `CREATE OR REPLACE TEMP TABLE marketlake_joined AS
     SELECT a.${HERE} AS here_a, b.${HERE} AS here_b, ${cells.join(', ')}
     FROM ${side(sides.oldSql)} a FULL JOIN ${side(sides.lakeSql)} b ON ${on.join(' AND ')}
     WHERE a.${HASH} IS DISTINCT FROM b.${HASH}`,
  )
}

interface Totals {
  missing: number
  extra: number
  differing: number
  columns: Record<string, number>
}

function cellDiffers({ floating }: ComparedColumn, i: number): string {
  const differs = `a${i} IS DISTINCT FROM b${i}`
  return floating ? `(${differs} OR ${negativeZero(`a${i}`)} <> ${negativeZero(`b${i}`)})` : differs
}

async function addTotals(session: Session, { columns }: Sides, total: Totals): Promise<void> {
  const counts = columns.map(
    (column, i) => `count(*) FILTER (here_a AND here_b AND ${cellDiffers(column, i)}) AS c${i}`,
  )
  const row = await session.row<Record<string, bigint>>(
    `SELECT count(*) FILTER (here_b IS NULL) AS missing, count(*) FILTER (here_a IS NULL) AS extra,
            count(*) FILTER (here_a AND here_b) AS differing, ${counts.join(', ')} FROM marketlake_joined`,
  )
  total.missing += Number(row['missing'])
  total.extra += Number(row['extra'])
  total.differing += Number(row['differing'])
  for (const [i, { name }] of columns.entries()) {
    const count = Number(row[`c${i}`])
    if (count > 0) total.columns[name] = (total.columns[name] ?? 0) + count
  }
}

interface Examples {
  missing: Json[]
  extra: Json[]
  cells: DifferingCell[]
}

async function addExamples(session: Session, sides: Sides, examples: Examples): Promise<void> {
  const { columns, key } = sides
  const shown = columns.map((c, i) => [c.name, i] as const)
  const keyed = key.length > 0 ? shown.filter(([name]) => key.includes(name)) : shown.slice(0, 8)
  const keyOf = async (side: 'a' | 'b', where: string, found: Json[]): Promise<void> => {
    const cells = keyed.map(([name, i]) => `${side}${i} AS ${identifier(name)}`)
    const rows = await session.rows(
      `SELECT ${cells.join(', ')} FROM marketlake_joined WHERE ${where} LIMIT ${EXAMPLES_MAX - found.length}`,
    )
    found.push(...rows.map((row) => jsonOf(row)))
  }
  if (examples.missing.length < EXAMPLES_MAX) await keyOf('a', 'here_b IS NULL', examples.missing)
  if (examples.extra.length < EXAMPLES_MAX) await keyOf('b', 'here_a IS NULL', examples.extra)
  if (examples.cells.length >= EXAMPLES_MAX) return
  const rows = await session.rows(
    `SELECT * FROM marketlake_joined WHERE here_a AND here_b LIMIT ${EXAMPLES_MAX - examples.cells.length}`,
  )
  for (const row of rows) examples.cells.push(...cellsOf(row, columns, keyed))
}

function cellsOf(
  row: Readonly<Record<string, Value>>,
  columns: readonly ComparedColumn[],
  keyed: readonly (readonly [string, number])[],
): DifferingCell[] {
  const key = jsonOf(Object.fromEntries(keyed.map(([name, i]) => [name, row[`a${i}`]!])))
  return columns.flatMap(({ name }, i) => {
    const [old, lake] = [cellJson(row[`a${i}`]!), cellJson(row[`b${i}`]!)]
    return JSON.stringify(old) === JSON.stringify(lake) ? [] : [{ key, column: name, old, lake }]
  })
}

/** -0 is told apart from 0. */
function cellJson(value: Value): Json {
  return Object.is(value, -0) ? '-0' : jsonOf(value)
}

/** Sums of the numeric columns that differ, for people: exact for integers and decimals. */
async function columnSums(session: Session, sides: Sides): Promise<ColumnSum[]> {
  const numeric = sides.columns.filter((c) => c.numeric && !sides.key.includes(c.name))
  if (numeric.length === 0) return []
  const sums = numeric.map(({ name, floating }, i) => {
    const sum = `${floating ? 'fsum' : 'sum'}(${identifier(name)})`
    return `CAST(${sum} AS VARCHAR) AS s${i}`
  })
  const [old, lake] = [
    await session.row(`SELECT ${sums.join(', ')} FROM (${sides.oldSql})`),
    await session.row(`SELECT ${sums.join(', ')} FROM (${sides.lakeSql})`),
  ]
  return numeric.map(({ name }, i) => ({
    column: name,
    old: jsonOf(old[`s${i}`]!),
    lake: jsonOf(lake[`s${i}`]!),
  }))
}
