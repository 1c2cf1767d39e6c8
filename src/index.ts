/** The public interface of marketlake, grouped by noun. */

// The lake.
export { Lake, createLake, openLake } from './lake/lake.ts'
export type { OpenOptions } from './lake/lake.ts'
export { loadFiles } from './lake/load.ts'
export type { LoadOptions, LoadResult } from './lake/load.ts'
export { ParquetStore } from './lake/parquet-store.ts'
export type { WriteAtomicOptions } from './lake/parquet-store.ts'

// Reading.
export { AnalysisEngine } from './analysis/engine.ts'
export type { AsOfOptions, EngineOptions, Pin } from './analysis/engine.ts'
export type { StatementOptions } from './analysis/limits.ts'
export type { Suggestion } from './analysis/completion.ts'
export { attachTable } from './analysis/attached.ts'
export type { AttachedTable } from './analysis/attached.ts'
export { compareRows } from './analysis/look-ahead.ts'
export type { LookAhead, LookAheadOptions } from './analysis/look-ahead.ts'
export type { ReportChange, ReportVintage } from './analysis/vintages.ts'
export type { Freshness } from './analysis/freshness.ts'
export type { PublishedViews } from './analysis/publish.ts'
export type { ColumnData } from './storage/parquet/columns.ts'
export type { InputValue, Parameters } from './storage/parquet/bind.ts'
export type { ResultColumn, ResultTable } from './storage/parquet/database.ts'
export type { Row, Value } from './storage/parquet/values.ts'

// Strategies.
export { defineStrategy } from './lake/strategy.ts'
export type { Strategy, StrategyRun, StrategyRunOptions } from './lake/strategy.ts'
export type {
  StrategyDay,
  StrategyDefinition,
  StrategyPick,
  StrategyResult,
  TopPicks,
} from './analysis/strategy.ts'
export type { Rebalance } from './analysis/rebalance.ts'

// Writing.
export type { Transaction, WriteOptions } from './storage/lake/transaction.ts'
export type { Committed, Conflict, LakeOutcome, Unknown } from './storage/lake/outcome.ts'

// Migrating from a `.duckdb` file.
export { StorageManager } from './lake/storage-manager.ts'
export type { StorageConnection, StorageManagerOptions } from './lake/storage-manager.ts'
export { DualWriter } from './lake/dual-writer.ts'
export type {
  DualOutcome,
  DualRows,
  DualWriterOptions,
  LakeSide,
  OldOutcome,
} from './lake/dual-writer.ts'
export {
  beginDualWrite,
  cutOverToLake,
  endDualWrite,
  recordImport,
  rollBackToOldFile,
  statusOfMigration,
  verifyOldFile,
} from './lake/migration.ts'
export type { Mount } from './lake/migration.ts'
export { adoptFolder } from './lake/adopt-folder.ts'
export type { AdoptResult } from './lake/adopt-folder.ts'
export { importDatabase } from './lake/import-database.ts'
export type { ImportOptions, ImportResult } from './lake/import-attached.ts'
export { exportDatabase } from './lake/export-database.ts'
export type { ExportedDatabase } from './lake/export-database.ts'
export type { ExportedTable } from './analysis/export-database.ts'
export type { ImportPlan, ImportProblem, PlannedTable } from './migration/import-plan.ts'
export type { MigrationStatus } from './migration/status.ts'
export type { VerifyOptions, VerifyReport } from './migration/verify.ts'
export type { TableComparison } from './migration/compare.ts'
export type { MigratedColumn, MigratedTable, Migration } from './storage/lake/migration-state.ts'

// Syncing.
export { planLakeSync as planSync, syncLake as sync } from './lake/sync.ts'
export type { LakeSyncOptions as SyncOptions } from './lake/sync.ts'
export type { FailedUnit, SyncPlan, SyncResult } from './ingestion/sync-options.ts'
export type { EventSink, SyncEvent } from './ingestion/events.ts'
export type {
  Batch,
  BatchKind,
  BatchRequest,
  CollectedTable,
  Collector,
  CollectorTools,
  ListedSymbol,
  Memory,
} from './ingestion/collector.ts'
export type { Http, HttpAnswer, Judge, Verdict } from './ingestion/http.ts'

// Tables.
export { field, schemaOf } from './model/schema.ts'
export type { DataType, Field, Schema } from './model/schema.ts'
export type { Layout, NewTable, PeriodColumn, TableDefinition } from './model/table.ts'
export { STANDARD_TABLES } from './model/standard-tables.ts'
export { normalizeSymbol, parseSymbol } from './model/symbol.ts'

// Errors.
export { LakeError } from './model/errors.ts'
export type { ErrorCode } from './model/errors.ts'
