/** Where a migration from a `.duckdb` file stands: part of the settings in the lake record, so that all see one truth. */
import type { LakeRecord, Settings } from './record.ts'

/** A column of an old table: its name and, where they differ, the lake's name, its old type and its form. */
export interface MigratedColumn {
  readonly old: string
  readonly new: string
  /** DuckDB's name of the type in the old file, where the lake holds it in another. */
  readonly type?: string
  /** How the old file writes stock symbols, where that is not the lake's `600519.SH`. */
  readonly symbols?: 'code' | 'prefix'
}

/** An old table and the table of the lake that holds its rows. */
export interface MigratedTable {
  /** Name in the old file, in its schema `main`. */
  readonly old: string
  readonly table: string
  /** Columns that identify a row, by the lake's names; empty: none, rows are compared as a whole. */
  readonly key: readonly string[]
  /** Columns in the order of the old table; a bare name stands for one that is the same in both. */
  readonly columns: readonly (string | MigratedColumn)[]
  /** In a table of report versions: the source under which the rows stand. */
  readonly source?: string
  /** The old table has rows of equal keys, and the last of them was taken. */
  readonly onDuplicate?: 'last'
}

/** What the old file looked like at some moment; any write changes it. */
export interface OldFileMark {
  readonly sizeBytes: number
  readonly modifiedMs: number
  readonly walBytes: number
}

/** The newest comparison of both sides. */
export interface Verified {
  readonly lakeVersion: number
  readonly timestamp: number
  readonly equal: boolean
  readonly mark: OldFileMark
  /** Path and Delta version of each table compared, to notice later writes: a table made again counts from 0 again. */
  readonly versions: Readonly<Record<string, string>>
  /** Tables that differ, with how many rows. */
  readonly differing: Readonly<Record<string, number>>
}

/** The newest change of the read source. */
export interface Switched {
  readonly timestamp: number
  /** The version that was shown before; tagged. */
  readonly version: number
  readonly tag: string
  /** It was done without a fresh comparison. */
  readonly forced?: boolean
}

/** The state of a migration. */
export interface Migration {
  /** The old file, an absolute path. */
  readonly old: string
  readonly phase: 'imported' | 'dual-write' | 'cut-over'
  readonly tables: readonly MigratedTable[]
  /** The newest batch of the old file's outbox that the lake holds. */
  readonly batch?: { readonly outbox: string; readonly seq: number }
  readonly verified?: Verified
  readonly cutover?: Switched
  readonly rollback?: Switched
  /** A SQLite file with metadata that is attached beside the views. */
  readonly sqlite?: string
}

/** The state of the migration at a record; undefined where there is none. */
export function migrationOf(record: Pick<LakeRecord, 'settings'>): Migration | undefined {
  return record.settings['migration'] as Migration | undefined
}

/** Settings in which the state of the migration that there is has changed. */
export function withMigration(settings: Settings, change: Partial<Migration>): Partial<Settings> {
  return { migration: { ...(settings['migration'] as Migration), ...change } }
}

/**
 * Settings with which a migration begins, or begins again with other tables: the old file is read until the cut-over.
 * Which batches the lake holds stays known.
 */
export function beginMigration(
  settings: Settings,
  { old, tables, batch: copied }: Pick<Migration, 'old' | 'tables' | 'batch'>,
): Partial<Settings> {
  const batch = copied ?? (settings['migration'] as Migration | undefined)?.batch
  const migration = { old, phase: 'imported', tables, ...(batch && { batch }) }
  return { readSource: 'duckdb', migration }
}

/** Columns in full. */
export function columnsOf(table: MigratedTable): MigratedColumn[] {
  return table.columns.map((c) => (typeof c === 'string' ? { old: c, new: c } : c))
}

/** The key by the names of the old file. */
export function oldKey(table: MigratedTable): string[] {
  const names = new Map(columnsOf(table).map((c) => [c.new, c.old]))
  return table.key.map((name) => names.get(name) ?? name)
}
