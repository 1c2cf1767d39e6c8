/** A writer: appends, upserts, counters, transfers, restores and tables that come and go, one commit after the other. */
import { readdirSync } from 'node:fs'
import { planOperation, stage } from './model.mjs'

/** Runs until it is told to stop. It goes on where the lake says it stopped, never where it remembers. */
export async function runWriter(task) {
  const { api, effects, stopped, root } = task
  const lake = await api.openLake(root, {
    effects,
    maintenance: task.maintenance,
    onWarning: () => undefined,
  })
  task = { ...task, api: { ...api, store: lake.store, record: (version) => lake.record(version) } }
  let s = await nextBatch(lake, task.id)
  for (let i = 0; !stopped.yes; i++) {
    const appended = await writeOnce(task, lake, i, s)
    if (appended === 'committed') s++
    else if (appended === 'unclear') s = await retry(() => nextBatch(lake, task.id))
    if (i % 50 === 49) task.log({ e: 'resources', ...resources(), i })
  }
  await lake.close()
}

/** The lake may be out of space while it is asked; then it is asked again. */
async function retry(call) {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      if (attempt >= 40) throw error
      await new Promise((resolve) => setTimeout(resolve, 250))
    }
  }
}

/** The number of the next batch of a writer, from the lake. */
async function nextBatch(lake, w) {
  const engine = await lake.analysis({ threads: 1 })
  try {
    const [{ s }] = await engine.query(
      `SELECT coalesce(max(s), -1) AS s FROM events WHERE w = ${w}`,
    )
    return s + 1
  } finally {
    await engine.close()
  }
}

async function writeOnce(task, lake, i, s) {
  const { api, chance, log, id } = task
  const effects = planOperation(chance, {
    w: id,
    s,
    head: lake.store.head.version,
    scratchShare: task.scratchShare,
  })
  const batch = `${task.name}/${i}`
  const appends = effects.some((effect) => effect.t === 'append')
  log({ e: 'invoke', batch, effects })
  try {
    const outcome = await lake.write(
      batch,
      async (tx) => {
        for (const effect of effects) await stage(tx, effect, api)
      },
      { operation: 'TORTURE', timeoutMs: 20_000 },
    )
    const { kind, version: v, txnId, changed, reason } = outcome
    log({ e: kind, batch, v, txnId, changed, reason, warnings: outcome.warnings })
    if (kind === 'committed' && changed && chance() < 0.2) await readBack(task, lake, v)
    if (!appends) return 'none'
    return kind === 'committed' ? 'committed' : kind === 'conflict' ? 'none' : 'unclear'
  } catch (error) {
    log({
      e: 'failed',
      batch,
      code: error.code,
      errno: error.details?.errno,
      message: error.message,
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    return appends ? 'unclear' : 'none'
  }
}

/** Whoever was told that a version is committed must find it. */
async function readBack(task, lake, v) {
  const { version } = await retry(() => lake.head())
  if (version < v) task.log({ e: 'violation', law: 'H11 read your writes', v, version })
}

function resources() {
  let fds = 0
  try {
    fds = readdirSync('/proc/self/fd').length
  } catch {
    // Only Linux tells.
  }
  return { fds, rssBytes: process.memoryUsage().rss }
}
