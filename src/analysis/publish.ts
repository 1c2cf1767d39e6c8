/** Publishes `analysis.duckdb`: views only, for every DuckDB from 1.1 on, replaced by rename. */
import { join } from 'node:path'
import { LakeError } from '../model/errors.ts'
import { withStandIn } from '../storage/files/stand-in.ts'
import type { LakeRecord } from '../storage/lake/record.ts'
import { refreshHead } from '../storage/lake/store.ts'
import type { Store } from '../storage/lake/store.ts'
import { snapshotSql } from '../storage/delta/relation.ts'
import { tableViews } from '../storage/lake/view.ts'
import { Database } from '../storage/parquet/database.ts'
import type { Session } from '../storage/parquet/database.ts'
import { WITHOUT_LOG, literal } from '../storage/parquet/sql.ts'
import type { Publication } from './meta.ts'
import { publishedStatements } from './published-relations.ts'

/** The name of the published file. */
export const VIEWS_FILE = 'analysis.duckdb'

/** What was published. */
export interface PublishedViews {
  readonly path: string
  readonly version: number
  readonly txnId: string
  readonly views: number
  /** Until then the files that the views name are kept; milliseconds since 1970. */
  readonly validUntilMs: number
}

/** How views are published. */
export interface PublishOptions {
  /** The directory that the views name, where it is mounted elsewhere. */
  readonly root?: string
  /** Without a root: name the directory that the views name which are there. For whoever publishes by itself. */
  readonly keepRoot?: boolean
  /** Publications that lost against a newer head before an older one must do; 3 by default. */
  readonly attemptsMax?: number
}

const ATTEMPTS_MAX = 3
/** An older head will do if it was the newest so short a time ago; what the file promises is counted from then. */
const FRESH_MS = 60_000
/** And if even that was not reached, for example by a machine that slept. */
const ROUNDS_MAX = 20

/** Publishes the views of the head. Sessions that have an older file open keep it and its answers. */
export async function publishViews(
  store: Store,
  options: PublishOptions = {},
): Promise<PublishedViews> {
  const database = await Database.open({ threads: 1, memoryLimit: '256MB' })
  try {
    return await database.using((session) => publishHead(store, session, options))
  } finally {
    await database.close()
  }
}

async function publishHead(
  store: Store,
  session: Session,
  options: PublishOptions,
): Promise<PublishedViews> {
  const { attemptsMax = ATTEMPTS_MAX, keepRoot = false } = options
  const root = options.root ?? (keepRoot ? await publishedRoot(store, session) : undefined)
  for (let round = 1; round <= ROUNDS_MAX; round++) {
    const startedMs = store.effects.now()
    const head = await refreshHead(store)
    const published = await publishRecordViews(store, session, head, root, startedMs)
    // Somebody may have published an older head over a newer one meanwhile: the last look decides.
    if ((await refreshHead(store)).version === head.version) return published
    const fresh =
      store.effects.now() - startedMs < Math.min(FRESH_MS, store.retention.versionsMs / 2)
    if (round >= attemptsMax && fresh) return published
  }
  throw new LakeError('WRITE_CONFLICT', 'the lake moves faster than its views can be published', {
    next: 'Run `marketlake views` again.',
  })
}

/** The root that was asked for when the views that are there were published; undefined if there is none. */
async function publishedRoot(store: Store, session: Session): Promise<string | undefined> {
  const path = join(store.root, VIEWS_FILE)
  if (!(await store.files.stat(path))) return undefined
  try {
    await session.run(`ATTACH ${literal(path)} AS shown (READ_ONLY)`)
    const { root } = await session.row<{ root: string | null }>('SELECT root FROM shown.meta.lake')
    return root ?? undefined
  } catch {
    // Not a file of ours, or one of a time before roots were kept: it is replaced all the same.
    return undefined
  } finally {
    await session.run('DETACH DATABASE IF EXISTS shown')
  }
}

async function publishRecordViews(
  store: Store,
  session: Session,
  record: LakeRecord,
  asked: string | undefined,
  publishedMs: number,
): Promise<PublishedViews> {
  const root = asked ?? store.root
  const temporary = join(store.root, `.analysis.${store.effects.uuid()}.tmp`)
  const validUntilMs = publishedMs + store.retention.versionsMs
  try {
    const views = await withStandIn(store.root, root, () =>
      build(store, session, record, root, temporary, { publishedMs, validUntilMs, root: asked }),
    )
    await store.files.seal(temporary)
    const path = join(store.root, VIEWS_FILE)
    // A write-ahead log that some tool left behind would break every later open of the new file.
    await store.files.remove(`${path}.wal`)
    await store.files.rename(temporary, path)
    await store.files.sync(store.root)
    return { path, version: record.version, txnId: record.txnId, views, validUntilMs }
  } finally {
    await store.files.remove(temporary).catch(() => false)
    await store.files.remove(`${temporary}.wal`).catch(() => false)
  }
}

async function build(
  store: Store,
  session: Session,
  record: LakeRecord,
  root: string,
  path: string,
  publication: Publication,
): Promise<number> {
  const views = (await tableViews(store, record)).map((view) => ({
    ...view,
    directory: join(root, ...view.path.split('/')),
  }))
  // The lists stand in the text of the views: other engines know no variables of ours.
  const { relations, statements } = await publishedStatements(
    store,
    record,
    views,
    (view) => snapshotSql(view.directory, view.snapshot),
    publication,
  )
  await writeFile(session, path, statements)
  return relations.filter((relation) => relation.kind === 'view').length
}

/** The file is the current database while it is built: a view must not keep the alias it was attached under. */
async function writeFile(
  session: Session,
  path: string,
  statements: readonly string[],
): Promise<void> {
  await session.run(
    `ATTACH ${literal(path)} AS published (STORAGE_VERSION 'v1.0.0', BLOCK_SIZE 16384, ${WITHOUT_LOG}); USE published`,
  )
  for (const statement of statements) await session.run(statement)
  await session.run('CHECKPOINT published; USE memory; DETACH published')
}
