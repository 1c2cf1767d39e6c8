/** Parquet that is legal and rare, or made to hurt (rows 11 and 12 of docs/bad-input.md): by `load`, `adopt` and in a Delta log. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadFiles, openLake } from '../../src/index.ts'
import type { Lake } from '../../src/index.ts'
import { adoptFolder } from '../../src/lake/adopt-folder.ts'
import type { LakeError } from '../../src/model/errors.ts'
import { useDeltaTables } from '../support/delta-tables.ts'
import { useEngine } from '../support/engine.ts'
import { failure } from '../support/failure.ts'
import { newLake, rowsOf } from '../support/lake.ts'
import { addAction, logTable, metadataAction, protocolAction } from '../support/log-table.ts'
import type { SchemaNode } from '../support/parquet-bytes.ts'
import { REPETITION, TYPE, int32s, int96, levels, parquetBytes } from '../support/parquet-bytes.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const { session } = useEngine()
const { opened } = useDeltaTables()
let lake: Lake
let tables = 0
beforeAll(async () => {
  lake = await newLake()
})

const { required, optional, repeated } = REPETITION
const MOMENT = new Date('2024-01-02T09:30:00.123Z')

/** Each way in, of one file with a column of a Delta type. */
const WAYS: Readonly<
  Record<string, (file: Buffer, name: string, type: unknown) => Promise<unknown[]>>
> = {
  load: async (file, name) => {
    const [path, table] = [join(temporaryDirectory(), 'x.parquet'), `t${String(tables++)}`]
    writeFileSync(path, file)
    await loadFiles(lake, table, [path], { mode: 'append', timezone: 'UTC' })
    return (await rowsOf(lake, `SELECT ${name} AS v FROM ${table}`)).map((row) => row['v'])
  },
  adopt: async (file, name) => {
    const [folder, table] = [temporaryDirectory(), `t${String(tables++)}`]
    mkdirSync(join(folder, table))
    writeFileSync(join(folder, table, 'x.parquet'), file)
    await adoptFolder(lake, folder, { keys: { [table]: [] } })
    return (await rowsOf(lake, `SELECT ${name} AS v FROM ${table}`)).map((row) => row['v'])
  },
  Delta: async (file, name, type) => {
    const metadata = metadataAction([[name, type]])
    const directory = logTable([
      [protocolAction(), metadata, addAction('x.parquet', { size: file.length })],
    ])
    writeFileSync(join(directory, 'x.parquet'), file)
    const table = await opened(directory)
    return (await table.rows()).map((row) => row[name])
  },
}

const column = (type: number): SchemaNode => ({ name: 'v', type, repetition: required })
const oneValue = (type: number, page: Buffer, codec = 0): Buffer =>
  parquetBytes([column(type)], [{ path: ['v'], type, count: 1, page, codec }], 1)

/** The list [1, 2] in a file of the given nodes. */
function oneList(node: SchemaNode, path: readonly string[]): Buffer {
  const page = Buffer.concat([levels([0, 1]), levels([1, 1]), int32s([1, 2])])
  return parquetBytes([node], [{ path, type: TYPE.int32, count: 2, page }], 1)
}

const LISTS: readonly (readonly [string, Buffer])[] = [
  [
    '12: a repeated column without a list around it',
    oneList({ name: 'v', type: TYPE.int32, repetition: repeated }, ['v']),
  ],
  [
    '12: a list of two levels',
    oneList(
      {
        name: 'v',
        list: true,
        repetition: required,
        children: [{ name: 'array', type: TYPE.int32, repetition: repeated }],
      },
      ['v', 'array'],
    ),
  ],
]

async function written(select: string, options: string): Promise<Buffer> {
  const path = join(temporaryDirectory(), 'x.parquet')
  await session().run(`COPY (${select}) TO '${path}' (FORMAT parquet, ${options})`)
  return readFileSync(path)
}

async function encrypted(): Promise<Buffer> {
  const key = `SET force_mbedtls_unsafe = 'true'; PRAGMA add_parquet_key('k', '0123456789012345')`
  await session().run(key)
  return written('SELECT 7 AS v', `ENCRYPTION_CONFIG {footer_key: 'k'}`)
}

describe.each(Object.keys(WAYS))('by %s', (way) => {
  const read = (file: Buffer, type: unknown): Promise<unknown[]> => WAYS[way]!(file, 'v', type)
  const refused = (file: Buffer, type: unknown = 'integer'): Promise<LakeError> =>
    failure(read(file, type))

  test('12: moments of twelve bytes are read', async () => {
    const [moment] = await read(oneValue(TYPE.int96, int96(MOMENT)), 'timestamp')
    expect(String(moment).replace('Z', '')).toBe('2024-01-02T09:30:00.123')
  })

  test.each(LISTS)('%s is read', async (_name, file) => {
    const type = { type: 'array', elementType: 'integer', containsNull: true }
    expect(await read(file, type)).toEqual([[1, 2]])
  })

  test('12: brotli is read', async () => {
    expect(await read(await written('SELECT 7 AS v', 'COMPRESSION brotli'), 'integer')).toEqual([7])
  })

  test('12: a codec that is not there, and one that is not known', async () => {
    const lzo = await refused(oneValue(TYPE.int32, int32s([7]), 3))
    expect(lzo).toMatchObject({ code: 'UNSUPPORTED_FEATURE' })
    expect(lzo.message).toContain('LZO')
    const unknown = await refused(oneValue(TYPE.int32, int32s([7]), 99))
    expect(unknown.code).toBe('CORRUPT_FILE')
  })

  test('12: an encrypted file', async () => {
    const error = await refused(await encrypted())
    expect(error).toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      next: expect.stringContaining('without encryption') as string,
    })
  })

  test('11: thirty thousand columns', async () => {
    const nodes = Array.from({ length: 30_000 }, (_, i) => ({
      name: i === 0 ? 'v' : `c${String(i)}`,
      type: TYPE.int32,
      repetition: optional,
    }))
    expect((await refused(parquetBytes(nodes, [], 0))).message).toMatch(/30001 columns, and 25000/)
  })

  test('11: structs hundreds deep', async () => {
    let node: SchemaNode = { name: 'v', type: TYPE.int32, repetition: optional }
    for (let i = 0; i < 300; i++) node = { name: 'v', repetition: optional, children: [node] }
    const error = await refused(parquetBytes([node], [], 0))
    expect(error.message).toMatch(/deeper than 100 levels|the table has integer/)
    expect(error.message.length).toBeLessThan(500)
  })
})

test('11: a bomb of gigabytes in kilobytes ends at the memory limit, and the engine goes on', async () => {
  const path = join(temporaryDirectory(), 'bomb.parquet')
  const bomb = await written(
    `SELECT repeat('x', 1000000) AS v FROM range(2000)`,
    'COMPRESSION zstd',
  )
  expect(bomb.length).toBeLessThan(20_000)
  writeFileSync(path, bomb)
  const engine = await lake.analysis({ memoryLimit: '100MB', threads: 1 })
  const error = await failure(engine.query(`SELECT string_agg(v, '') FROM '${path}'`))
  expect(error.code).toBe('OUT_OF_MEMORY')
  expect(await engine.query('SELECT 1 AS a')).toEqual([{ a: 1 }])
  await engine.close()
})

describe('texts that nest', () => {
  test('11: a schema of a Delta log', async () => {
    let type: unknown = 'integer'
    for (let i = 0; i < 1000; i++) type = { type: 'array', elementType: type, containsNull: true }
    const directory = logTable([[protocolAction(), metadataAction([['v', type]])]])
    expect((await failure(opened(directory))).message).toContain('deeper than 100 levels')
  })

  test('11: lake.toml', async () => {
    const other = await newLake()
    await other.close()
    writeFileSync(join(other.root, 'lake.toml'), `x = ${'['.repeat(1e5)}${']'.repeat(1e5)}\n`)
    expect((await failure(openLake(other.root))).code).toBe('INVALID_CONFIG')
  })
})
