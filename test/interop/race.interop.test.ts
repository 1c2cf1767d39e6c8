/** delta-rs and this package race on one table of a lake: nothing of ours is lost, what is theirs is live or named as undone. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { field, schemaOf } from '../../src/model/schema.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { startEngines } from './support/engines.ts'
import type { Columns, Engines } from './support/engines.ts'

/** `MARKETLAKE_RACE_SECONDS=60` for the whole trial. */
const SECONDS = Number(process.env['MARKETLAKE_RACE_SECONDS'] ?? 10)
const COLUMNS: Columns = [
  ['id', 'string'],
  ['v', 'long'],
]
const SHARED = ['s0', 's1', 's2']

let engines: Engines
beforeAll(() => {
  engines = startEngines('python')
})
afterAll(() => engines.close())

interface Theirs {
  /** Keys of appends that delta-rs reported as done. */
  readonly appended: string[]
  /** Values that merges gave to the shared keys, by the commit's number in their history. */
  readonly merged: { readonly id: string; readonly v: number }[]
  refused: number
}

/** Appends of new keys and merges into shared ones, until the time is over. */
async function race(path: string, untilMs: number): Promise<Theirs> {
  const done: Theirs = { appended: [], merged: [], refused: 0 }
  for (let i = 0; Date.now() < untilMs; i++) {
    const merge = i % 4 === 3
    const id = merge ? SHARED[i % SHARED.length]! : `theirs-${String(i)}`
    const v = 1_000_000 + i
    try {
      const rows = [{ id, v: String(v) }]
      if (merge) await engines.merge('delta-rs', path, COLUMNS, rows, ['id'])
      else await engines.append('delta-rs', path, COLUMNS, rows)
      if (merge) done.merged.push({ id, v })
      else done.appended.push(id)
    } catch {
      // It gave up after its retries; then nothing of it may be there.
      done.refused++
    }
  }
  return done
}

test(`${String(SECONDS)} s of both on one table`, async () => {
  const lake = await newLake()
  const schema = schemaOf([field('id', 'string'), field('v', 'long')])
  committed(
    await lake.write('make', async (tx) => {
      await tx.ensure({ name: 't', schema, key: ['id'] })
      await tx.upsert(
        't',
        SHARED.map((id) => ({ id, v: 0n })),
      )
    }),
  )
  const path = join(lake.root, 'warehouse/t')
  const untilMs = Date.now() + SECONDS * 1000
  const ours = new Map<string, bigint>()
  const work = async (): Promise<number> => {
    let conflicts = 0
    for (let i = 0; Date.now() < untilMs; i++) {
      const row = { id: `ours-${String(i)}`, v: BigInt(i) }
      const outcome = await lake.write('ours', async (tx) => {
        await tx.upsert('t', [row, { id: SHARED[i % SHARED.length]!, v: BigInt(i) }])
      })
      if (outcome.kind === 'committed') ours.set(row.id, row.v)
      else conflicts++
    }
    return conflicts
  }
  const [theirs] = await Promise.all([race(path, untilMs), work()])
  await lake.doctor({ fix: true })

  expect(ours.size).toBeGreaterThan(2)
  expect(theirs.appended.length).toBeGreaterThan(2)
  const rows = await rowsOf(lake, 'SELECT id, v FROM t')
  const stored = new Map(rows.map((row) => [row['id'] as string, row['v'] as bigint]))
  expect(stored.size, 'no key twice').toBe(rows.length)
  for (const [id, v] of ours) expect(stored.get(id), id).toBe(v)

  const records = await lake.history()
  const foreign = records.flatMap((r) => r.foreign ?? [])
  const undone = foreign.filter((f) => f.undone)
  const missing = theirs.appended.filter((id) => !stored.has(id))
  // A commit of new keys clashes with nothing of ours, and stays also where a merge beside it is undone.
  expect(missing).toEqual([])
  for (const f of undone) expect(f.operation).toBe('MERGE')
  // Each merge is named: as adopted, and so live until a later commit, or as undone.
  const merges = foreign.filter((f) => f.operation === 'MERGE')
  expect(merges.length).toBeGreaterThanOrEqual(theirs.merged.length)
  expect(await lake.verify({ deep: true })).toEqual([])

  const versions = (await engines.history('delta-rs', path)).map(([version]) => version)
  expect(versions).toEqual(versions.map((_, i) => versions[0]! - i))
  const seen = await engines.read('delta-rs', path)
  expect(new Set(seen.rows.map((row) => row['id']))).toEqual(new Set(stored.keys()))
  process.stdout.write(
    `race: ${String(ours.size)} commits of ours, ${String(theirs.appended.length)} appends and ${String(theirs.merged.length)} merges of delta-rs, ` +
      `${String(undone.length)} undone by name, ${String(theirs.refused)} refused by itself\n`,
  )
})
