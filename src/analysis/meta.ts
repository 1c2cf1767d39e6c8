/** The `meta` schema: what a lake version is, what its tables hold, and what syncs have done. */
import { meaningOf } from '../model/standard-tables.ts'
import { typeText } from '../model/schema.ts'
import { history, tableInfo } from '../storage/lake/catalog.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import type { Store } from '../storage/lake/store.ts'
import { readJournals } from '../storage/lake/journal.ts'
import type { TableView } from '../storage/lake/view.ts'
import { identifier, literal } from '../storage/parquet/sql.ts'
import { freshnessOf } from './freshness.ts'
import type { Relation } from './relation.ts'
import { viewOfTable } from './relation.ts'

/** A table of `meta`: columns as SQL, rows as literals. */
interface MetaTable {
  readonly name: string
  readonly columns: string
  readonly rows: readonly (readonly Cell[])[]
}

type Cell = string | number | boolean | null | Moment
/** Milliseconds since 1970. */
interface Moment {
  readonly timeMs: number
}

const HISTORY_MAX = 1000

/** More facts that stand in `meta.lake` of a published file. */
export interface Publication {
  readonly publishedMs: number
  readonly validUntilMs: number
  /** The directory that the views name, where somebody asked for another than the lake's own. */
  readonly root: string | undefined
}

/** Statements that make the `meta` schema of a lake version. */
export async function metaStatements(
  store: Store,
  record: LakeRecord,
  views: readonly TableView[],
  relations: readonly Relation[],
  publication?: Publication,
): Promise<string[]> {
  const records = await history(store, { limit: HISTORY_MAX })
  const kept = records.filter((r) => r.version <= record.version)
  const runs = await readJournals(store)
  const tables = [
    lakeTable(store, record, publication),
    tablesTable(record, views),
    columnsTable(views),
    relationsTable(relations),
    historyTable(kept),
    runsTable(runs),
    freshnessTable(kept, runs, record),
  ]
  return ['CREATE SCHEMA IF NOT EXISTS meta', ...tables.map(createTable)]
}

function createTable(table: MetaTable): string {
  const empty = `CREATE OR REPLACE TABLE meta.${identifier(table.name)} (${table.columns})`
  if (table.rows.length === 0) return empty
  const values = table.rows.map((row) => `(${row.map(cellSql).join(', ')})`).join(', ')
  return `${empty}; INSERT INTO meta.${identifier(table.name)} VALUES ${values}`
}

function cellSql(cell: Cell): string {
  if (cell === null) return 'NULL'
  if (typeof cell === 'string') return literal(cell)
  if (typeof cell === 'object') return `make_timestamptz(${Math.floor(cell.timeMs) * 1000})`
  return String(cell)
}

function moment(timeMs: number): Moment {
  return { timeMs }
}

function lakeTable(store: Store, record: LakeRecord, publication?: Publication): MetaTable {
  const validUntil = publication?.validUntilMs ?? store.effects.now() + store.retention.versionsMs
  return {
    name: 'lake',
    columns: `lake_id VARCHAR, version BIGINT, txn_id VARCHAR, committed_at TIMESTAMPTZ, operation VARCHAR,
      note VARCHAR, horizon BIGINT, published_at TIMESTAMPTZ, valid_until TIMESTAMPTZ, root VARCHAR`,
    rows: [
      [
        record.lakeId,
        record.version,
        record.txnId,
        moment(record.timestamp),
        record.operation,
        record.note ?? null,
        record.horizon,
        moment(publication?.publishedMs ?? store.effects.now()),
        moment(validUntil),
        publication?.root ?? null,
      ],
    ],
  }
}

function tablesTable(record: LakeRecord, views: readonly TableView[]): MetaTable {
  return {
    name: 'tables',
    columns: `name VARCHAR, "view" VARCHAR, path VARCHAR, version BIGINT, "rows" BIGINT, files BIGINT, bytes BIGINT,
      key VARCHAR, layout VARCHAR`,
    rows: views.map((view) => {
      const info = tableInfo(view, record)
      return [
        info.name,
        viewOfTable(info.name),
        info.path,
        info.version,
        info.rows,
        info.files,
        info.bytes,
        info.key.join(','),
        info.layout,
      ]
    }),
  }
}

function columnsTable(views: readonly TableView[]): MetaTable {
  return {
    name: 'columns',
    columns: `"table" VARCHAR, "view" VARCHAR, "column" VARCHAR, type VARCHAR, label VARCHAR, unit VARCHAR,
      source VARCHAR`,
    rows: views.flatMap((view) =>
      view.snapshot.schema.fields.map((f) => {
        const { label, unit, source } = meaningOf(f)
        const names = [view.name, viewOfTable(view.name), f.name, typeText(f.type)]
        return [...names, label ?? null, unit ?? null, source ?? null]
      }),
    ),
  }
}

function relationsTable(relations: readonly Relation[]): MetaTable {
  return {
    name: 'relations',
    columns: 'name VARCHAR, kind VARCHAR, parameters VARCHAR, label VARCHAR, about VARCHAR',
    rows: relations.map((r) => [r.name, r.kind, r.parameters ?? null, r.label, r.about]),
  }
}

function historyTable(records: readonly LakeRecord[]): MetaTable {
  return {
    name: 'history',
    columns: `version BIGINT, txn_id VARCHAR, committed_at TIMESTAMPTZ, operation VARCHAR, note VARCHAR,
      tables VARCHAR, engine VARCHAR`,
    rows: records.map((r) => [
      r.version,
      r.txnId,
      moment(r.timestamp),
      r.operation,
      r.note ?? null,
      (r.foreign ?? r.commits).map((c) => c.table).join(','),
      r.engine,
    ]),
  }
}

type Runs = Awaited<ReturnType<typeof readJournals>>

function runsTable(runs: Runs): MetaTable {
  return {
    name: 'sync_runs',
    columns: `run VARCHAR, started_at TIMESTAMPTZ, finished_at TIMESTAMPTZ, source VARCHAR, units BIGINT,
      failed BIGINT, "rows" BIGINT, outcome VARCHAR`,
    rows: runs.map((run) => [
      run.run,
      moment(run.startedMs),
      run.finishedMs === undefined ? null : moment(run.finishedMs),
      run.source,
      run.units.length,
      run.failed,
      run.units.reduce((sum, unit) => sum + unit.rows, 0),
      run.outcome ?? null,
    ]),
  }
}

function freshnessTable(records: readonly LakeRecord[], runs: Runs, record: LakeRecord): MetaTable {
  return {
    name: 'freshness',
    columns:
      '"table" VARCHAR, last_checked TIMESTAMPTZ, last_changed TIMESTAMPTZ, newest_period VARCHAR',
    rows: freshnessOf(records, runs, Object.keys(record.tables)).map((f) => [
      f.table,
      f.lastCheckedMs === undefined ? null : moment(f.lastCheckedMs),
      f.lastChangedMs === undefined ? null : moment(f.lastChangedMs),
      f.newestPeriod ?? null,
    ]),
  }
}
