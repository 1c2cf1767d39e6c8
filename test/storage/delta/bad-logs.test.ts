/** The list of bad inputs, items 14 to 35: logs, each as a folder, with what must become of it. */
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { newLake } from '../../support/lake.ts'
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
import { temporaryDirectory } from '../../support/temporary.ts'
import { DeltaTable, field, loadSnapshot, schemaOf } from '../../../src/storage/delta/index.ts'
import { useDeltaTables } from '../../support/delta-tables.ts'
import { versionAtTime } from '../../../src/storage/delta/history.ts'
import { parseCommit } from '../../../src/storage/delta/parse.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { failure } from '../../support/memory-files.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { realEffects } from '../../../src/model/effects.ts'

type Raw = Readonly<Record<string, unknown>>

const START = [protocolAction(), metadataAction([['c', 'long']])]
const first = START.map((action) => `${JSON.stringify(action)}\n`).join('')
const add = (path: string, more: Raw = {}): string => JSON.stringify(addAction(path, more))
const v = commitFile

/** A folder of log files, each the text or bytes of one. */
type Folder = Readonly<Record<string, string | Uint8Array>>

function folder(files: Folder): string {
  const directory = temporaryDirectory()
  for (const [name, content] of Object.entries(files)) writeLogFile(directory, name, content)
  return directory
}

const { opened, created } = useDeltaTables()

/** Folders that must be refused: name, files, code, a word of the message. */
const REFUSED: readonly (readonly [string, Folder, string, string])[] = [
  ['14: an empty commit', { [v(0)]: first, [v(1)]: '' }, 'CORRUPT_LOG', 'empty'],
  ['15: a torn commit', { [v(0)]: first, [v(1)]: add('a').slice(0, 30) }, 'CORRUPT_LOG', 'torn'],
  [
    '15: a commit torn inside a character',
    { [v(0)]: first, [v(1)]: Buffer.from(add('文')).subarray(0, 17) },
    'CORRUPT_LOG',
    'UTF-8',
  ],
  ['17: NUL bytes', { [v(0)]: first, [v(1)]: new Uint8Array(512) }, 'CORRUPT_LOG', 'JSON'],
  [
    '17: binary',
    { [v(0)]: first, [v(1)]: Uint8Array.of(1, 2, 0xff, 0xfe) },
    'CORRUPT_LOG',
    'UTF-8',
  ],
  ...['size', 'modificationTime'].map(
    (name) =>
      [
        `18: ${name} beyond 2^53`,
        { [v(0)]: first, [v(1)]: add('a').replace(`"${name}":1`, `"${name}":9007199254740993`) },
        'CORRUPT_LOG',
        name,
      ] as const,
  ),
  [
    '18: a txn version beyond 2^53',
    { [v(0)]: first, [v(1)]: '{"txn":{"appId":"a","version":9007199254740993}}' },
    'CORRUPT_LOG',
    'version',
  ],
  ['19: a hole', { [v(0)]: first, [v(2)]: add('a') }, 'CORRUPT_LOG', 'version 1 is missing'],
  ['20: a log that begins late', { [v(5)]: first }, 'CORRUPT_LOG', 'version 0 is missing'],
  [
    '22: nothing but a torn checkpoint',
    { [`${v(3).slice(0, 20)}.checkpoint.parquet`]: 'PAR1 torn PAR1' },
    'CORRUPT_FILE',
    'Parquet',
  ],
  [
    '24: minReaderVersion 99',
    { [v(0)]: first.replace('"minReaderVersion":1', '"minReaderVersion":99') },
    'UNSUPPORTED_FEATURE',
    'minReaderVersion 99',
  ],
  ...['catalogManaged', 'variantType', 'rowTrackingV9', 'collations'].map(
    (name) =>
      [
        `25: the reader feature ${name}`,
        {
          [v(0)]: [protocolAction([name]), START[1]].map((a) => `${JSON.stringify(a)}\n`).join(''),
        },
        'UNSUPPORTED_FEATURE',
        name,
      ] as const,
  ),
  ['27: no metaData', { [v(0)]: first.split('\n')[0]! }, 'CORRUPT_LOG', 'no metaData'],
  ['27: no protocol', { [v(0)]: first.split('\n')[1]! }, 'CORRUPT_LOG', 'no protocol'],
  [
    '27: two metaData in one commit',
    { [v(0)]: first + JSON.stringify(START[1]) },
    'CORRUPT_LOG',
    'two metaData',
  ],
]

describe('refused, with code and reason', () => {
  test.each(REFUSED)('%s', async (_name, files, code, reason) => {
    const directory = folder(files)
    const before = readdirSync(join(directory, '_delta_log'))
    await expect(DeltaTable.open(directory)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(reason) as string,
    })
    expect(readdirSync(join(directory, '_delta_log'))).toEqual(before)
  })

  test('14: versions before the bad one still open, and no writer takes its place', async () => {
    for (const bad of ['', add('a').slice(0, 30)]) {
      const directory = folder({ [v(0)]: first })
      const table = await opened(directory)
      writeLogFile(directory, v(1), bad)
      expect((await loadSnapshot(localFiles, directory, 0))!.version).toBe(0)
      await expect(table.append([{ c: 1n }])).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
      expect(readFileSync(join(directory, '_delta_log', v(1)), 'utf8')).toBe(bad)
      expect(readdirSync(join(directory, '_delta_log'))).toHaveLength(2)
    }
  })

  test('17: a commit larger than a text can be', () => {
    expect(() => parseCommit(new Uint8Array(2 ** 29), 'huge')).toThrow(/huge: .*512 MB/)
  })
})

/** Folders that must be read, to the one live file `a`. */
const READ: readonly (readonly [string, Folder])[] = [
  [
    '16: carriage returns and blanks',
    { [v(0)]: `${first.replaceAll('\n', '\r\n')}\r\n  ${add('a')}  \r\n\n` },
  ],
  ['16: a byte order mark', { [v(0)]: `\uFEFF${first}${add('a')}` }],
  ['17: a key twice', { [v(0)]: first + add('a').replace('"size":1', '"size":7,"size":1') }],
  [
    '17: a key called __proto__',
    { [v(0)]: first + add('a').replace('{"add":{', '{"add":{"__proto__":{"evil":1},') },
  ],
  [
    '17: deep nesting',
    { [v(0)]: `${first}{"x":${'['.repeat(9000)}${']'.repeat(9000)}}\n${add('a')}` },
  ],
  [
    '21: names that are no versions',
    {
      [v(0)]: first + add('a'),
      '1.json': 'x',
      [v(1).replace('json', 'JSON')]: 'x',
      [`0${v(1)}`]: 'x',
      [`${v(1)}#1`]: 'x',
      [`.${v(1)}.x.tmp`]: 'x',
      [`${v(0).slice(0, 20)}.${v(1).slice(0, 20)}.compacted.json`]: 'x',
    },
  ],
  ['22: a hint of garbage', { [v(0)]: first + add('a'), _last_checkpoint: '\u0000{' }],
  [
    '22: a hint to nothing, above the head',
    { [v(0)]: first + add('a'), _last_checkpoint: '{"version":9,"size":1}' },
  ],
  [
    '22: an empty checkpoint',
    { [v(0)]: first + add('a'), [`${v(0).slice(0, 20)}.checkpoint.parquet`]: '' },
  ],
  [
    '22: one part of two',
    {
      [v(0)]: first + add('a'),
      [`${v(0).slice(0, 20)}.checkpoint.0000000001.0000000002.parquet`]: 'x',
    },
  ],
  [
    '26: unknown actions and fields',
    { [v(0)]: `${first}{"future":{}}\n${add('a', { later: true })}` },
  ],
  [
    '28: a remove of what never was',
    { [v(0)]: `${first}${add('a')}\n${JSON.stringify(removeAction('z'))}` },
  ],
  ['28: an add of what is live', { [v(0)]: first + add('a', { size: 9 }), [v(1)]: add('a') }],
]

describe('read as if nothing were', () => {
  test.each(READ)('%s', async (_name, files) => {
    const snapshot = (await loadSnapshot(localFiles, folder(files)))!
    expect([...snapshot.files.values()].map((f) => [f.path, f.size])).toEqual([['a', 1]])
    expect(Object.prototype).not.toHaveProperty('evil')
  })

  test('24: an unknown writer feature is read, and refused for writing by its name', async () => {
    const protocol = { minReaderVersion: 1, minWriterVersion: 7, writerFeatures: ['fancyNew'] }
    const table = await opened(logTable([[{ protocol }, START[1]!]]))
    expect(await table.rows()).toEqual([])
    await expect(table.append([{ c: 1n }])).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      details: { features: ['fancyNew'] },
    })
  })

  test('26: what others set is carried through our checkpoint', async () => {
    const table = await created({ schema: schemaOf([field('c', 'long')]) })
    const { metaData } = metadataAction([['c', 'long']], {
      configuration: { 'other.key': 'x' },
    }) as {
      metaData: Raw
    }
    const { id } = table.snapshot.metadata
    writeCommit(table.directory, 1, [
      { metaData: { ...metaData, id, name: 'n', description: 'd' } },
      { domainMetadata: { domain: 'other', configuration: '{}', removed: false } },
      addAction('f', { tags: { theirs: '1' } }),
    ])
    await table.refresh()
    await table.checkpoint()
    const first = join(table.directory, '_delta_log', v(0))
    rmSync(first)
    writeFileSync(first, 'unreadable now')
    const again = (await loadSnapshot(localFiles, table.directory))!
    expect(again.metadata).toMatchObject({
      name: 'n',
      description: 'd',
      configuration: { 'other.key': 'x' },
    })
    expect([...again.domains.keys()]).toEqual(['other'])
    expect([...again.files.values()][0]!.tags).toEqual({ theirs: '1' })
  })

  test('29: a batch whose version is not newer is done already', async () => {
    const table = await created({ schema: schemaOf([field('c', 'long')]) })
    for (const version of [5, 5, 4, 6])
      await table.append([{ c: 1n }], { txn: { appId: 'x', version } })
    expect(await table.rows()).toHaveLength(2)
  })

  test('31: a long log without checkpoints', async () => {
    const commits = Array.from({ length: 2000 }, (_, i) => [addAction(`f${i}`)])
    const directory = logTable([[...START, ...commits[0]!], ...commits.slice(1)])
    const snapshot = (await loadSnapshot(localFiles, directory))!
    expect([snapshot.version, snapshot.files.size]).toEqual([1999, 2000])
  })
})

describe('in time and beside others', () => {
  test('23: a checkpoint that says something else than the commits is found by verify', async () => {
    const lake = await newLake()
    const [name, { path }] = Object.entries((await lake.head()).tables).find(
      ([n]) => n === 'daily',
    )!
    const log = join(lake.root, path, '_delta_log')
    const actions = [...START, addAction('phantom')].map((a) => `${JSON.stringify(a)}\n`).join('')
    writeFileSync(
      join(log, `${v(0).slice(0, 20)}.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json`),
      actions,
    )
    const problems = await lake.verify()
    expect(problems.map((p) => p.table)).toContain(name)
  })

  test('30: a clock that went back does not turn versions round', async () => {
    const directory = logTable([START, [addAction('b')], [addAction('a')]])
    const at = [3_000_000, 1_000_000, 2_000_000]
    for (const [version, seconds] of at.entries())
      utimesSync(join(directory, '_delta_log', v(version)), seconds, seconds)
    const found = (seconds: number): Promise<number> =>
      versionAtTime(localFiles, directory, seconds * 1000)
    expect(await found(3_000_000)).toBe(0)
    expect(await found(3_000_001)).toBe(2)
    await expect(found(2_500_000)).rejects.toMatchObject({ code: 'VERSION_NOT_FOUND' })
    const lake = await newLake({ effects: { ...realEffects, now: () => Date.now() + 86_400_000 } })
    const wrong = { ...lake.store, effects: { ...realEffects, now: () => Date.now() - 86_400_000 } }
    await expect(vacuumLake(wrong, { apply: true })).rejects.toMatchObject({ code: 'CHECK_FAILED' })
  })

  test('32: another writer takes our version: ours goes to the next, or is a conflict', async () => {
    const table = await created({ schema: schemaOf([field('c', 'long')]) })
    let taken = false
    const racing = {
      ...localFiles,
      link: (from: string, to: string) => {
        if (!taken && to.endsWith(v(1))) {
          taken = true
          writeCommit(table.directory, 1, [addAction('theirs', { size: 4 })])
        }
        return localFiles.link(from, to)
      },
    }
    const ours = await opened(table.directory, { files: racing })
    expect(await ours.append([{ c: 1n }])).toMatchObject({ kind: 'committed', version: 2 })
    expect(ours.snapshot.files.size).toBe(2)
  })
})

describe('places', () => {
  test('33: a log that is a file or a symbolic link', async () => {
    const file = temporaryDirectory()
    mkdirSync(file, { recursive: true })
    writeFileSync(join(file, '_delta_log'), 'x')
    await expect(DeltaTable.open(file)).rejects.toMatchObject({ code: 'IO_ERROR' })
    const linked = temporaryDirectory()
    mkdirSync(linked, { recursive: true })
    symlinkSync(join(logTable([START]), '_delta_log'), join(linked, '_delta_log'))
    await expect(DeltaTable.open(linked)).rejects.toMatchObject({
      code: 'IO_ERROR',
      message: expect.stringContaining('symbolic link') as string,
    })
  })

  test('34: a disk without hard links is refused before anything is written', async () => {
    const directory = logTable([START])
    const link = (_from: string, to: string) => Promise.reject(failure('EPERM', 'link', to))
    const table = await opened(directory, { files: { ...localFiles, link } })
    await expect(table.append([{ c: 1n }])).rejects.toMatchObject({
      code: 'UNSUPPORTED_FILE_SYSTEM',
    })
    expect(readdirSync(directory)).toEqual(['_delta_log'])
  })

  test('35: names of our files are the same on every file system', async () => {
    const table = await created({ schema: schemaOf([field('c', 'long')]), key: ['c'] })
    await table.upsert([{ c: 1n }])
    for (const name of readdirSync(table.directory))
      expect(name).toMatch(/^([0-9a-f-]+\.parquet|_delta_log)$/)
  })
})
