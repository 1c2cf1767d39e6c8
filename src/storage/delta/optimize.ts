/** Compaction: folds small files, and hot files that have grown old, without changing a row. */
import { LakeError } from '../../model/errors.ts'
import { groupBy } from '../../model/group.ts'
import { fieldOf } from '../../model/schema.ts'
import { identifier } from '../parquet/sql.ts'
import type { AddFile, RemoveFile } from './actions.ts'
import type { Incoming } from './incoming.ts'
import { completeSql, forget } from './incoming.ts'
import { writePartition } from './insert.ts'
import { COLD_BYTES, SMALL_BYTES, hotBytesOf, hotSince, isHotFile, splitParts } from './layout.ts'
import { relationSql } from './relation.ts'
import type { StageContext, Staged } from './stage.ts'
import { noRows, removeOf, temporaryName, writeAll, writeFile } from './stage.ts'
import { boundsOf, rowsOf } from './stats.ts'

/** How eager a compaction is. */
export interface OptimizeOptions {
  /** False: only what is due, as maintenance does it. True: everything that would read faster. */
  readonly all?: boolean
  /** Stop before the next group of files once this returns true. */
  readonly stop?: () => boolean
}

/** Small files of one period that are tolerated before they are folded. */
const SMALL_FILES_MAX = 8
/** Old files outside the cold ones are folded into these once they are a quarter of them. */
const STALE_SHARE_MAX = 0.25
/** A file below this is folded together with others of its age. */
const COLD_BYTES_MIN = COLD_BYTES / 3

/** Files that become fewer, and how large the new ones may be. */
interface Group {
  readonly files: readonly AddFile[]
  readonly bytesPerFile: number
}

/** Stages a compaction: adds and removes with `dataChange` false. Without a due group there are no actions. */
export async function stageOptimize(
  context: StageContext,
  options: OptimizeOptions = {},
): Promise<Staged> {
  const adds: AddFile[] = []
  const removes: RemoveFile[] = []
  for (const group of planGroups(context, options.all ?? false)) {
    if (options.stop?.()) break
    adds.push(...(await rewriteGroup(context, group)))
    removes.push(...group.files.map((file) => removeOf(file, context.effects.now(), false)))
  }
  return { adds, removes, counts: noRows }
}

/** True if a compaction has something to do. */
export function optimizeIsDue(
  context: Pick<StageContext, 'snapshot' | 'shape' | 'table'>,
): boolean {
  return planGroups(context as StageContext, false).length > 0
}

function planGroups(context: StageContext, all: boolean): Group[] {
  const files = [...context.snapshot.files.values()]
  if (context.snapshot.metadata.partitionColumns.length > 0) return planPartitions(files, all)
  const since = hotSince(context)
  const hot = since === undefined ? [] : files.filter((file) => isHotFile(file, context, since))
  const isHot = new Set(hot)
  const old = files.filter((file) => !isHot.has(file))
  return [...planHot(context, hot, all), ...planOld(old, all)].filter(
    (group) => group.files.length > 1,
  )
}

/** Files are folded within their partition; in the per-symbol layout a symbol has one. */
function planPartitions(files: readonly AddFile[], all: boolean): Group[] {
  const groups = groupBy(files, (file) => JSON.stringify(Object.entries(file.partitionValues)))
  return [...groups.values()].flatMap((group) => {
    const small = group.filter((file) => file.size < COLD_BYTES_MIN)
    const due = small.length > (all ? 1 : SMALL_FILES_MAX)
    return due ? [{ files: small, bytesPerFile: Number.POSITIVE_INFINITY }] : []
  })
}

/** Hot files of one period are folded when there are too many small ones. */
function planHot(context: StageContext, hot: readonly AddFile[], all: boolean): Group[] {
  const groups = groupBy(hot, (file) => periodsOf(context, file))
  return [...groups.values()].flatMap((files) => {
    const small = files.filter((file) => file.size < SMALL_BYTES)
    if (small.length <= (all ? 1 : SMALL_FILES_MAX)) return []
    // A file that is nearly full gains nothing from being written again.
    const bytesPerFile = hotBytesOf(context, files[0]!)
    const others = files.filter((file) => file.size >= SMALL_BYTES && file.size < bytesPerFile / 2)
    return [{ files: [...small, ...others], bytesPerFile }]
  })
}

/** The periods that a file spans, as a key: files of one key are folded together. */
function periodsOf(context: StageContext, file: AddFile): string {
  const { period } = context.shape
  if (!period) return ''
  const { type } = fieldOf(context.snapshot.schema, period.column, context.table)
  const bounds = boundsOf(file, period.column, type)
  if (typeof bounds?.min !== 'string' || typeof bounds.max !== 'string') return '?'
  const [first, last] = [periodName(bounds.min, period.unit), periodName(bounds.max, period.unit)]
  return first === last ? first : 'several'
}

function periodName(date: string, unit: 'quarter' | 'month'): string {
  const month = Number(date.slice(5, 7))
  return unit === 'month' ? date.slice(0, 7) : `${date.slice(0, 4)}Q${Math.ceil(month / 3)}`
}

/** Old rows belong into cold files; what is not there yet is folded in when it is much, else among itself. */
function planOld(old: readonly AddFile[], all: boolean): Group[] {
  const cold = old.filter((file) => file.size >= COLD_BYTES_MIN)
  const stale = old.filter((file) => file.size < COLD_BYTES_MIN)
  const bytes = (files: readonly AddFile[]): number => files.reduce((sum, f) => sum + f.size, 0)
  const due = stale.length > (all ? 1 : SMALL_FILES_MAX)
  if (!due && !(all && stale.length > 0 && cold.length > 0)) return []
  const much = bytes(stale) > bytes(cold) * STALE_SHARE_MAX
  if (cold.length > 0 && (much || all)) return [{ files: old, bytesPerFile: COLD_BYTES }]
  return [{ files: stale, bytesPerFile: COLD_BYTES }]
}

async function rewriteGroup(context: StageContext, group: Group): Promise<AddFile[]> {
  if (context.snapshot.metadata.partitionColumns.length > 0) return rewritePartition(context, group)
  const name = temporaryName('fold')
  await gather(context, name, group.files)
  const { n } = await context.session.row<{ n: bigint }>(
    `SELECT count(*) AS n FROM ${identifier(name)}`,
  )
  const rows: Incoming = { name, schema: context.snapshot.schema, rows: Number(n) }
  try {
    checkCount(group.files, rows.rows)
    const bytes = group.files.reduce((sum, file) => sum + file.size, 0)
    const rowsPerFile = (rows.rows * group.bytesPerFile) / Math.max(bytes, 1)
    const parts = await splitParts(context, rows, [{ where: 'true', rows: rows.rows, rowsPerFile }])
    return await writeAll([context.session], parts, (where) =>
      writeFile(context, {
        sql: completeSql(context.snapshot.schema, rows, where),
        dataChange: false,
      }),
    )
  } finally {
    forget(context.session, rows)
  }
}

/** Files of one scan: to keep their order, the engine holds the rows of each file apart until its end. */
const SCANNED_MAX = 500

/** Brings the rows of files into a temporary table, which goes to disk where it is large. */
async function gather(
  { session, directory, snapshot }: StageContext,
  name: string,
  files: readonly AddFile[],
): Promise<void> {
  for (let from = 0; from < files.length; from += SCANNED_MAX) {
    const rows = relationSql(directory, snapshot, files.slice(from, from + SCANNED_MAX))
    const into = from === 0 ? 'CREATE OR REPLACE TEMP TABLE' : 'INSERT INTO'
    await session.run(`${into} ${identifier(name)} ${from === 0 ? 'AS ' : ''}${rows}`)
  }
}

async function rewritePartition(context: StageContext, group: Group): Promise<AddFile[]> {
  const { directory, snapshot, session } = context
  const { files } = group
  const write = async (rows: string): Promise<AddFile[]> => {
    const add = await writePartition(context, files[0]!.partitionValues, rows, {
      dataChange: false,
    })
    if (add) checkCount(files, rowsOf(add) ?? 0)
    return add ? [add] : []
  }
  if (files.length <= SCANNED_MAX) return write(relationSql(directory, snapshot, files))
  const name = temporaryName('fold')
  try {
    await gather(context, name, files)
    return await write(`SELECT * FROM ${identifier(name)}`)
  } finally {
    await session.run(`DROP TABLE IF EXISTS ${identifier(name)}`)
  }
}

/** What was read must be what the log says: a compaction must never lose a row. */
function checkCount(files: readonly AddFile[], rows: number): void {
  const expected = files.reduce<number | undefined>((sum, file) => {
    const count = rowsOf(file)
    return sum === undefined || count === undefined ? undefined : sum + count
  }, 0)
  if (expected === undefined || expected === rows) return
  throw new LakeError(
    'CORRUPT_FILE',
    `a compaction read ${rows} rows where the log has ${expected}`,
    {
      details: { rows, expected, files: files.map((file) => file.path) },
      next: 'Run `marketlake verify --deep` to find the file.',
    },
  )
}
