/** What the processes of a schedule do: each work is a few operations of the real code, over files that are only names. */
import { join } from 'node:path'
import { setImmediate as quiet } from 'node:timers/promises'
import { field } from '../../src/model/schema.ts'
import type { AddFile } from '../../src/storage/delta/actions.ts'
import type { CommitMode } from '../../src/storage/delta/conflict.ts'
import type { Snapshot } from '../../src/storage/delta/replay.ts'
import { noRows, removeOf } from '../../src/storage/delta/stage.ts'
import type { StageContext, Staged } from '../../src/storage/delta/stage.ts'
import { examineLake } from '../../src/storage/lake/doctor.ts'
import { takeLease } from '../../src/storage/lake/lease.ts'
import type { LakeRecord } from '../../src/storage/lake/record.ts'
import { stageRestore } from '../../src/storage/lake/restore.ts'
import { openableRecord, refreshHead } from '../../src/storage/lake/store.ts'
import type { Store } from '../../src/storage/lake/store.ts'
import type { Transaction } from '../../src/storage/lake/transaction.ts'
import { vacuumLake } from '../../src/storage/lake/vacuum.ts'
import { tableViews } from '../../src/storage/lake/view.ts'
import type { ModelWorld } from './model-lake.ts'
import { commit, definitionOf, foreignCommit, writeModelFile } from './model-lake.ts'
import type { Note } from './protocol.ts'

/** By key, the file that first wrote its row. */
export type Cells = ReadonlyMap<number, string>

/** One schedule. */
export interface Run {
  readonly world: ModelWorld
  readonly chance: () => number
  /** Versions that living readers hold leases of. */
  readonly leased: Set<number>
  /** Of every file, by its path. */
  readonly cells: Map<string, Cells>
  readonly acknowledged: { readonly version: number; readonly txnId: string }[]
}

type Work = (run: Run, store: Store, process: number) => Promise<unknown>

const KEYS = 6
const RETENTION = { versionsMs: 120, filesMs: 120, stagedMs: 300 }
/** What these operations may be told by others. */
export const TOLD = [
  'VERSION_VACUUMED',
  'TABLE_FROZEN',
  'TABLE_NOT_FOUND',
  'WRITE_CONFLICT',
  'TABLE_EXISTS',
  'VERSION_NOT_FOUND',
] as const

const pick = <T>(chance: () => number, list: readonly T[]): T =>
  list[Math.floor(chance() * list.length)]!
const someKey = ({ chance }: Run): number => Math.floor(chance() * KEYS)

/** All rows of a snapshot; no key may stand twice. */
export function cellsOf(run: Run, snapshot: Snapshot, where: string): Map<number, string> {
  const cells = new Map<number, string>()
  for (const file of snapshot.files.values())
    for (const [key, value] of run.cells.get(file.path)!) {
      if (cells.has(key)) throw new Error(`${where}: key ${String(key)} stands twice`)
      cells.set(key, value)
    }
  return cells
}

/** Commits, and takes note of what was acknowledged. */
async function committed(
  run: Run,
  store: Store,
  note: Note,
  callback: (tx: Transaction) => Promise<void>,
): Promise<void> {
  const outcome = await commit(store, callback, JSON.stringify(note))
  if (outcome.kind === 'committed' && outcome.changed) run.acknowledged.push(outcome)
}

type Stage = (context: StageContext) => Promise<Staged>

const staged = (adds: readonly AddFile[], removes: readonly AddFile[], nowMs: number): Staged => ({
  adds,
  removes: removes.map((file) => removeOf(file, nowMs)),
  counts: noRows,
})

function holderOf(run: Run, { snapshot }: StageContext, key: number): AddFile | undefined {
  return [...snapshot.files.values()].find((file) => run.cells.get(file.path)!.has(key))
}

/** A file with these rows; those of `own` are its own. */
async function writeCells(
  run: Run,
  context: StageContext,
  rows: Cells,
  own: readonly number[],
): Promise<AddFile> {
  const keys = [...new Set([...rows.keys(), ...own])]
  const add = await writeModelFile(context, run.world.content, keys, [])
  run.cells.set(add.path, new Map([...rows, ...own.map((key) => [key, add.path] as const)]))
  return add
}

/** Rewrites the file of a key with the key's new row; `value` is a row that stood elsewhere. */
const put =
  (run: Run, key: number, value?: string): Stage =>
  async (context) => {
    const holder = holderOf(run, context, key)
    const rows = new Map(holder && run.cells.get(holder.path))
    if (value !== undefined) rows.set(key, value)
    const add = await writeCells(run, context, rows, value === undefined ? [key] : [])
    return staged([add], holder ? [holder] : [], context.effects.now())
  }

const appendKey =
  (run: Run): Stage =>
  async (context) => {
    const live = cellsOf(run, context.snapshot, 'staging')
    const key = [...Array(2 * KEYS).keys()].find((k) => !live.has(k))
    if (key === undefined) return staged([], [], 0)
    return staged([await writeCells(run, context, new Map(), [key])], [], 0)
  }

const deleteKey =
  (run: Run, key: number): Stage =>
  async (context) => {
    const holder = holderOf(run, context, key)
    if (!holder) return staged([], [], 0)
    const rows = new Map(run.cells.get(holder.path))
    rows.delete(key)
    const adds = rows.size > 0 ? [await writeCells(run, context, rows, [])] : []
    return staged(adds, [holder], context.effects.now())
  }

const replaceAll =
  (run: Run, key: number): Stage =>
  async (context) => {
    const add = await writeCells(run, context, new Map(), [key])
    return staged([add], [...context.snapshot.files.values()], context.effects.now())
  }

const fold =
  (run: Run): Stage =>
  async (context) => {
    const files = [...context.snapshot.files.values()]
    if (files.length < 2) return staged([], [], 0)
    const add = await writeCells(run, context, cellsOf(run, context.snapshot, 'staging'), [])
    const { removes } = staged([], files, context.effects.now())
    return {
      adds: [{ ...add, dataChange: false }],
      removes: removes.map((remove) => ({ ...remove, dataChange: false })),
      counts: noRows,
    }
  }

/** One operation on one table. */
function change(
  run: Run,
  store: Store,
  table: string,
  operation: { readonly mode: CommitMode; readonly predicate?: string; readonly stage: Stage },
  note: Note = {},
): Promise<void> {
  return committed(run, store, note, (tx) => tx.apply(table, operation).then(() => undefined))
}

/** An upsert of one key. */
export function write(run: Run, store: Store, table: string, key: number): Promise<void> {
  return change(run, store, table, { mode: 'upsert', stage: put(run, key) })
}

const someTable = ({ chance }: Run): string => pick(chance, ['A', 'A', 'B'])

/** Copies the row of a key from one table to the other: what was read must still be so. */
async function copyRow(run: Run, store: Store): Promise<void> {
  const key = someKey(run)
  const [from, to] = run.chance() < 0.5 ? ['A', 'B'] : ['B', 'A']
  await committed(run, store, { copies: { from, key } }, async (tx) => {
    const { current } = await tx.work(from)
    tx.reads.set(from, tx.base.tables[from]!)
    const value = cellsOf(run, current, 'reading').get(key)
    if (value === undefined) return
    await tx.apply(to, { mode: 'upsert', stage: put(run, key, value) })
  })
}

async function both(run: Run, store: Store): Promise<void> {
  const key = someKey(run)
  await committed(run, store, {}, async (tx) => {
    for (const table of ['A', 'B']) await tx.apply(table, { mode: 'upsert', stage: put(run, key) })
  })
}

async function restore(run: Run, store: Store): Promise<void> {
  const head = await refreshHead(store)
  const version = Math.max(1, head.version - Math.floor(run.chance() * 5))
  const target = await openableRecord(store, version)
  await committed(run, store, { restore: version }, (tx) => stageRestore(store, tx, target))
}

/** A table is dropped, or where it is not there, made; both also as one commit. */
async function dropOrCreate(run: Run, store: Store): Promise<void> {
  const name = pick(run.chance, ['B', 'C'])
  const key = someKey(run)
  const head = await refreshHead(store)
  if (head.tables[name]) {
    await committed(run, store, { drops: [name] }, (tx) => tx.drop(name))
    return
  }
  await committed(run, store, { creates: true }, async (tx) => {
    // In a second run somebody else may have made it.
    if ((await tx.ensure(definitionOf(name))) === 'exists') return
    await tx.apply(name, { mode: 'append', stage: replaceAll(run, key) })
  })
}

async function tag(run: Run, store: Store): Promise<void> {
  const head = await refreshHead(store)
  const at = Math.max(1, head.version - Math.floor(run.chance() * 3))
  const { version, txnId } = await openableRecord(store, at)
  const name = pick(run.chance, ['mark', 'sign'])
  await committed(run, store, { rearranges: true }, async (tx) => {
    tx.change = { tags: { [name]: run.chance() < 0.2 ? undefined : { version, txnId } } }
  })
}

/** Opens a version, at times the oldest there is, and looks at its files again and again. */
async function readLeased(run: Run, store: Store): Promise<void> {
  for (let i = 0; i < 3; i++) {
    const head = await refreshHead(store)
    const oldest = run.chance() < 0.5 ? head.horizon : head.version - Math.floor(run.chance() * 3)
    const record = await openableRecord(store, Math.max(1, oldest))
    const lease = await takeLease(store, record)
    run.leased.add(record.version)
    try {
      for (let j = 0; j < 3; j++) await readFiles(store, record)
    } finally {
      run.leased.delete(record.version)
      await lease?.close()
    }
  }
}

async function readFiles(store: Store, record: LakeRecord): Promise<void> {
  store.snapshots.clear()
  for (const { name, directory, snapshot } of await tableViews(store, record))
    for (const file of snapshot.files.values())
      if (!(await store.files.stat(join(directory, file.path))))
        throw new Error(`a leased reader lost ${name} ${file.path}`)
}

async function vacuum({ world }: Run, store: Store): Promise<void> {
  for (let i = 0; i < 3; i++) {
    world.disk.nowMs += 200
    await vacuumLake({ ...store, retention: RETENTION }, { apply: true })
  }
}

/** Another engine writes to the table where it stands now; now and then it repeats a key, or changes the partitions. */
async function foreign(run: Run, store: Store, process: number): Promise<void> {
  const { world, chance } = run
  for (let i = 0; i < 10; i++) {
    const head = await refreshHead(store)
    const path = head.tables[someTable(run)]?.path
    if (path === undefined) continue
    const key = someKey(run)
    await foreignCommit(world, store.files, process, path.slice('warehouse/'.length), key, {
      dirty: chance() < 0.1,
      metadata: chance() < 0.05,
      told: (file, holder) =>
        run.cells.set(file, new Map([...(holder ? run.cells.get(holder)! : []), [key, file]])),
    })
    await quiet()
  }
}

/** `doctor --fix`: thaws what is frozen. */
async function thaw(_run: Run, store: Store): Promise<void> {
  await examineLake(store, { deep: false, fix: true })
}

/** The works, by name. */
export const WORKS: Readonly<Record<string, Work>> = {
  upserts: async (run, store) => {
    for (let i = 0; i < 4; i++) await write(run, store, someTable(run), someKey(run))
  },
  'more upserts': async (run, store) => {
    for (let i = 0; i < 4; i++) await write(run, store, 'A', someKey(run))
  },
  both,
  append: (run, store) =>
    change(run, store, someTable(run), { mode: 'append', stage: appendKey(run) }),
  delete: (run, store) => {
    const key = someKey(run)
    const operation = { mode: 'delete', predicate: `k = ${String(key)}` } as const
    return change(
      run,
      store,
      someTable(run),
      { ...operation, stage: deleteKey(run, key) },
      {
        deletes: [key],
      },
    )
  },
  'replace a part': (run, store) => {
    const key = someKey(run)
    const operation = { mode: 'replaceWhere', predicate: `k = ${String(key)}` } as const
    return change(run, store, someTable(run), { ...operation, stage: put(run, key) })
  },
  'replace all': (run, store) =>
    change(
      run,
      store,
      someTable(run),
      { mode: 'replace', stage: replaceAll(run, someKey(run)) },
      { replaces: true },
    ),
  optimize: (run, store) =>
    change(run, store, 'A', { mode: 'optimize', stage: fold(run) }, { rearranges: true }),
  'copy a row': copyRow,
  restore,
  columns: (run, store, process) =>
    committed(run, store, { rearranges: true }, (tx) =>
      tx.widen('A', [field(`c${String(process)}`, 'double')]),
    ),
  'drop or create': dropOrCreate,
  tag,
  'leased reader': readLeased,
  vacuum,
  'a foreign writer that does not stop': foreign,
  thaw,
}
