/** Completion of SQL: DuckDB's own, in an engine that has the lake's names and no way to the disk. */
import { Database } from '../storage/parquet/database.ts'
import type { Session } from '../storage/parquet/database.ts'
import { identifier } from '../storage/parquet/sql.ts'
import type { Row } from '../storage/parquet/values.ts'

/** A way to go on: `word` stands in place of the text from `start` on. */
export interface Suggestion {
  readonly word: string
  readonly start: number
}

/** A column of a relation that can be completed. */
export interface KnownColumn {
  readonly schema: string
  readonly relation: string
  readonly column: string
}

/** What there is to complete. */
export interface KnownNames {
  readonly columns: readonly KnownColumn[]
  /** Macros that stand in a FROM clause, and those that stand in an expression. */
  readonly tableMacros: readonly string[]
  readonly scalarMacros: readonly string[]
}

const SUGGESTIONS_MAX = 50

/** Suggestions for the beginning of a statement, until it is closed. */
export interface Completion {
  suggest(text: string): Promise<Suggestion[]>
  close(): Promise<void>
}

/**
 * Opens a completion. DuckDB's function would list the files of the whole disk inside quotes, so it runs in an
 * engine of its own that may not reach them and has empty tables in place of the views.
 */
export async function openCompletion(names: KnownNames): Promise<Completion> {
  const database = await Database.open({ threads: 1, memoryLimit: '64MB', temporaryDirectory: '' })
  await database.using(async (session) => {
    await session.run('SET GLOBAL enable_external_access=false')
    await session.run(standIns(names).join('; '))
  })
  const session = await database.connect()
  return {
    suggest: async (text) => members(names, text) ?? (await words(session, text)),
    close: () => database.close(),
  }
}

function standIns({ columns, tableMacros, scalarMacros }: KnownNames): string[] {
  const tables = new Map<string, string[]>()
  for (const { schema, relation, column } of columns) {
    const name = `${identifier(schema)}.${identifier(relation)}`
    tables.set(name, [...(tables.get(name) ?? []), `${identifier(column)} INTEGER`])
  }
  const schemas = new Set(columns.map(({ schema }) => schema))
  return [
    ...[...schemas].map((schema) => `CREATE SCHEMA IF NOT EXISTS ${identifier(schema)}`),
    ...[...tables].map(([name, list]) => `CREATE TABLE ${name} (${list.join(', ')})`),
    ...tableMacros.map((name) => `CREATE MACRO ${identifier(name)}() AS TABLE SELECT 1 AS x`),
    ...scalarMacros.map((name) => `CREATE MACRO ${identifier(name)}(x) AS x`),
  ]
}

/** Behind `schema.` its relations, behind `relation.` its columns; undefined behind anything else. */
function members({ columns }: KnownNames, text: string): Suggestion[] | undefined {
  const [, owner, prefix] = /(\w+)\.(\w*)$/.exec(text) ?? []
  if (owner === undefined || prefix === undefined) return undefined
  const of = owner.toLowerCase()
  const names = columns.flatMap(({ schema, relation, column }) =>
    schema === of ? [relation] : relation.toLowerCase() === of ? [column] : [],
  )
  if (names.length === 0) return undefined
  const start = text.length - prefix.length
  return [...new Set(names)]
    .filter((name) => name.toLowerCase().startsWith(prefix.toLowerCase()))
    .map((word) => ({ word, start }))
}

interface Suggested extends Row {
  readonly suggestion: string
  readonly suggestion_start: number
}

/** Words that begin as what is typed does; DuckDB gives the others for those who mistype. */
async function words(session: Session, text: string): Promise<Suggestion[]> {
  const rows = await session.rows<Suggested>(
    'SELECT suggestion, suggestion_start FROM sql_auto_complete($1::VARCHAR)',
    [text],
  )
  const found = rows
    .map((row) => ({ word: row.suggestion.trimEnd(), start: row.suggestion_start }))
    .filter(({ word }) => /\w/.test(word))
    .filter(({ word, start }) => word.toLowerCase().startsWith(text.slice(start).toLowerCase()))
  return found.slice(0, SUGGESTIONS_MAX)
}
