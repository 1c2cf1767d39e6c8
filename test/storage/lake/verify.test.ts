/** Damage that still parses: a digit of a record, of a commit or of a checkpoint, and a bit of what only the past shows. */
import { chmodSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import type { Lake } from '../../../src/lake/lake.ts'
import { openLake } from '../../../src/lake/lake.ts'
import { field, schemaOf } from '../../../src/model/schema.ts'
import type { AddFile } from '../../../src/storage/delta/actions.ts'
import { emptyReplay } from '../../../src/storage/delta/replay.ts'
import { sameState } from '../../../src/storage/lake/verify-checkpoint.ts'
import { recordPath } from '../../../src/storage/lake/lake-log.ts'
import { failure } from '../../support/failure.ts'
import { committed, newLake } from '../../support/lake.ts'

let lake: Lake
let version: number
beforeEach(async () => {
  lake = await newLake()
  const schema = schemaOf([field('k', 'long'), field('v', 'double')])
  for (const v of [1.5, 2.5]) {
    const outcome = await lake.write('w', async (tx) => {
      await tx.ensure({ name: 'a', schema, key: ['k'] })
      await tx.upsert('a', [{ k: 7, v }])
    })
    version = committed(outcome)
  }
  await lake.close()
})

function change(path: string, how: (content: Buffer) => Buffer | string): void {
  const content = readFileSync(path)
  chmodSync(path, 0o644)
  const changed = how(content)
  expect(content.equals(Buffer.from(changed))).toBe(false)
  writeFileSync(path, changed)
}

async function problems(): Promise<string[]> {
  const again = await openLake(lake.root, { maintenance: false })
  try {
    return (await again.verify({ deep: true })).map(
      ({ table, file, problem }) => `${String(table)} ${String(file)}: ${problem}`,
    )
  } finally {
    await again.close()
  }
}

const digit = (name: string) => (content: Buffer) =>
  content.toString().replace(new RegExp(`("${name}":)(\\d)`), (_, before: string, n: string) => {
    return `${before}${String((Number(n) + 1) % 10)}`
  })

describe('verify --deep', () => {
  test('holds files that only an older version shows against their hashes', async () => {
    const directory = join(lake.root, 'warehouse', 'a')
    const log = readFileSync(join(directory, '_delta_log', '00000000000000000001.json'), 'utf8')
    const removed = log.split('\n').find((line) => line.startsWith('{"remove"'))
    const { path } = (JSON.parse(removed!) as { remove: { path: string } }).remove
    change(join(directory, path), (content) => {
      const copy = Buffer.from(content)
      copy[Math.floor(copy.length / 3)]! ^= 1
      return copy
    })
    expect(await problems()).toEqual([
      `a ${path}: its content is not what was written (the hash differs); only older versions show it`,
    ])
  })

  test('holds a Delta commit against the record that made it', async () => {
    const path = join(lake.root, 'warehouse', 'a', '_delta_log', '00000000000000000001.json')
    change(path, (content) => content.toString().replaceAll('2.5', '3.5'))
    expect(await problems()).toEqual([
      `a _delta_log/00000000000000000001.json: it does not say what lake version ${String(version)} says`,
    ])
  })

  test('finds nothing in a lake that is whole', async () => {
    expect(readdirSync(join(lake.root, 'warehouse', 'a')).length).toBeGreaterThan(2)
    expect(await problems()).toEqual([])
  })
})

test('a record of which one digit is another is refused, at the head and behind it', async () => {
  change(recordPath(lake.root, version - 1), digit('timestamp'))
  expect(await problems()).toEqual([
    expect.stringContaining(`_lake/${String(version - 1)}: `) as string,
  ])
  change(recordPath(lake.root, version), digit('timestamp'))
  expect((await failure(openLake(lake.root))).code).toBe('CORRUPT_LOG')
})

test('a record of before there were hashes is read', async () => {
  change(recordPath(lake.root, version), (content) =>
    content.toString().replace(/,"sha256":"[0-9a-f]{64}"/, ''),
  )
  expect(await problems()).toEqual([])
})

describe('a checkpoint', () => {
  const file = (change: Partial<AddFile> = {}): AddFile => ({
    path: 'x',
    size: 9,
    partitionValues: { symbol: 'a' },
    modificationTime: 1,
    dataChange: true,
    stats: '{"numRecords":2,"minValues":{"k":1}}',
    ...change,
  })
  const replay = (add: AddFile): ReturnType<typeof emptyReplay> => {
    const state = emptyReplay()
    state.files.set('x', add)
    return state
  }

  test.each([
    { size: 8 },
    { partitionValues: { symbol: 'b' } },
    { stats: '{"numRecords":2,"minValues":{"k":2}}' },
    { tags: { 'marketlake.sha256': 'other' } },
  ])('that says %j is not the same', (other) => {
    expect(sameState(replay(file(other)), replay(file()))).toBe(false)
  })

  test.each([{}, { stats: '{"numRecords":2}' }, { modificationTime: 2, dataChange: false }])(
    'that says %j is the same',
    (other) => {
      expect(sameState(replay(file(other)), replay(file()))).toBe(true)
    },
  )
})
