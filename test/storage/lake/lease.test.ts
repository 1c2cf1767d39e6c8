/** The file of a lease: what it says last is what was asked for last, and it stays away once it is closed. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Lake } from '../../../src/lake/lake.ts'
import type { Lease } from '../../../src/storage/lake/lease.ts'
import { listLeases, takeLease } from '../../../src/storage/lake/lease.ts'
import { committed, newLake } from '../../support/lake.ts'

/** A lease whose next write of its file waits for `go`, and the lake beneath it. */
async function slowLease(): Promise<{ lake: Lake; lease: Lease; hold: () => () => void }> {
  const lake = await newLake({ lease: false })
  committed(await lake.tag('one'))
  let gate: Promise<void> | undefined
  const files = Object.create(lake.store.files) as typeof lake.store.files
  const create: typeof files.create = async (path, content) => {
    const wait = gate
    gate = undefined
    await wait
    return lake.store.files.create(path, content)
  }
  const lease = await takeLease(
    { ...lake.store, files: Object.assign(files, { create }) },
    await lake.record(1),
  )
  const hold = (): (() => void) => {
    let go!: () => void
    gate = new Promise((resolve) => (go = resolve))
    return go
  }
  return { lake, lease: lease!, hold }
}

test('a write that began earlier does not end last', async () => {
  const { lake, lease, hold } = await slowLease()
  const [older, newer] = [await lake.record(0), await lake.record(1)]
  const go = hold()
  const first = lease.move(older)
  const second = lease.move(newer)
  // Long enough for a write that would not wait.
  await listLeases(lake.store)
  go()
  await Promise.all([first, second])
  expect((await listLeases(lake.store)).versions).toEqual([newer.version])
  await lease.close()
})

test('a move under way, or one that comes later, does not bring a closed lease back', async () => {
  const { lake, lease, hold } = await slowLease()
  const go = hold()
  const moved = lease.move(await lake.record(0))
  const closed = lease.close()
  await listLeases(lake.store)
  go()
  await Promise.all([moved, closed])
  await lease.move(await lake.record(1))
  expect(readdirSync(join(lake.root, '_lake/leases'))).toEqual([])
})
