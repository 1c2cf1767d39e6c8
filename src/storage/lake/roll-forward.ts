/** Roll-forward: brings the Delta logs of a record's tables up to the record. Any writer may do it, again and again. */
import { join } from 'node:path'
import type { Commit } from '../delta/actions.ts'
import { commitText } from '../delta/actions.ts'
import type { StagedChange } from '../delta/conflict.ts'
import { clash } from '../delta/conflict.ts'
import { commitAt } from '../delta/load.ts'
import { mergedMetadata } from '../delta/metadata.ts'
import { LOG_DIRECTORY, commitName } from '../delta/names.ts'
import type { Snapshot } from '../delta/replay.ts'
import { advance } from '../delta/replay.ts'
import { removeOf } from '../delta/stage.ts'
import { publish } from '../files/publish.ts'
import { LakeError } from '../../model/errors.ts'
import { describeForeign, inspectForeign } from './foreign.ts'
import type { ForeignCommit, LakeRecord, TableCommit, TableEntry } from './record.ts'
import type { Store } from './store.ts'
import { appIdOf, deltaAt, rememberSnapshot, tableDirectory } from './store.ts'
import { tableCommitOf } from './view.ts'

/** The true mapping after a roll-forward, and the foreign commits that were met on the way. */
export interface RolledForward {
  readonly tables: Readonly<Record<string, TableEntry>>
  readonly foreign: readonly ForeignCommit[]
}

/** Finishes the Delta commits of a record, tables in parallel. The record must be durable. */
export async function rollForward(store: Store, record: LakeRecord): Promise<RolledForward> {
  const rolling = record.commits.map(
    async (commit) => [commit.table, await rollTable(store, record, commit)] as const,
  )
  // Whoever is told of a failure may close the lake: by then nothing is under way any more.
  await Promise.allSettled(rolling)
  const results = await Promise.all(rolling)
  const changed = Object.fromEntries(results.map(([name, result]) => [name, result.entry]))
  return {
    tables: { ...record.tables, ...changed },
    foreign: results.flatMap(([, result]) => result.foreign),
  }
}

interface RolledTable {
  readonly entry: TableEntry
  readonly foreign: readonly ForeignCommit[]
}

/** In the `commitInfo` of a commit of ours: the foreign versions it took back. */
const UNDONE = 'marketlake.undone'
/** Lost races for the next Delta version, bounded so that no writer waits for ever. What stood there before is no race. */
const RACES_MAX = 1000

/** Foreign commits that were met instead of ours, oldest first, and what they came to. */
interface Course {
  readonly foreign: Commit[]
  /** The state before ours would have come; undefined before version 0. */
  readonly base: Snapshot | undefined
  /** The state after the foreign commits that were judged. */
  now: Snapshot | undefined
  judged: number
  /** One of them cannot stand beside ours, so that those which are not `safe` are taken back. */
  undo: boolean
  /** Places of commits that only add rows, and have not been tested by themselves. */
  readonly adding: Set<number>
  /** Places of commits that only add rows with keys that nobody else has: they stay whatever becomes of the others. */
  readonly safe: Set<number>
}

async function rollTable(
  store: Store,
  record: LakeRecord,
  commit: TableCommit,
): Promise<RolledTable> {
  const entry = record.tables[commit.table]!
  const directory = tableDirectory(store, entry.path)
  const log = join(directory, LOG_DIRECTORY)
  if (commit.version === 0) await ensureLog(store, directory, log)
  let course: Course | undefined
  for (let lost = 0; lost < RACES_MAX;) {
    const version = commit.version + (course?.foreign.length ?? 0)
    const there = await commitAt(store.files, directory, version)
    if (there && isOurs(store, record, there)) {
      await store.files.sync(log)
      const undone = undoneBy(there)
      return { entry: { ...entry, version }, foreign: describe(commit, course, undone) }
    }
    if (there) {
      course ??= await startCourse(store, entry, commit)
      course.foreign.push(there)
      continue
    }
    const plan = await planCommit(store, record, commit, directory, course)
    if (plan.kind === 'freeze') return frozen(store, record, commit, entry, course, plan.reason)
    if (course) await store.files.sync(log)
    const text = commitText(plan.commit)
    if ((await publish(store.files, log, commitName(version), text, store.effects)) === 'exists') {
      lost++
      continue
    }
    await store.files.sync(log)
    await remember(store, entry.path, version, plan.commit)
    return { entry: { ...entry, version }, foreign: describe(commit, course, plan.undone) }
  }
  throw new LakeError('WRITE_CONFLICT', `other engines keep committing to ${commit.table}`, {
    details: { table: commit.table, version: commit.version },
    next: 'Run the command again when the other writer is less busy.',
  })
}

async function startCourse(store: Store, entry: TableEntry, commit: TableCommit): Promise<Course> {
  const { version } = commit
  const base = version === 0 ? undefined : await deltaAt(store, entry.path, version - 1)
  return {
    foreign: [],
    base,
    now: base,
    judged: 0,
    undo: false,
    adding: new Set(),
    safe: new Set(),
  }
}

async function ensureLog(store: Store, directory: string, log: string): Promise<void> {
  await store.files.makeDirectory(directory)
  await store.files.makeDirectory(log)
  // Also when it was there: seen is not durable.
  await store.files.sync(directory)
}

/** The transaction id, or behind a checkpoint of someone's the `txn` action, tells our commit. */
export function isOurs(store: Store, record: LakeRecord, there: Commit): boolean {
  if (there.commitInfo?.['txnId'] === record.txnId) return true
  return there.txns.some(
    (txn) => txn.appId === appIdOf(store.lakeId) && txn.version === record.version,
  )
}

type Plan =
  | { readonly kind: 'commit'; readonly commit: Commit; readonly undone: readonly number[] }
  | { readonly kind: 'freeze'; readonly reason: string }

/** Our commit behind foreign ones: as it is where they leave it whole, else with what undoes them. */
async function planCommit(
  store: Store,
  record: LakeRecord,
  commit: TableCommit,
  directory: string,
  course: Course | undefined,
): Promise<Plan> {
  const own = tableCommitOf(record, commit)
  if (!course) return { kind: 'commit', commit: own, undone: [] }
  if (!course.base) return { kind: 'freeze', reason: 'another engine created the table' }
  const reason = await judgeNew(store, directory, commit, own, course)
  if (reason !== undefined) return { kind: 'freeze', reason }
  const [base, now] = [course.base, course.now!]
  if (!course.undo) return { kind: 'commit', commit: withMetadata(own, base, now), undone: [] }
  await findSafe(store, directory, changeOf(commit, own), course)
  const places = course.foreign.map((_, i) => i).filter((i) => !course.safe.has(i))
  const undone = places.map((i) => commit.version + i)
  return { kind: 'commit', commit: undoing(store, own, course, undone), undone }
}

/**
 * Judges the foreign commits that came since the last try, each once: a busy writer adds new ones while we judge,
 * and whoever began again with all of them would never catch up. Gives the reason to freeze the table, if any.
 */
async function judgeNew(
  store: Store,
  directory: string,
  commit: TableCommit,
  own: Commit,
  course: Course,
): Promise<string | undefined> {
  const tested = course.now!
  const change = changeOf(commit, own)
  for (; course.judged < course.foreign.length; course.judged++) {
    const [before, version] = [course.now!, commit.version + course.judged]
    const foreign = course.foreign[course.judged]!
    const adding = onlyAdds(foreign)
    const inspection = await inspectForeign(store, directory, before, version, foreign, {
      unread: course.undo && !adding,
    })
    if (inspection.kind === 'incompatible') return inspection.reason
    course.undo ||= inspection.kind === 'dirty'
    course.now = advance(before, version, foreign, directory)
    if (adding && inspection.kind === 'adoptable') course.adding.add(course.judged)
  }
  if (course.undo || course.now === tested) return undefined
  const rows = store.data.rowTest(directory)
  course.undo = (await clash(change, course.base!, course.now!, rows, tested)) !== undefined
  return undefined
}

function onlyAdds(commit: Commit): boolean {
  return commit.removes.length === 0 && !commit.metadata && !commit.protocol
}

async function findSafe(
  store: Store,
  directory: string,
  change: StagedChange,
  course: Course,
): Promise<void> {
  for (const place of course.adding) {
    course.adding.delete(place)
    const foreign = course.foreign[place]!
    if (await fitsAlone(store, directory, change, course.base!, foreign)) course.safe.add(place)
  }
}

/** True if the rows of a commit can stand on the base and beside ours, whatever becomes of the commits between. */
async function fitsAlone(
  store: Store,
  directory: string,
  change: StagedChange,
  base: Snapshot,
  foreign: Commit,
): Promise<boolean> {
  const rows = store.data.rowTest(directory)
  const alone = advance(base, base.version + 1, foreign, directory)
  if ((await clash(change, base, alone, rows)) !== undefined) return false
  const { key } = change
  if (key.length === 0) return true
  return !(await rows.keysOverlap(alone, foreign.adds, [...base.files.values()], key))
}

function changeOf(commit: TableCommit, own: Commit): StagedChange {
  return {
    mode: commit.mode,
    key: commit.key ?? [],
    ...(commit.predicate !== undefined && { predicate: commit.predicate }),
    adds: own.adds,
    removes: own.removes,
    ...(own.metadata && { metadata: own.metadata }),
    ...(own.protocol && { protocol: own.protocol }),
  }
}

function withMetadata(own: Commit, base: Snapshot, now: Snapshot): Commit {
  return own.metadata ? { ...own, metadata: mergedMetadata(own.metadata, base, now) } : own
}

/**
 * The same Delta commit that brings ours also takes the foreign files out, but for those of commits that are safe,
 * and brings back what the others replaced.
 */
function undoing(store: Store, own: Commit, course: Course, undone: readonly number[]): Commit {
  const [base, now] = [course.base!, course.now!]
  const kept = [...course.safe].flatMap((i) => course.foreign[i]!.adds)
  const want = advance(
    base,
    base.version + 1,
    { ...own, adds: [...own.adds, ...kept] },
    'undo',
  ).files
  const adds = [...want]
    .filter(([key]) => !now.files.has(key))
    .map(([, file]) => ({ ...file, dataChange: true }))
  const removes = [...now.files]
    .filter(([key]) => !want.has(key))
    .map(([, file]) => removeOf(file, store.effects.now()))
  const metadata = own.metadata ?? base.metadata
  return {
    ...own,
    commitInfo: { ...own.commitInfo, [UNDONE]: undone },
    ...(now.metadata.schemaString !== metadata.schemaString || own.metadata ? { metadata } : {}),
    adds,
    removes,
  }
}

function frozen(
  store: Store,
  record: LakeRecord,
  commit: TableCommit,
  entry: TableEntry,
  course: Course | undefined,
  reason: string,
): RolledTable {
  store.frozen.set(entry.path, { version: commit.version, reason })
  return {
    entry: { path: entry.path, version: commit.version - 1, over: record.version },
    foreign: describe(commit, course, []),
  }
}

function describe(
  commit: TableCommit,
  course: Course | undefined,
  undone: readonly number[],
): ForeignCommit[] {
  return (course?.foreign ?? []).map((one, i) => ({
    ...describeForeign(commit.table, commit.version + i, one),
    ...(undone.includes(commit.version + i) && { undone: true }),
  }))
}

/** Foreign versions that a commit of ours took back. */
function undoneBy(commit: Commit): readonly number[] {
  const undone = commit.commitInfo?.[UNDONE]
  return Array.isArray(undone) ? (undone as number[]) : []
}

/** The state after our own commit is known without reading it back. */
async function remember(
  store: Store,
  path: string,
  version: number,
  commit: Commit,
): Promise<void> {
  const before = store.snapshots.get(path)
  if (before?.version !== version - 1) return
  rememberSnapshot(store, path, advance(before, version, commit, path))
}
