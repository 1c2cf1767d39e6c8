/** Two processes upsert disjoint and overlapping keys of one table: nothing acknowledged is lost, nothing is there twice. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { committed, newLake, rowsOf } from '../support/lake.ts'

const run = promisify(execFile)
const SECONDS = process.env['MARKETLAKE_WRITERS_SECONDS'] ?? '15'

interface Done {
  readonly versions: number[]
  readonly own: number[]
  readonly counts: Record<string, number>
  readonly conflicts: number
}

async function writer(directory: string, name: string): Promise<Done> {
  const { stdout } = await run(process.execPath, [
    'test/workers/upserts.mjs',
    directory,
    name,
    SECONDS,
  ])
  return JSON.parse(stdout) as Done
}

test('two writers lose no update and acknowledge no commit twice', async () => {
  const lake = await newLake()
  const schema = {
    type: 'struct' as const,
    fields: [
      { name: 'id', type: 'string' as const, nullable: false, metadata: {} },
      { name: 'n', type: 'long' as const, nullable: true, metadata: {} },
    ],
  }
  committed(
    await lake.write(
      'make',
      async (tx) => void (await tx.ensure({ name: 'counters', schema, key: ['id'] })),
    ),
  )
  const [a, b] = await Promise.all([writer(lake.root, 'a'), writer(lake.root, 'b')])

  expect(a.own.length).toBeGreaterThan(3)
  expect(b.own.length).toBeGreaterThan(3)
  // Every acknowledged version is one record of the history, written by that writer.
  const notes = new Map((await lake.history()).map((record) => [record.version, record.note]))
  for (const [name, done] of [
    ['a', a],
    ['b', b],
  ] as const) {
    done.versions.forEach((version, i) =>
      expect(notes.get(version)).toBe(`${name} ${done.own[i]!}`),
    )
  }
  expect(new Set([...a.versions, ...b.versions]).size).toBe(a.own.length + b.own.length)

  const rows = await rowsOf(lake, 'SELECT id, n FROM counters ORDER BY id')
  const stored = new Map(rows.map((row) => [row['id'] as string, row['n'] as bigint]))
  expect(stored.size).toBe(rows.length)
  const expected = new Map<string, bigint>()
  for (const [name, done] of [
    ['a', a],
    ['b', b],
  ] as const) {
    for (const i of done.own) expected.set(`${name}-${i}`, BigInt(i))
    for (const [key, n] of Object.entries(done.counts))
      expected.set(key, (expected.get(key) ?? 0n) + BigInt(n))
  }
  expect(stored).toEqual(expected)
  expect(await lake.verify({ deep: true })).toEqual([])
})
