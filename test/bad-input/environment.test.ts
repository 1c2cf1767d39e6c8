/** Clocks, copies, other versions and few descriptors (rows 30 and 62 to 70 of docs/bad-input.md). */
import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { field, openLake, schemaOf } from '../../src/index.ts'
import type { Lake } from '../../src/index.ts'
import { realEffects } from '../../src/model/effects.ts'
import { committed, newLake, rowsOf } from '../support/lake.ts'
import { asNobody } from '../support/nobody.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const rows = { name: 'rows', schema: schemaOf([field('k', 'long')]), key: ['k'] }

async function write(lake: Lake, k: number): Promise<number> {
  return committed(
    await lake.write(`row ${String(k)}`, async (tx) => {
      await tx.ensure(rows)
      await tx.upsert('rows', [{ k }])
    }),
  )
}

function copyOf(lake: Lake): string {
  const root = join(temporaryDirectory(), 'copy')
  cpSync(lake.root, root, { recursive: true })
  return root
}

describe('a clock that is wrong', () => {
  test.each([-10, 10])(
    '30, 66: by %d years: versions go on, and nothing is deleted by it',
    async (years) => {
      const lake = await newLake()
      await write(lake, 1)
      const now = (): number => Date.now() + years * 31_557_600_000
      const wrong = await openLake(lake.root, {
        effects: { ...realEffects, now },
        maintenance: false,
      })
      await write(wrong, 2)
      await write(lake, 3)
      const times = (await lake.history()).map((record) => record.timestamp)
      expect(times).toEqual(times.toSorted((a, b) => b - a))
      expect(new Set(times).size).toBe(times.length)
      const behind = years < 0 ? wrong : lake
      await expect(behind.vacuum({ apply: true })).rejects.toMatchObject({ code: 'CHECK_FAILED' })
      await wrong.close()
      expect(await rowsOf(lake, 'SELECT count(*)::INTEGER AS n FROM rows')).toEqual([{ n: 3 }])
    },
  )
})

describe('67: a lake that is copied', () => {
  test('back over a newer one: who has it open is told that it went back', async () => {
    const lake = await newLake()
    await write(lake, 1)
    const copy = copyOf(lake)
    await write(lake, 2)
    rmSync(join(lake.root, '_lake'), { recursive: true })
    cpSync(join(copy, '_lake'), join(lake.root, '_lake'), { recursive: true })
    await expect(lake.head()).rejects.toMatchObject({ code: 'LAKE_WENT_BACK' })
  })

  test('while in use, with commits of its sister: writes stop', async () => {
    const lake = await newLake()
    await write(lake, 1)
    const copy = copyOf(lake)
    await write(lake, 2)
    cpSync(join(lake.root, 'warehouse'), join(copy, 'warehouse'), { recursive: true })
    const sister = await openLake(copy, { maintenance: false })
    await expect(write(sister, 3)).rejects.toMatchObject({ code: 'LAKE_DIVERGED' })
    await sister.close()
  })

  test('moved while closed: it opens where it is', async () => {
    const lake = await newLake()
    await write(lake, 1)
    const moved = await openLake(copyOf(lake), { maintenance: false })
    expect(await rowsOf(moved, 'SELECT k FROM rows')).toEqual([{ k: 1n }])
    await moved.close()
  })
})

describe('68: a record of a newer version of this package', () => {
  test.each([{ requires: ['future'] }, { marketlake: 99 }])(
    '%j is refused by name',
    async (change) => {
      const lake = await newLake()
      const root = copyOf(lake)
      const name = readdirSync(join(root, '_lake'))
        .filter((n) => n.endsWith('.json'))
        .toSorted()
        .at(-1)!
      const path = join(root, '_lake', name)
      const record = JSON.parse(readFileSync(path, 'utf8')) as object
      rmSync(path)
      writeFileSync(path, `${JSON.stringify({ ...record, ...change })}\n`)
      await expect(openLake(root)).rejects.toMatchObject({ code: 'UNSUPPORTED_FEATURE' })
    },
  )
})

// Root becomes another user for it; who is another user already owns the lake.
test.skipIf(process.getuid?.() !== 0)(
  '62: a lake that may not be written: reading works, writing is an error at once',
  async () => {
    const lake = await newLake()
    await write(lake, 1)
    const error = await asNobody([lake.root], async () => {
      const reading = await openLake(lake.root, { maintenance: false })
      expect(await rowsOf(reading, 'SELECT k FROM rows')).toEqual([{ k: 1n }])
      const caught: unknown = await write(reading, 2).catch((failed: unknown) => failed)
      await reading.close()
      return caught
    })
    expect(error).toMatchObject({ code: 'IO_ERROR', details: { errno: 'EACCES' } })
  },
)

test.skipIf(process.platform === 'win32')(
  '64: a hundred and sixty descriptors are enough to read and write',
  async () => {
    const lake = await newLake()
    await write(lake, 1)
    const main = resolve('dist/cli/main.js')
    const limited = (command: string): string =>
      execFileSync('sh', [
        '-c',
        `ulimit -n 160; exec node ${main} --lake ${lake.root} --json ${command}`,
      ]).toString()
    expect(JSON.parse(limited('query "SELECT k FROM rows"'))).toMatchObject({ rowCount: 1 })
    expect(JSON.parse(limited('optimize'))).toBeDefined()
  },
)
