/** What a vacuum may take, and what nobody may lose: cases in which one process is slow at the wrong moment. */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Files } from '../../../src/storage/files/files.ts'
import { examineLake } from '../../../src/storage/lake/doctor.ts'
import { readRecord } from '../../../src/storage/lake/lake-log.ts'
import type { LakeRecord } from '../../../src/storage/lake/record.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import { refreshHead } from '../../../src/storage/lake/store.ts'
import type { Store } from '../../../src/storage/lake/store.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { tableView } from '../../../src/storage/lake/view.ts'
import { failure } from '../../support/memory-files.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import {
  ROOT,
  TABLES,
  commit,
  foreignCommit,
  modelWorld,
  openModel,
  upsertKey,
  writeModelFile,
} from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

const SHORT = { versionsMs: 1, filesMs: 1, stagedMs: 1000 }

function upsert(
  world: ModelWorld,
  store: Store,
  key: number,
  table = 'A',
): ReturnType<typeof commit> {
  return commit(store, async (tx) => {
    await tx.apply(table, { mode: 'upsert', stage: upsertKey(world.content, key) })
  })
}

/** Every file that a record shows is there. */
async function missing(store: Store, record: LakeRecord): Promise<string[]> {
  const gone: string[] = []
  for (const table of TABLES) {
    const { snapshot, directory } = await tableView(store, record, table)
    for (const file of snapshot.files.values())
      if (!(await store.files.stat(join(directory, file.path)))) gone.push(file.path)
  }
  return gone
}

function signal(): { readonly promise: Promise<void>; readonly give: () => void } {
  let give!: () => void
  const promise = new Promise<void>((resolve) => (give = resolve))
  return { promise, give }
}

describe('a vacuum', () => {
  test('takes no file of a writer that slept through its announcement', async () => {
    const world = await modelWorld(seeded(1))
    const [writer, cleaner] = [await openModel(world, 1), await openModel(world, 2)]
    const [deleting, written] = [signal(), signal()]
    const slow: Store = {
      ...cleaner,
      retention: SHORT,
      files: {
        ...cleaner.files,
        remove: async (path) => {
          if (path.includes('warehouse/A')) {
            deleting.give()
            await written.promise
          }
          return cleaner.files.remove(path)
        },
      },
    }
    let vacuum: Promise<unknown> = Promise.resolve()
    let times = 0
    const outcome = await commit(writer, async (tx) => {
      await tx.apply('A', {
        mode: 'upsert',
        stage: async (context) => {
          const staged = await upsertKey(world.content, 5)(context)
          if (times++ > 0) return staged
          world.disk.nowMs += 10_000
          vacuum = vacuumLake(slow, { apply: true })
          await deleting.promise
          return staged
        },
      })
    })
    written.give()
    await vacuum
    expect(outcome.kind).toBe('committed')
    expect(await missing(writer, await refreshHead(writer))).toEqual([])
  })

  test('leaves a file that somebody has open to the next one', async () => {
    const world = await modelWorld(seeded(6))
    const store = { ...(await openModel(world, 1)), retention: SHORT }
    for (let i = 0; i < 4; i++) await upsert(world, store, 1)
    world.disk.nowMs += 100_000
    const { files } = store
    const busy: Store = {
      ...store,
      files: {
        ...files,
        remove: (path) =>
          path.includes('warehouse')
            ? Promise.reject(failure('EBUSY', 'remove', path))
            : files.remove(path),
      },
    }
    expect((await vacuumLake(busy, { apply: true })).files).toBe(0)
    expect((await vacuumLake(store, { apply: true })).files).toBeGreaterThan(0)
  })

  test('is remembered by every later version, so that it is not due again at once', async () => {
    const world = await modelWorld(seeded(2))
    const store = { ...(await openModel(world, 1)), retention: SHORT }
    await vacuumLake(store, { apply: true })
    const { stagedBefore } = store.head
    await upsert(world, store, 1)
    expect(stagedBefore).toBeDefined()
    expect(store.head.stagedBefore).toBe(stagedBefore)
  })

  test('keeps the record whose actions a tagged version of a frozen table shows', async () => {
    const world = await modelWorld(seeded(3))
    await frozenOverRecord(world)
    const store = { ...(await openModel(world, 3)), retention: SHORT }
    const frozen = await settle(store, TABLES)
    expect(frozen.tables['A']?.over).toBeDefined()
    await commit(store, async (tx) => {
      tx.change = { tags: { kept: { version: frozen.version, txnId: frozen.txnId } } }
    })
    const before = [...(await tableView(store, frozen, 'A')).snapshot.files.keys()]
    expect((await examineLake(store, { deep: false, fix: true })).fixed.join()).toContain('table A')
    for (let i = 0; i < 3; i++) await upsert(world, store, i, 'B')
    world.disk.nowMs += 100_000
    await vacuumLake(store, { apply: true })
    expect(store.head.horizon).toBeGreaterThan(frozen.version)
    const fresh = await openModel(world, 4)
    const again = await tableView(fresh, (await readRecord(fresh, frozen.version))!, 'A')
    expect([...again.snapshot.files.keys()]).toEqual(before)
    expect(await missing(fresh, frozen)).toEqual([])
  })
})

/** A record of ours whose Delta version a foreign commit takes that changes the partition columns. */
async function frozenOverRecord(world: ModelWorld): Promise<void> {
  const plain = await openModel(world, 1)
  const cut: Files = {
    ...plain.files,
    link: (from, to) =>
      to.includes('A/_delta_log')
        ? Promise.reject(failure('EIO', 'link', to))
        : plain.files.link(from, to),
  }
  const outcome = await upsert(world, { ...plain, files: cut }, 4)
  expect(outcome).toMatchObject({ kind: 'committed', warnings: [expect.stringContaining('EIO')] })
  await foreignCommit(world, world.disk.files(), 2, 'A', 9, { metadata: true })
}

test('a look at the head that took long does not bring the process back', async () => {
  const world = await modelWorld(seeded(4))
  const store = await openModel(world, 1)
  const first = store.head.version
  const [looked, moved] = [signal(), signal()]
  const slow = { ...store.files }
  const shared: Store = { ...store, files: slow }
  slow.read = async (path) => {
    const content = await store.files.read(path)
    if (path.endsWith(`${first + 1}.json`) && !content) {
      looked.give()
      await moved.promise
    }
    return content
  }
  const long = refreshHead(shared)
  await looked.promise
  await upsert(world, await openModel(world, 2), 1)
  await refreshHead(shared)
  moved.give()
  expect((await long).version).toBe(first + 1)
  expect(shared.head.version).toBe(first + 1)
})

test('a thousand foreign commits in front of one of ours do not stop the lake for ever', async () => {
  const world = await modelWorld(seeded(7))
  const plain = await openModel(world, 1)
  const cut: Files = {
    ...plain.files,
    link: (from, to) =>
      to.includes('A/_delta_log')
        ? Promise.reject(failure('EIO', 'link', to))
        : plain.files.link(from, to),
  }
  await upsert(world, { ...plain, files: cut }, 4)
  for (let version = 1; version <= 1100; version++) {
    const commit = { commitInfo: { operation: 'NOTHING', engineInfo: 'other/1', version } }
    const name = `${String(version).padStart(20, '0')}.json`
    const text = new TextEncoder().encode(`${JSON.stringify(commit)}\n`)
    await plain.files.create(join(ROOT, 'warehouse/A/_delta_log', name), text)
  }
  const store = await openModel(world, 3)
  expect((await upsert(world, store, 5)).kind).toBe('committed')
  expect(await missing(store, await refreshHead(store))).toEqual([])
})

test('a record that lost the race leaves no actions behind', async () => {
  const world = await modelWorld(seeded(5))
  const [store, other] = [await openModel(world, 1), await openModel(world, 2)]
  let first = true
  const racing: Store = {
    ...store,
    files: {
      ...store.files,
      link: async (from, to) => {
        if (first && to.includes('_lake')) {
          first = false
          await upsert(world, other, 1, 'B')
        }
        return store.files.link(from, to)
      },
    },
  }
  const outcome = await commit(racing, async (tx) => {
    await tx.apply('A', {
      mode: 'append',
      stage: async (context) => {
        const adds = []
        for (let key = 100; key < 3500; key++)
          adds.push(await writeModelFile(context, world.content, [key], []))
        return { adds, removes: [], counts: { inserted: 0, updated: 0, deleted: 0, unchanged: 0 } }
      },
    })
  })
  expect(outcome.kind).toBe('committed')
  expect(await store.files.list(join(ROOT, '_lake', 'actions'))).toHaveLength(1)
})
