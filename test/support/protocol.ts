/**
 * The whole protocol in random schedules of single I/O calls, each lake version held against the serial order of the
 * commits before it: every mode of writing, tables that come and go, restores, tags, leased readers, a vacuum that keeps
 * as little as it may, a foreign writer that does not stop, breaks keys and freezes tables, thawing, kills, a power cut.
 */
import { join } from 'node:path'
import { hasCode } from '../../src/model/errors.ts'
import { commitAt, loadSnapshot } from '../../src/storage/delta/load.ts'
import { readRecord } from '../../src/storage/lake/lake-log.ts'
import type { LakeRecord, TableCommit } from '../../src/storage/lake/record.ts'
import { settle } from '../../src/storage/lake/settle.ts'
import type { Store } from '../../src/storage/lake/store.ts'
import { refreshHead } from '../../src/storage/lake/store.ts'
import { verifyLake } from '../../src/storage/lake/verify.ts'
import { tableViews } from '../../src/storage/lake/view.ts'
import { ROOT, modelWorld, openModel } from './model-lake.ts'
import type { Cells, Run } from './protocol-works.ts'
import { TOLD, WORKS, cellsOf, write } from './protocol-works.ts'
import type { Rule } from './rules.ts'
import { Scheduler, seeded } from './scheduler.ts'

const pick = <T>(chance: () => number, list: readonly T[]): T =>
  list[Math.floor(chance() * list.length)]!

/** What a lake version must show: by table, by key, the file that wrote it. */
type State = ReadonlyMap<string, Cells>

interface Watch {
  readonly run: Run
  /** Opened without a gate; it looks between two steps. */
  readonly store: Store
  /** Of every record that was ever seen at its version. */
  readonly states: { readonly txnId: string; readonly state: State }[]
}

/** Where a schedule looks more closely. */
export type Bias = Pick<Rule, 'among' | 'killShare'>

/** Runs one schedule; throws where a law is broken. */
export async function schedule(seed: number, bias: Bias = {}): Promise<void> {
  const { among = Object.keys(WORKS), killShare = 0.002 } = bias
  const chance = seeded(seed)
  const world = await modelWorld(chance)
  const run: Run = { world, chance, leased: new Set(), cells: new Map(), acknowledged: [] }
  for (const [path, keys] of world.content.keys)
    run.cells.set(path, new Map(keys.map((key) => [key, path])))
  const watch: Watch = { run, store: await openModel(world, 800), states: [] }
  await observe(watch)
  const scheduler = new Scheduler()
  const names = Array.from({ length: 7 }, () => pick(chance, among))
  const bodies = names.map((name) => async (process: number) => {
    const store = await openModel(world, process, () => scheduler.turn(process))
    await WORKS[name]!(run, store, process).catch((error: unknown) => {
      if (!TOLD.some((code) => hasCode(error, code))) throw error
    })
  })
  const cutAt = chance() < 0.5 ? Math.floor(chance() * 1200) : Number.POSITIVE_INFINITY
  // Some sleep now and then while all others go on.
  const paces = names.map(() => (chance() < 0.3 ? 0.02 : 1))
  const ended = await scheduler.run(bodies, {
    chance,
    killShare,
    pace: (process) => paces[process]!,
    stepsMax: Math.min(cutAt, 6000),
    onStep: async () => {
      await observe(watch)
      if (chance() < 0.01) await lookAtAll(watch)
    },
  })
  if (!ended) world.disk.crash(() => chance() < 0.5)
  run.leased.clear()
  await finish({ ...watch, store: await openModel(world, 801) })
}

/** Takes note of new records. A power cut may have taken some that nobody was told of. */
async function observe({ run, store, states }: Watch): Promise<void> {
  for (;;) {
    const record = await readRecord(store, states.length)
    if (!record) return
    const before = states.at(-1)?.state ?? new Map<string, Cells>()
    states.push({
      txnId: record.txnId,
      state: await stateAfter(run, store, states, before, record),
    })
  }
}

/** The state that a record makes of the one before: what its note says it did, with the files that it brought. */
async function stateAfter(
  run: Run,
  store: Store,
  states: Watch['states'],
  before: State,
  record: LakeRecord,
): Promise<State> {
  const state = new Map(before)
  const note = noteOf(record)
  if (note.restore !== undefined) return states[note.restore]!.state
  const version = String(record.version)
  for (const name of note.drops ?? [])
    if (!state.delete(name)) throw new Error(`version ${version} drops ${name}, which is not there`)
  for (const commit of record.commits) {
    const own = ownCells(run, pathsOf(commit))
    if (!note.rearranges) {
      if (note.creates && state.has(commit.table))
        throw new Error(`version ${version} makes ${commit.table}, which is there`)
      const cells = new Map(note.replaces ? [] : state.get(commit.table))
      for (const key of note.deletes ?? []) cells.delete(key)
      for (const [key, value] of note.copies ? copied(before, note.copies) : own)
        cells.set(key, value)
      state.set(commit.table, cells)
    }
  }
  for (const foreign of record.foreign ?? []) {
    const entry = record.tables[foreign.table]
    if (foreign.undone || !entry || entry.over !== undefined) continue
    const commit = (await commitAt(store.files, join(ROOT, entry.path), foreign.version))!
    const cells = new Map(state.get(foreign.table))
    for (const [key, value] of ownCells(
      run,
      commit.adds.map((add) => add.path),
    ))
      cells.set(key, value)
    state.set(foreign.table, cells)
  }
  return state
}

/** What a record of ours says of itself; records of the lake's own, as of an adoption, say nothing. */
export interface Note {
  readonly restore?: number
  readonly drops?: readonly string[]
  readonly creates?: true
  readonly replaces?: true
  readonly rearranges?: true
  readonly deletes?: readonly number[]
  readonly copies?: { readonly from: string; readonly key: number }
}

function noteOf({ note, operation, version }: LakeRecord): Note {
  if (note?.startsWith('{')) return JSON.parse(note) as Note
  // What the lake does of itself moves no row; the first records make the tables.
  return operation === 'WRITE' && version <= 1 ? {} : { rearranges: true }
}

function copied(before: State, { from, key }: NonNullable<Note['copies']>): Cells {
  return new Map([[key, before.get(from)?.get(key) ?? 'nothing']])
}

function pathsOf(commit: TableCommit): string[] {
  return commit.actions!.flatMap(
    (action) => (action['add'] as { path: string } | undefined)?.path ?? [],
  )
}

/** Keys that these files were the first to write. */
function ownCells(run: Run, paths: readonly string[]): [number, string][] {
  return paths.flatMap((path) => [...run.cells.get(path)!].filter(([, value]) => value === path))
}

/** Kept by the horizon, by a tag, or by a lease whose reader is alive: it shows what it must. */
async function lookAtAll(watch: Watch): Promise<void> {
  const { run, states } = watch
  const store = await openModel(run.world, 802)
  const head = await refreshHead(store)
  await observe(watch)
  const versions = new Set<number>([
    ...run.leased,
    ...Object.values(head.tags).map((tag) => tag.version),
  ])
  for (let version = Math.max(1, head.horizon); version <= head.version; version++)
    versions.add(version)
  for (const version of versions) {
    const record = (await readRecord(store, version))!
    await look(run, store, record, states[version]!.state)
  }
}

async function look(run: Run, store: Store, record: LakeRecord, state: State): Promise<void> {
  store.snapshots.clear()
  const at = `version ${String(record.version)}`
  const views = await tableViews(store, record)
  const names = views.map((view) => view.name).join()
  if (names !== [...state.keys()].toSorted().join())
    throw new Error(`${at} has the tables ${names}, not ${[...state.keys()].join()}`)
  for (const view of views) {
    if (view.snapshot.metadata.partitionColumns.length > 0)
      throw new Error(`${at}: another engine changed the partitions of ${view.name}`)
    for (const file of view.snapshot.files.values()) {
      const stat = await store.files.stat(join(view.directory, file.path))
      if (stat?.sizeBytes !== file.size) throw new Error(`${at}: ${view.name} ${file.path} is gone`)
    }
    const found = cellsOf(run, view.snapshot, `${at}: ${view.name}`)
    const [is, must] = [textOf(found), textOf(state.get(view.name)!)]
    if (is !== must) throw new Error(`${at}: ${view.name} shows ${is}, not ${must}`)
  }
}

function textOf(cells: Cells): string {
  return [...cells]
    .toSorted(([a], [b]) => a - b)
    .map(([key, value]) => `${String(key)}=${value.slice(0, 8)}…${value.slice(-14, -8)}`)
    .join(' ')
}

/** Everybody is gone: the lake settles, an undisturbed writer commits, the logs hold. */
async function finish(watch: Watch): Promise<void> {
  const { run, store, states } = watch
  await refreshHead(store)
  for (let version = states.length - 1; version >= 0; version--) {
    const record = await readRecord(store, version)
    if (record?.txnId !== states[version]!.txnId) states.length = version
  }
  for (const { version, txnId } of run.acknowledged)
    if (states[version]?.txnId !== txnId)
      throw new Error(`the acknowledged version ${String(version)} is gone`)
  await lookAtAll(watch)
  await settle(store, Object.keys(store.head.tables))
  await write(run, store, 'A', 2).catch((error: unknown) => {
    if (!hasCode(error, 'TABLE_FROZEN') && !hasCode(error, 'TABLE_NOT_FOUND')) throw error
  })
  const head = await settle(store, Object.keys(store.head.tables))
  await lookAtAll(watch)
  await checkLogs(store, head)
}

async function checkLogs(store: Store, head: LakeRecord): Promise<void> {
  const problems = (await verifyLake(store, head, { deep: false })).filter(
    (p) => !p.problem.startsWith('frozen'),
  )
  if (problems.length > 0) throw new Error(problems[0]!.problem)
  for (const { name, path, directory, snapshot } of await tableViews(store, head)) {
    if (store.frozen.has(path) || head.tables[name]!.over !== undefined) continue
    const folded = (await loadSnapshot(store.files, directory))!
    const same = [folded, snapshot].map((s) => [...s.files.keys()].toSorted().join())
    if (same[0] !== same[1]) throw new Error(`the Delta log of ${name} differs from the lake`)
  }
}

/** Runs so many schedules from a seed on until one breaks a law; says which. */
export async function firstBroken(
  seeds: number,
  from = 1,
  bias?: Bias,
): Promise<string | undefined> {
  for (let seed = from; seed < from + seeds; seed++) {
    try {
      await schedule(seed, bias)
    } catch (error) {
      return `seed ${String(seed)}: ${(error as Error).message}`
    }
  }
  return undefined
}
