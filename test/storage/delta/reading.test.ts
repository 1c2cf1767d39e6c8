/** Shapes of tables that other engines write and we only read: checkpoints, paths, partition values, mapped and widened columns. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeltaTable, loadSnapshot } from '../../../src/storage/delta/index.ts'
import { prune } from '../../../src/storage/delta/prune.ts'
import type { Row } from '../../../src/storage/parquet/values.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { useLogReader } from '../../support/log-reader.ts'
import type { RawAction } from '../../support/log-table.ts'
import {
  addAction,
  commitFile,
  logTable,
  metadataAction,
  protocolAction,
  removeAction,
  writeCommit,
  writeLogFile,
} from '../../support/log-table.ts'

const { session, open, rowsOf, dataFile } = useLogReader()

const LONG = [['c', 'long']] as const
const START = [protocolAction(), metadataAction(LONG)]

const MAP = 'MAP(VARCHAR, VARCHAR)'
/** Columns of a checkpoint as DuckDB's JSON reader takes them; a key that is absent is NULL. */
const ACTIONS: Readonly<Record<string, unknown>> = {
  add: {
    path: 'VARCHAR',
    partitionValues: MAP,
    size: 'BIGINT',
    modificationTime: 'BIGINT',
    dataChange: 'BOOLEAN',
    stats: 'VARCHAR',
  },
  protocol: {
    minReaderVersion: 'INTEGER',
    minWriterVersion: 'INTEGER',
    readerFeatures: ['VARCHAR'],
    writerFeatures: ['VARCHAR'],
  },
  metaData: {
    id: 'VARCHAR',
    format: { provider: 'VARCHAR', options: MAP },
    schemaString: 'VARCHAR',
    partitionColumns: ['VARCHAR'],
    configuration: MAP,
  },
  sidecar: { path: 'VARCHAR', sizeInBytes: 'BIGINT', modificationTime: 'BIGINT' },
}

const text = (value: unknown): string => `'${JSON.stringify(value).replaceAll("'", "''")}'`

/** A SELECT over actions, one nullable struct a kind. */
function actionsSql(actions: readonly RawAction[]): string {
  const columns = Object.entries(ACTIONS).map(
    ([name, type]) => `from_json(a->'${name}', ${text(type)}) AS "${name}"`,
  )
  const rows = actions.map((action) => `(${text(action)}::JSON)`).join(', ')
  return `SELECT ${columns.join(', ')} FROM (VALUES ${rows}) v(a)`
}

/** Writes a Parquet file of actions as another engine would lay it out. */
async function actionFile(path: string, select: string): Promise<void> {
  mkdirSync(join(path, '..'), { recursive: true })
  await session().run(`COPY (${select}) TO '${path}' (FORMAT parquet)`)
}

describe('checkpoints of others', () => {
  const checkpoint = (version: number, more: string): string =>
    commitFile(version).replace('json', more)
  const v2 = [protocolAction(['v2Checkpoint']), metadataAction(LONG)]
  const uuid = '80a083e8-7026-4e79-81be-64bd76c43a11'

  test.each(['json', 'parquet'])('V2 as %s, its files in sidecars', async (form) => {
    const directory = logTable([[...v2, addAction('old.parquet')]])
    const log = join(directory, '_delta_log')
    await dataFile(directory, 'a b.parquet', 'SELECT 1::BIGINT AS c')
    await dataFile(directory, 'b.parquet', 'SELECT 2::BIGINT AS c')
    await actionFile(
      join(log, '_sidecars', 'one.parquet'),
      actionsSql([addAction('a%20b.parquet')]),
    )
    await actionFile(join(log, '_sidecars', 'two 2.parquet'), actionsSql([addAction('b.parquet')]))
    const sidecar = (path: string) => ({
      sidecar: { path, sizeInBytes: 1, modificationTime: 1 },
    })
    const main = [...v2, sidecar('one.parquet'), sidecar('two%202.parquet')]
    const name = checkpoint(3, `checkpoint.${uuid}.${form}`)
    if (form === 'parquet') await actionFile(join(log, name), actionsSql(main))
    else {
      const lines = [{ checkpointMetadata: { version: 3 } }, ...main]
      writeLogFile(directory, name, lines.map((line) => JSON.stringify(line)).join('\n'))
    }
    expect(await rowsOf(directory)).toEqual([{ c: 1n }, { c: 2n }])
  })

  test('a sidecar that lies elsewhere, or is not there', async () => {
    const directory = logTable([])
    const name = checkpoint(0, `checkpoint.${uuid}.json`)
    const write = (path: string): void =>
      writeLogFile(
        directory,
        name,
        [...v2, { sidecar: { path, sizeInBytes: 1, modificationTime: 1 } }]
          .map((line) => JSON.stringify(line))
          .join('\n'),
      )
    write('../../../x.parquet')
    await expect(loadSnapshot(localFiles, directory)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
    })
    write('%E4%.parquet')
    await expect(loadSnapshot(localFiles, directory)).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
  })

  test('22: a torn newest checkpoint falls back to the one before it', async () => {
    const directory = logTable([START])
    const log = join(directory, '_delta_log')
    const actions = [...START, addAction('a.parquet')]
    await actionFile(join(log, checkpoint(2, 'checkpoint.parquet')), actionsSql(actions))
    writeCommit(directory, 3, [addAction('b.parquet')])
    writeCommit(directory, 4, [removeAction('a.parquet')])
    writeLogFile(directory, checkpoint(4, 'checkpoint.parquet'), 'PAR1 torn PAR1')
    rmSync(join(log, commitFile(0)))
    const snapshot = await loadSnapshot(localFiles, directory)
    expect([snapshot!.version, [...snapshot!.files.keys()]]).toEqual([4, ['b.parquet']])
    rmSync(join(log, commitFile(3)))
    await expect(loadSnapshot(localFiles, directory)).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
  })

  test('22: the only checkpoint is torn and the commits below it are gone', async () => {
    const directory = logTable([])
    writeLogFile(directory, checkpoint(4, 'checkpoint.parquet'), 'PAR1 torn PAR1')
    writeCommit(directory, 5, [addAction('b.parquet')])
    await expect(loadSnapshot(localFiles, directory)).rejects.toMatchObject({
      code: 'CORRUPT_FILE',
    })
  })

  test('a checkpoint may hold more rows than a call takes arguments', async () => {
    const directory = logTable([])
    const head = START.map((action) => JSON.stringify(action)).join('\n')
    const adds = Array.from({ length: 200_000 }, (_, i) => JSON.stringify(addAction(`${i}`)))
    const name = checkpoint(0, `checkpoint.${uuid}.json`)
    writeLogFile(directory, name, `${head}\n${adds.join('\n')}`)
    expect((await loadSnapshot(localFiles, directory))!.files.size).toBe(200_000)
  })

  test('statistics that stand in typed columns only are used, doubtful ones are not', async () => {
    const columns = [
      ['i', 'integer'],
      ['l', 'long'],
      ['s', 'string'],
      ['d', 'date'],
      ['t', 'timestamp'],
      ['m', 'decimal(20,2)'],
      ['f', 'double'],
    ] as const
    const bounds = (i: number): string =>
      `{i: ${i}::INTEGER, l: ${i}::BIGINT + 9007199254740993, s: 's${i}', d: DATE '2024-01-0${i}',
        t: TIMESTAMPTZ '2024-01-01 00:00:00.123456+00', m: 1.25::DECIMAL(20,2), f: ${i}.5::DOUBLE}`
    const directory = logTable([[protocolAction(), metadataAction(columns)]])
    const add = `{path: 'x', partitionValues: MAP {}, size: 1::BIGINT, modificationTime: 1::BIGINT, dataChange: false,
      stats_parsed: {numRecords: 2::BIGINT, minValues: ${bounds(1)}, maxValues: ${bounds(2)}, nullCount: {i: 0::BIGINT}}}`
    const head = actionsSql([protocolAction(), metadataAction(columns)])
    const select = `SELECT * REPLACE (NULL AS add) FROM (${head}) UNION ALL BY NAME SELECT ${add} AS add`
    await actionFile(join(directory, '_delta_log', checkpoint(0, 'checkpoint.parquet')), select)
    rmSync(join(directory, '_delta_log', commitFile(0)))
    const snapshot = (await loadSnapshot(localFiles, directory))!
    const { stats } = [...snapshot.files.values()][0]!
    expect(stats).toContain('"numRecords":2')
    expect(stats).toContain('"l":9007199254740994')
    const hits = (column: string, value: string | number): number =>
      prune(snapshot.files.values(), snapshot.schema, [{ column, min: value, max: value }]).length
    expect([hits('i', 1), hits('i', 3), hits('s', 's2'), hits('s', 't')]).toEqual([1, 0, 1, 0])
    expect([hits('d', '2024-01-02'), hits('d', '2024-02-02')]).toEqual([1, 0])
    expect([hits('t', 5), hits('m', 5), hits('l', 5)]).toEqual([1, 1, 1])
  })
})

describe('paths', () => {
  test('37: encoded, with %, spaces, plus, quotes and characters beyond ASCII', async () => {
    const directory = logTable([START])
    const names = ['a%b', 'sp ace', 'p+q', "it's", '文', 'h#q?x']
    const paths = ['a%25b', 'sp%20ace', 'p+q', "it's", '%E6%96%87', 'h%23q%3Fx']
    for (const [i, name] of names.entries())
      await dataFile(directory, `${name}.parquet`, `SELECT ${i}::BIGINT AS c`)
    writeCommit(
      directory,
      1,
      paths.map((path) => addAction(`${path}.parquet`)),
    )
    expect(await rowsOf(directory)).toEqual(names.map((_, i) => ({ c: BigInt(i) })))
  })

  test.each(['', 'file:', 'file://'])('10: absolute in the table, with %j before it', async (p) => {
    const directory = logTable([START])
    await dataFile(directory, 'x y.parquet', 'SELECT 5::BIGINT AS c')
    writeCommit(directory, 1, [addAction(`${p}${directory}/x%20y.parquet`)])
    expect(await rowsOf(directory)).toEqual([{ c: 5n }])
    writeCommit(directory, 2, [removeAction(`${directory}/x%20y.parquet`)])
    expect(await rowsOf(directory)).toEqual([])
  })

  test.each(['/etc/x.parquet', 's3://bucket/x.parquet', '../x.parquet', 'a/%2e%2e/%2e%2e/x'])(
    '10: %j is refused as a clone',
    async (path) => {
      const directory = logTable([[...START, addAction(path)]])
      await expect(rowsOf(directory)).rejects.toMatchObject({
        code: 'UNSUPPORTED_FEATURE',
        details: { feature: 'shallowClone' },
      })
    },
  )
})

test('partition values of every type, as other writers spell them', async () => {
  const types = {
    s: 'string',
    l: 'long',
    h: 'short',
    b: 'boolean',
    d: 'date',
    m: 'decimal(10,3)',
    f: 'double',
    g: 'float',
    y: 'binary',
    t: 'timestamp',
    n: 'timestamp_ntz',
  }
  const columns = [...Object.entries(types), ['c', 'long'] as const]
  const metadata = metadataAction(columns, { partitionColumns: Object.keys(types) })
  const nothing = Object.fromEntries(Object.keys(types).map((name) => [name, null]))
  const spelled: readonly (readonly [Record<string, string | null>, Row])[] = [
    [
      {
        s: 'a/b %',
        l: '-9223372036854775808',
        h: '-1',
        b: 'true',
        d: '0001-01-01',
        m: '2.000',
        f: '1.0E10',
        g: 'NaN',
        y: 'ab',
        t: '2026-01-05T12:30:00.000001Z',
        n: '2026-01-05 12:30:00.5',
      },
      {
        s: 'a/b %',
        l: -9_223_372_036_854_775_808n,
        h: -1,
        b: true,
        d: '0001-01-01',
        m: '2.000',
        f: 1e10,
        g: Number.NaN,
        y: Uint8Array.of(97, 98),
        t: '2026-01-05T12:30:00.000001Z',
        n: '2026-01-05T12:30:00.5',
      },
    ],
    [
      { ...nothing, s: '', f: '-Infinity', t: '2026-01-05 12:30:00', n: '2026-01-05 12:30:00' },
      {
        ...nothing,
        f: Number.NEGATIVE_INFINITY,
        t: '2026-01-05T12:30:00Z',
        n: '2026-01-05T12:30:00',
      },
    ],
    [
      { s: '__HIVE_DEFAULT_PARTITION__', t: '2026-01-05T12:30:00+08:00' },
      { ...nothing, s: '__HIVE_DEFAULT_PARTITION__', t: '2026-01-05T04:30:00Z' },
    ],
  ]
  const directory = logTable([[protocolAction(['timestampNtz']), metadata]])
  for (const [i, [partitionValues]] of spelled.entries()) {
    await dataFile(directory, `f${i}.parquet`, `SELECT ${i}::BIGINT AS c`)
    writeCommit(directory, i + 1, [addAction(`f${i}.parquet`, { partitionValues })])
  }
  expect(await rowsOf(directory, 'SELECT * FROM delta_table ORDER BY c')).toEqual(
    spelled.map(([, row], i) => ({ ...row, c: BigInt(i) })),
  )
})

test('13: columns that files have not, have besides, in another order or another case', async () => {
  const columns = [
    ['a', 'long'],
    ['b', 'string'],
    [
      's',
      {
        type: 'struct',
        fields: [
          { name: 'x', type: 'long', nullable: true, metadata: {} },
          { name: 'y', type: 'string', nullable: true, metadata: {} },
        ],
      },
    ],
  ] as const
  const directory = logTable([[protocolAction(), metadataAction(columns)]])
  await dataFile(directory, '1.parquet', "SELECT 'b1' AS B, 1::INTEGER AS A, 9 AS extra")
  await dataFile(directory, '2.parquet', 'SELECT 2::BIGINT AS a, {x: 5::INTEGER, z: 1} AS s')
  writeCommit(directory, 1, [addAction('1.parquet'), addAction('2.parquet')])
  expect(await rowsOf(directory)).toEqual([
    { a: 1n, b: 'b1', s: null },
    { a: 2n, b: null, s: { x: 5n, y: null } },
  ])
})

describe('48: a file whose columns would change in silence is refused, with its name', () => {
  test.each([
    ['long', '1.5::DOUBLE'],
    ['string', "'\\xE4\\xBD\\xA0'::BLOB"],
    ['double', '9007199254740993::BIGINT'],
    ['decimal(10,2)', '1.234::DECIMAL(10,3)'],
    ['date', "TIMESTAMP '2024-01-01 10:00:00'"],
    ['boolean', '2::INTEGER'],
    [{ type: 'array', elementType: 'long', containsNull: true }, '[1.5::DOUBLE]'],
  ])('%j from %s', async (type, value) => {
    const directory = logTable([[protocolAction(), metadataAction([['c', type]])]])
    await dataFile(directory, 'bad.parquet', `SELECT ${value} AS c`)
    writeCommit(directory, 1, [addAction('bad.parquet')])
    await expect(rowsOf(directory)).rejects.toMatchObject({
      code: 'TYPE_MISMATCH',
      details: { path: `${directory}/bad.parquet` },
    })
  })

  test('a column that may not be NULL is missing', async () => {
    const field = { name: 'c', type: 'long', nullable: false, metadata: {} }
    const schemaString = JSON.stringify({ type: 'struct', fields: [field] })
    const metadata = { ...(metadataAction(LONG)['metaData'] as object), schemaString }
    const directory = logTable([[protocolAction(), { metaData: metadata }, addAction('f.parquet')]])
    await dataFile(directory, 'f.parquet', 'SELECT 1 AS other')
    await expect(rowsOf(directory)).rejects.toMatchObject({ code: 'TYPE_MISMATCH' })
  })
})

test('types that were widened: every older file is read in the new type', async () => {
  const columns = [
    ['a', 'long'],
    ['b', 'double'],
    ['d', 'timestamp_ntz'],
    ['m', 'decimal(12,4)'],
    ['i', 'decimal(12,1)'],
  ] as const
  const features = ['typeWidening', 'timestampNtz']
  const directory = logTable([[protocolAction(features), metadataAction(columns)]])
  await dataFile(
    directory,
    'old.parquet',
    "SELECT 1::TINYINT AS a, 2::INTEGER AS b, DATE '2024-02-29' AS d, 1.25::DECIMAL(5,2) AS m, 7::SMALLINT AS i",
  )
  await dataFile(
    directory,
    'new.parquet',
    "SELECT 2::BIGINT AS a, 2.5::DOUBLE AS b, TIMESTAMP '2024-02-29 01:00:00' AS d, 1.2345::DECIMAL(12,4) AS m, 7.5::DECIMAL(12,1) AS i",
  )
  writeCommit(directory, 1, [addAction('old.parquet'), addAction('new.parquet')])
  expect(await rowsOf(directory)).toEqual([
    { a: 1n, b: 2, d: '2024-02-29T00:00:00', m: '1.2500', i: '7.0' },
    { a: 2n, b: 2.5, d: '2024-02-29T01:00:00', m: '1.2345', i: '7.5' },
  ])
})

describe('a log that is cleaned up under an open table', () => {
  test('is read from its checkpoint, and nothing is written below its head', async () => {
    const directory = logTable([[...START]])
    const table = await open(directory)
    const log = join(directory, '_delta_log')
    for (let i = 1; i <= 4; i++) {
      await dataFile(directory, `${i}.parquet`, `SELECT ${i}::BIGINT AS c`)
      writeCommit(directory, i, [addAction(`${i}.parquet`)])
    }
    const state = [...START, ...[1, 2, 3].map((i) => addAction(`${i}.parquet`))]
    const checkpoint = `${commitFile(3).slice(0, 20)}.checkpoint.parquet`
    await actionFile(join(log, checkpoint), actionsSql(state))
    for (const gone of [0, 1, 2]) rmSync(join(log, commitFile(gone)))
    const outcome = await table.append([{ c: 9n }])
    expect(outcome).toMatchObject({ kind: 'committed', version: 5 })
    expect(await table.query('SELECT c FROM delta_table ORDER BY c')).toEqual(
      [1n, 2n, 3n, 4n, 9n].map((c) => ({ c })),
    )
  })
})

test('33: a log that is no directory', async () => {
  const directory = logTable([])
  writeFileSync(join(directory, '_delta_log'), 'x')
  await expect(DeltaTable.open(directory)).rejects.toMatchObject({ code: 'IO_ERROR' })
})
