/** Files of a folder as a source: CSV, Parquet or JSON lines, named after the tables they belong to. */
import { basename, isAbsolute, join } from 'node:path'
import type { Batch, BatchRequest, CollectedTable, Collector } from '../ingestion/collector.ts'
import { LakeError } from '../model/errors.ts'
import { checkTableName } from '../model/name.ts'
import type { Files } from '../storage/files/files.ts'
import { groupBy } from '../model/group.ts'
import type { FilesConfig } from './config.ts'
import { checkInputFile, isInputFile } from './input-file.ts'
import type { Lake } from './lake.ts'
import { loadInto } from './load.ts'

/**
 * The collector of a folder: `daily.csv`, `daily-2024.parquet` and every file in `daily/` belong to the table
 * `daily`. Its rows are upserted like those of `load`; reports come from source `file`.
 */
export function filesCollector(lake: Lake, config: FilesConfig): Collector {
  const { files } = lake.store
  return {
    source: 'file',
    tables: [],
    dated: false,
    batches: async (request) => batchesOf(await tablesIn(files, folderOf(lake, config)), request),
    collect: async (batch) => {
      const tables = await tablesIn(files, folderOf(lake, config))
      return batch.tables.map((table) => loaded(lake, table, tables.get(table) ?? [], config))
    },
  }
}

function folderOf(lake: Lake, { folder }: FilesConfig): string {
  if (folder === '') {
    throw new LakeError('INVALID_CONFIG', 'nothing says where the files are', {
      details: { key: 'sources.files.folder' },
      next: 'Set folder under [sources.files] in lake.toml.',
    })
  }
  return isAbsolute(folder) ? folder : join(lake.root, folder)
}

function batchesOf(tables: ReadonlyMap<string, readonly string[]>, request: BatchRequest): Batch[] {
  if (request.symbols) {
    throw new LakeError('INVALID_ARGUMENT', 'files are taken whole, not by symbols', {
      next: 'Leave --symbols out, or use `marketlake load` with a file of these symbols.',
    })
  }
  const wanted = new Set(request.tables)
  return [...tables.keys()]
    .toSorted()
    .filter((table) => wanted.size === 0 || wanted.has(table))
    .map((table) => ({ kind: 'whole', period: request.today, tables: [table], requests: 0 }))
}

/** Paths by table. A file whose name says nothing is an error rather than left out. */
async function tablesIn(files: Files, folder: string): Promise<Map<string, string[]>> {
  if ((await files.stat(folder))?.kind !== 'directory') {
    throw new LakeError('IO_ERROR', `no such directory: ${folder}`, {
      details: { path: folder, errno: 'ENOENT' },
      next: 'Correct folder under [sources.files] in lake.toml.',
    })
  }
  const found: { table: string; path: string }[] = []
  for (const name of await visible(files, folder)) {
    const path = join(folder, name)
    const stat = await files.stat(path)
    if (stat?.kind === 'directory')
      for (const child of (await visible(files, path)).filter(isInputFile))
        found.push({ table: name, path: join(path, child) })
    // A link is named by whoever reads it, and not left out.
    else if (stat && isInputFile(name)) found.push({ table: tableOf(name), path })
  }
  for (const { table } of found) checkTableName(table)
  return new Map(
    [...groupBy(found, ({ table }) => table)].map(([table, items]) => [
      table,
      items.map(({ path }) => path),
    ]),
  )
}

async function visible(files: Files, folder: string): Promise<string[]> {
  return (await files.list(folder)).filter((name) => !name.startsWith('.'))
}

/** `daily` of `daily.csv`, `daily-2024.parquet` and `daily.2024.csv.gz`. */
function tableOf(name: string): string {
  return /^[^.-]+/.exec(basename(name))?.[0] ?? name
}

function loaded(
  lake: Lake,
  table: string,
  paths: readonly string[],
  config: FilesConfig,
): CollectedTable {
  const key = config.keys
    .map((text) => text.split(':'))
    .find(([name]) => name!.trim() === table)?.[1]
    ?.split(',')
    .map((column) => column.trim())
  return {
    table,
    rows: [],
    fields: [],
    warnings: [],
    stage: async (tx) => {
      for (const path of paths) await checkInputFile(lake.store.files, path)
      return loadInto(tx, table, paths, {
        defaultLayout: lake.config.tables.layout,
        ...(key && !tx.has(table) && { key }),
        ...(config.timezone !== '' && { timezone: config.timezone }),
      })
    },
  }
}
