/** A lake whose data files are only names: the real protocol code over a disk in memory. */
import { join } from 'node:path'
import type { Effects } from '../../src/model/effects.ts'
import { field, schemaOf } from '../../src/model/schema.ts'
import type { TableDefinition } from '../../src/model/table.ts'
import type { AddFile } from '../../src/storage/delta/actions.ts'
import { commitText } from '../../src/storage/delta/actions.ts'
import { commitInfoOf } from '../../src/storage/delta/commit.ts'
import { loadSnapshot } from '../../src/storage/delta/load.ts'
import { LOG_DIRECTORY, commitName } from '../../src/storage/delta/names.ts'
import type { StageContext, Staged } from '../../src/storage/delta/stage.ts'
import { noRows, removeOf } from '../../src/storage/delta/stage.ts'
import type { Files } from '../../src/storage/files/files.ts'
import { publish } from '../../src/storage/files/publish.ts'
import { commitLake } from '../../src/storage/lake/commit.ts'
import { initLake } from '../../src/storage/lake/init.ts'
import type { LakeOutcome } from '../../src/storage/lake/outcome.ts'
import { openStore } from '../../src/storage/lake/store.ts'
import type { LakeData, Store } from '../../src/storage/lake/store.ts'
import type { Database } from '../../src/storage/parquet/database.ts'
import { MemoryDisk } from './memory-files.ts'
import type { Gate } from './memory-files.ts'

/** The lake of every model test. */
export const ROOT = '/lake'
/** Its tables. */
export const TABLES = ['A', 'B'] as const
export type TableName = (typeof TABLES)[number]

/** What the names of files stand for: rows (names of the files that first wrote them) and keys. */
export interface Content {
  readonly rows: Map<string, readonly string[]>
  readonly keys: Map<string, readonly number[]>
}

/** A disk with a lake of two tables, three files each. */
export interface ModelWorld {
  readonly disk: MemoryDisk
  readonly content: Content
  readonly effects: (process: number, turn?: () => Promise<void>) => Effects
}

/** Makes the world. */
export async function modelWorld(chance: () => number): Promise<ModelWorld> {
  const disk = new MemoryDisk()
  const content: Content = { rows: new Map(), keys: new Map() }
  let names = 0
  const effects = (
    process: number,
    turn: () => Promise<void> = () => Promise.resolve(),
  ): Effects => ({
    now: () => disk.nowMs,
    uuid: () =>
      `${String(process).padStart(8, '0')}-0000-4000-8000-${String(++names).padStart(12, '0')}`,
    random: chance,
    sleep: turn,
  })
  const world: ModelWorld = { disk, content, effects }
  const files = disk.files()
  await initLake({ files, effects: effects(900), root: ROOT })
  const store = await openModel(world, 900)
  await commit(store, async (tx) => {
    for (const table of TABLES) {
      await tx.ensure(definitionOf(table))
      await tx.apply(table, {
        mode: 'upsert',
        stage: async (context) => {
          const adds: AddFile[] = []
          for (const key of [0, 1, 2]) adds.push(await writeModelFile(context, content, [key], []))
          return { adds, removes: [], counts: noRows }
        },
      })
    }
  })
  return world
}

/** A table of the model. */
export function definitionOf(name: string): TableDefinition {
  return {
    name,
    path: `warehouse/${name}`,
    schema: schemaOf([field('k', 'long'), field('v', 'string')]),
    key: ['k'],
    clustering: ['k'],
    layout: 'clustered',
    vintage: false,
  }
}

/** Opens the lake as a process; `gate` is awaited before every I/O call. */
export function openModel(
  world: ModelWorld,
  process: number,
  gate?: Gate,
  wrap: { files?: (files: Files) => Files; data?: (data: LakeData) => LakeData } = {},
): Promise<Store> {
  const plain = world.disk.files(gate)
  const files = wrap.files?.(plain) ?? plain
  const data = modelData(world.content)
  return openStore({
    root: ROOT,
    files,
    effects: world.effects(process, () => Promise.resolve(gate?.('stat', 'sleep'))),
    data: wrap.data?.(data) ?? data,
    retention: { versionsMs: 1e12, filesMs: 1e12, stagedMs: 1e12 },
  })
}

/** Answers about rows, from the names of files. */
export function modelData(content: Content): LakeData {
  const keysOf = (files: readonly AddFile[]): number[] =>
    files.flatMap((file) => content.keys.get(file.path) ?? [])
  return {
    rowTest: () => ({
      keysOverlap: (_snapshot, ours, theirs) => {
        const known = new Set(keysOf(ours))
        return Promise.resolve(keysOf(theirs).some((key) => known.has(key)))
      },
      matches: (_snapshot, files, predicate) => {
        const key = Number(/^k = (\d+)$/.exec(predicate)?.[1] ?? Number.NaN)
        return Promise.resolve(keysOf(files).includes(key))
      },
    }),
    repeatsKey: (_directory, _snapshot, files) => {
      const keys = keysOf(files)
      return Promise.resolve(new Set(keys).size !== keys.length)
    },
    misfit: () => Promise.resolve(undefined),
  }
}

const noEngine = {
  connect: () => Promise.resolve({ close: () => Promise.resolve() }),
} as unknown as Database

/** Commits through the real code; nothing needs an engine. */
export function commit(
  store: Store,
  callback: Parameters<typeof commitLake>[2],
  note?: string,
): Promise<LakeOutcome> {
  return commitLake(store, () => Promise.resolve(noEngine), callback, {
    timeoutMs: Number.POSITIVE_INFINITY,
    ...(note !== undefined && { note }),
  })
}

const encoder = new TextEncoder()

/** A data file that holds keys and carries rows on; its own name is its new row. */
export async function writeModelFile(
  context: StageContext,
  content: Content,
  keys: readonly number[],
  rows: readonly string[],
): Promise<AddFile> {
  const path = `${context.effects.uuid()}.parquet`
  content.rows.set(path, [...rows, path])
  content.keys.set(path, keys)
  await context.files.create(join(context.directory, path), encoder.encode(path))
  context.written?.add(path)
  return addOf(path)
}

function addOf(path: string): AddFile {
  const size = encoder.encode(path).length
  return { path, partitionValues: {}, size, modificationTime: 1, dataChange: true }
}

/** Stages an upsert of one key: the file that holds it is rewritten, or a new one is made. */
export function upsertKey(
  content: Content,
  key: number,
): (context: StageContext) => Promise<Staged> {
  return async (context) => {
    const live = [...context.snapshot.files.values()]
    const holder = live.find((file) => content.keys.get(file.path)!.includes(key))
    const keys = new Set([...(holder ? content.keys.get(holder.path)! : []), key])
    const rows = holder ? content.rows.get(holder.path)! : []
    const add = await writeModelFile(context, content, [...keys], rows)
    return {
      adds: [add],
      removes: holder ? [removeOf(holder, context.effects.now())] : [],
      counts: noRows,
    }
  }
}

/** One try of a foreign engine to upsert a key straight into a Delta log; false if it lost the race. */
export async function foreignCommit(
  world: ModelWorld,
  files: Files,
  process: number,
  table: string,
  key: number,
  options: {
    readonly dirty?: boolean
    readonly metadata?: boolean
    /** Told the new file, and the one whose rows it carries on. */
    readonly told?: (path: string, holder: string | undefined) => void
  } = {},
): Promise<boolean> {
  const { content } = world
  const effects = world.effects(process)
  const directory = join(ROOT, 'warehouse', table)
  const snapshot = await loadSnapshot(files, directory)
  if (!snapshot) return false
  const live = [...snapshot.files.values()]
  const holder = live.find((file) => (content.keys.get(file.path) ?? []).includes(key))
  const keep = holder !== undefined && !options.dirty
  const path = `${effects.uuid()}.parquet`
  content.rows.set(path, [...(keep ? content.rows.get(holder.path)! : []), path])
  content.keys.set(path, [...new Set([...(keep ? content.keys.get(holder.path)! : []), key])])
  options.told?.(path, keep ? holder.path : undefined)
  await files.create(join(directory, path), encoder.encode(path))
  const text = commitText({
    commitInfo: { ...commitInfoOf(FOREIGN, { timestamp: 1, txnId: path }), engineInfo: 'other/1' },
    ...(options.metadata && {
      metadata: { ...snapshot.metadata, partitionColumns: ['v'] },
    }),
    txns: [],
    domains: [],
    removes: keep ? [removeOf(holder, effects.now())] : [],
    adds: [addOf(path)],
  })
  const log = join(directory, LOG_DIRECTORY)
  // Foreign engines sync nothing; that one of theirs survives a power cut while its predecessor does not is theirs alone.
  await files.sync(log)
  return (
    (await publish(files, log, commitName(snapshot.version + 1), text, effects)) === 'published'
  )
}

const FOREIGN = {
  mode: 'upsert' as const,
  key: ['k'],
  adds: [],
  removes: [],
  operation: { name: 'MERGE' },
}
