/** `init`, `load`, `tables`, `show`, `history`: what is there, and how it gets there. */
import { createLake, openLake } from '../../lake/lake.ts'
import type { Lake } from '../../lake/lake.ts'
import { loadFiles } from '../../lake/load.ts'
import { LakeError } from '../../model/errors.ts'
import { meaningOf } from '../../model/standard-tables.ts'
import { typeText } from '../../model/schema.ts'
import type { Layout } from '../../model/table.ts'
import { tableInfo } from '../../storage/lake/catalog.ts'
import type { LakeOutcome } from '../../storage/lake/outcome.ts'
import type { LakeRecord } from '../../storage/lake/record.ts'
import { tableChanges } from '../../storage/lake/table-changes.ts'
import type { TableChange } from '../../storage/lake/table-changes.ts'
import { noTable, tableView } from '../../storage/lake/view.ts'
import type { Attach } from '../attach.ts'
import type { CliContext } from '../context.ts'
import { exitCodeOfOutcome, say, warn, writeData, writeDocument, writeWords } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { bytesText, countText, tableText } from '../format.ts'
import { visible } from '../visible.ts'

/** Opens the lake of a command for as long as `use` takes. */
export async function withLake<T>(
  context: CliContext,
  use: (lake: Lake) => Promise<T>,
): Promise<T> {
  const lake = await openLake(context.lake, { onWarning: (text) => warn(context, text) })
  try {
    return await use(lake)
  } finally {
    await lake.close()
  }
}

/** Makes a lake. */
export async function init(
  context: CliContext,
  options: { readonly layout?: Layout } = {},
): Promise<number> {
  const onWarning = (text: string): void => warn(context, text)
  const lake = await createLake(context.lake, { ...options, onWarning })
  try {
    const { version, tables } = await lake.head()
    const names = Object.keys(tables)
    if (context.json) {
      await writeDocument({ lake: lake.root, lakeId: lake.lakeId, version, tables: names })
    }
    say(context, `made the lake ${lake.root} with ${names.length} tables`)
    say(context, 'next: marketlake sync --since 2024, or marketlake load TABLE FILE…')
    return EXIT.ok
  } finally {
    await lake.close()
  }
}

/** Options of `load` as they are typed. */
export interface LoadCommandOptions {
  readonly mode?: 'upsert' | 'append' | 'replace'
  readonly key?: string
  readonly onDuplicate?: 'error' | 'last'
  readonly timezone?: string
  readonly layout?: Layout
}

/** Loads files into a table. */
export async function load(
  context: CliContext,
  table: string,
  files: readonly string[],
  options: LoadCommandOptions,
): Promise<number> {
  return withLake(context, async (lake) => {
    const key = options.key?.split(',').map((name) => name.trim())
    const result = await loadFiles(lake, table, files, {
      ...(options.mode && { mode: options.mode }),
      ...(key && { key }),
      ...(options.onDuplicate && { onDuplicate: options.onDuplicate }),
      ...(options.timezone !== undefined && { timezone: options.timezone }),
      ...(options.layout && { layout: options.layout }),
    })
    await reportWrite(context, table, result.outcome, {
      created: result.created,
      addedColumns: result.addedColumns,
    })
    return exitCodeOfOutcome(result.outcome.kind)
  })
}

/** Reports how a write of one table ended. */
export async function reportWrite(
  context: CliContext,
  table: string,
  outcome: LakeOutcome,
  extra: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  if (context.json) {
    await writeDocument({ ...writeFacts(table, outcome), failed: [], ...extra })
    return
  }
  switch (outcome.kind) {
    case 'committed': {
      const { inserted = 0, updated = 0, unchanged = 0, deleted = 0 } = outcome.counts[table] ?? {}
      const parts = [
        `${countText(inserted)} inserted`,
        `${countText(updated)} updated`,
        ...(deleted > 0 ? [`${countText(deleted)} deleted`] : []),
        `${countText(unchanged)} unchanged`,
      ]
      const version = outcome.changed
        ? `version ${outcome.version}`
        : 'nothing changed, no new version'
      say(context, `${table}: ${parts.join(', ')} (${version})`)
      for (const warning of outcome.warnings) warn(context, warning)
      return
    }
    case 'conflict':
      writeWords(
        `conflict: ${outcome.reason}; nothing was written\n  next: Run the command again.\n`,
      )
      return
    case 'unknown':
      writeWords(
        `unknown outcome: ${outcome.reason}\n  next: marketlake history --txn ${outcome.txnId} tells whether it is there; do not repeat before.\n`,
      )
  }
}

function writeFacts(table: string, outcome: LakeOutcome): Record<string, unknown> {
  switch (outcome.kind) {
    case 'committed': {
      const { inserted = 0, updated = 0, deleted = 0, unchanged = 0 } = outcome.counts[table] ?? {}
      return {
        outcome: outcome.changed ? 'committed' : 'unchanged',
        version: outcome.changed ? outcome.version : null,
        txnId: outcome.changed ? outcome.txnId : null,
        inserted,
        updated,
        deleted,
        unchanged,
        warnings: outcome.warnings,
      }
    }
    case 'conflict':
      return { outcome: 'conflict', version: null, txnId: null, reason: outcome.reason }
    case 'unknown':
      return {
        outcome: 'unknown',
        version: outcome.version,
        txnId: outcome.txnId,
        reason: outcome.reason,
      }
  }
}

/** Lists the tables. */
export async function tables(context: CliContext, options: { at?: string }): Promise<number> {
  return withLake(context, async (lake) => {
    const infos = await lake.tables(options.at)
    if (context.json) {
      await writeDocument(infos)
      return EXIT.ok
    }
    const columns = [
      { name: 'table', type: 'VARCHAR' },
      { name: 'rows', type: 'BIGINT' },
      { name: 'files', type: 'BIGINT' },
      { name: 'size', type: 'DOUBLE' },
      { name: 'version', type: 'BIGINT' },
      { name: 'layout', type: 'VARCHAR' },
      { name: 'key', type: 'VARCHAR' },
    ]
    const rows = infos.map((t) => [
      t.name,
      t.rows === null ? '?' : countText(t.rows),
      t.files,
      bytesText(t.bytes),
      t.version,
      t.layout,
      t.key.join(', '),
    ])
    await writeData(tableText({ columns, rows }))
    return EXIT.ok
  })
}

/** Options of `show` as they are typed. */
export interface ShowOptions {
  readonly at?: string
  readonly attach?: readonly Attach[]
}

/** Shows one table. */
export async function show(
  context: CliContext,
  table: string | undefined,
  options: ShowOptions,
): Promise<number> {
  if (options.attach && (table === undefined || options.attach.some((a) => a.name === table))) {
    const { showAttached } = await import('./attached.ts')
    return showAttached(context, options.attach, table)
  }
  if (table === undefined) {
    throw new LakeError('INVALID_ARGUMENT', 'name a table', {
      next: 'See `marketlake tables` for those there are.',
    })
  }
  return withLake(context, async (lake) => {
    const record = await lake.record(options.at)
    const view = await tableView(lake.store, record, table)
    const { clustering, period, vintage } = view.shape
    const columns = view.snapshot.schema.fields.map((f) => ({
      name: f.name,
      type: typeText(f.type),
      nullable: f.nullable,
      ...meaningOf(f),
    }))
    const facts = {
      ...tableInfo(view, record),
      clustering,
      period: period ? `${period.unit}(${period.column})` : null,
      vintage,
      lakeVersion: record.version,
    }
    if (context.json) {
      await writeDocument({ ...facts, columns })
      return EXIT.ok
    }
    await writeData(factsText(facts) + columnsText(columns))
    return EXIT.ok
  })
}

/** Facts, one a line. */
export function factsText(facts: Readonly<Record<string, unknown>>): string {
  const text = (value: unknown): string =>
    Array.isArray(value)
      ? value.join(', ')
      : value === null
        ? '-'
        : `${value as string | number | boolean}`
  const lines = Object.entries(facts).map(
    ([name, value]) => `${name.padEnd(12)} ${visible(text(value)).replaceAll('\n', '␤')}\n`,
  )
  return `${lines.join('')}\n`
}

/** Columns with what is known of their meaning. */
export function columnsText(
  columns: readonly {
    name: string
    type: string
    label?: string
    unit?: string
    source?: string
  }[],
): string {
  const heads = ['column', 'type', 'label', 'unit', 'source'].map((name) => ({
    name,
    type: 'VARCHAR',
  }))
  const rows = columns.map((c) => [c.name, c.type, c.label ?? '', c.unit ?? '', c.source ?? ''])
  return tableText({ columns: heads, rows })
}

/** Options of `history` as they are typed. */
export interface HistoryOptions {
  readonly txn?: string
  readonly limit?: number
  readonly attach?: readonly Attach[]
}

/** Shows versions, newest first. */
export async function showHistory(
  context: CliContext,
  table: string | undefined,
  options: HistoryOptions,
): Promise<number> {
  if (options.attach && (table === undefined || options.attach.some((a) => a.name === table))) {
    const { attachedHistory } = await import('./attached.ts')
    return attachedHistory(context, options.attach, table, options.limit)
  }
  return withLake(context, async (lake) => {
    const records = await lake.history({
      ...(table !== undefined && { table }),
      ...(options.txn !== undefined && { txnId: options.txn }),
      ...(options.limit !== undefined && { limit: options.limit }),
    })
    // Of a dropped table there is a history; a name that no version has is a slip.
    if (table !== undefined && options.txn === undefined && records.length === 0) {
      const head = await lake.head()
      if (!head.tables[table]) throw noTable(head, table)
    }
    const entries: HistoryEntry[] = []
    for (const record of records) {
      const changes = await tableChanges(lake.store, record)
      entries.push({
        record,
        changes: changes.filter((c) => table === undefined || c.table === table),
      })
    }
    if (context.json) await writeDocument(entries.map(historyEntry))
    else await writeData(historyText(entries))
    return EXIT.ok
  })
}

interface HistoryEntry {
  readonly record: LakeRecord
  readonly changes: readonly TableChange[]
}

function historyEntry({ record, changes }: HistoryEntry): Record<string, unknown> {
  return {
    version: record.version,
    txnId: record.txnId,
    timestamp: new Date(record.timestamp).toISOString(),
    operation: record.operation,
    note: record.note ?? null,
    tables: record.tables,
    engine: record.engine,
    changed: record.commits.map((c) => c.table),
    changes,
    units: record.units,
    ...(record.foreign && { foreign: record.foreign }),
  }
}

function historyText(entries: readonly HistoryEntry[]): string {
  const names = ['version', 'time (UTC)', 'operation', 'tables', 'rows', 'files', 'engine', 'note']
  const columns = names.map((name, i) => ({ name, type: i === 0 ? 'BIGINT' : 'VARCHAR' }))
  const rows = entries.map(({ record, changes }) => [
    record.version,
    new Date(record.timestamp).toISOString().slice(0, 19).replace('T', ' '),
    record.operation,
    [...new Set(changes.map((c) => c.table))].join(', '),
    signed([
      ['+', sum(changes, 'inserted')],
      ['~', sum(changes, 'updated')],
      ['-', sum(changes, 'deleted')],
    ]),
    signed([
      ['+', sum(changes, 'filesAdded')],
      ['-', sum(changes, 'filesRemoved')],
    ]),
    [...new Set([record.engine, ...changes.map((c) => c.engine)])]
      .filter((engine) => !record.foreign || engine !== record.engine)
      .join(', '),
    record.note ?? '',
  ])
  return tableText({ columns, rows })
}

type Count = 'deleted' | 'filesAdded' | 'filesRemoved' | 'inserted' | 'updated'

/** Null if a part of the sum is not known. */
function sum(changes: readonly TableChange[], name: Count): number | null {
  return changes.reduce<number | null>((total, change) => {
    const count = change[name]
    return total === null || count === null ? null : total + count
  }, 0)
}

/** For example `+12 ~3`: inserted, updated; `?` for what nobody tells. */
function signed(counts: readonly (readonly [sign: string, count: number | null])[]): string {
  return counts
    .filter(([, count]) => count !== 0)
    .map(([sign, count]) => `${sign}${count === null ? '?' : countText(count)}`)
    .join(' ')
}
