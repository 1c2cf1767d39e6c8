/** Reading logs: bad input with the demanded behaviour (numbers of the bad-input list), and replay against a plain map. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AddFile, Commit, RemoveFile } from '../../../src/storage/delta/actions.ts'
import { commitText } from '../../../src/storage/delta/actions.ts'
import { writeCheckpoint } from '../../../src/storage/delta/checkpoint-write.ts'
import { hintChecksum } from '../../../src/storage/delta/checkpoint-write.ts'
import { cleanLog } from '../../../src/storage/delta/cleanup.ts'
import { loadSnapshot, updateSnapshot } from '../../../src/storage/delta/load.ts'
import { parseLogName } from '../../../src/storage/delta/names.ts'
import { parseCommit } from '../../../src/storage/delta/parse.ts'
import {
  canonicalPath,
  encodePath,
  filePath,
  hiveDirectory,
} from '../../../src/storage/delta/paths.ts'
import { checkWritable, unreadableFeatures } from '../../../src/storage/delta/protocol.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { realEffects } from '../../../src/model/effects.ts'
import { useEngine } from '../../support/engine.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

const { session } = useEngine()

const SCHEMA =
  '{"type":"struct","fields":[{"name":"c","type":"long","nullable":true,"metadata":{}}]}'
const METADATA = `{"metaData":{"id":"m","format":{"provider":"parquet","options":{}},"schemaString":${JSON.stringify(SCHEMA)},"partitionColumns":[],"configuration":{}}}`
const PROTOCOL = '{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}'
const FIRST = `${PROTOCOL}\n${METADATA}\n`

function addLine(path: string, more = ''): string {
  return `{"add":{"path":"${path}","partitionValues":{},"size":1,"modificationTime":1,"dataChange":true${more}}}`
}

/** A table whose log has these files. */
function table(files: Readonly<Record<string, string | Uint8Array>>): string {
  const directory = temporaryDirectory()
  mkdirSync(join(directory, '_delta_log'))
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, '_delta_log', name), content)
  }
  return directory
}

const v = (version: number): string => `${String(version).padStart(20, '0')}.json`
const open = (directory: string, version?: number) => loadSnapshot(localFiles, directory, version)

describe('a log that cannot be read is refused', () => {
  const torn = `${FIRST}{"add":{"path":"a","par`
  test.each<[string, Record<string, string | Uint8Array>, string]>([
    ['14: an empty commit', { [v(0)]: FIRST, [v(1)]: '' }, 'empty'],
    ['15: a torn commit', { [v(0)]: torn }, 'torn'],
    [
      '15: torn inside UTF-8',
      { [v(0)]: Buffer.from([...Buffer.from(FIRST), 0xe4, 0xb8]) },
      'UTF-8',
    ],
    ['17: binary', { [v(0)]: Uint8Array.of(0, 1, 2, 3) }, 'JSON'],
    [
      '18: a size beyond 2^53',
      { [v(0)]: FIRST + addLine('a').replace('"size":1', '"size":9007199254740993') },
      'size',
    ],
    ['19: a hole', { [v(0)]: FIRST, [v(2)]: addLine('a') }, 'version 1 is missing'],
    ['20: a log that begins late', { [v(5)]: FIRST }, 'version 0 is missing'],
    ['27: no metaData', { [v(0)]: PROTOCOL }, 'no metaData'],
    ['27: no protocol', { [v(0)]: METADATA }, 'no protocol'],
    ['27: two metaData', { [v(0)]: `${FIRST}${METADATA}` }, 'two metaData'],
    ['two protocols', { [v(0)]: `${FIRST}${PROTOCOL}` }, 'two protocol'],
    ['two adds of one path', { [v(0)]: `${FIRST}${addLine('a')}\n${addLine('a')}` }, 'two add'],
    [
      'an add without size',
      {
        [v(0)]:
          `${FIRST}{"add":{"path":"a","partitionValues":{},"modificationTime":1,"dataChange":true}}`,
      },
      'size',
    ],
    ['a line that is no object', { [v(0)]: `${FIRST}[1]` }, 'not an action'],
  ])('%s', async (_name, files, reason) => {
    const directory = table(files)
    await expect(open(directory)).rejects.toMatchObject({ code: 'CORRUPT_LOG' })
    await expect(open(directory)).rejects.toThrow(reason)
  })

  test('24: a reader feature that is not understood, by its name', async () => {
    const protocol =
      '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["fancyNew"],"writerFeatures":["fancyNew"]}}'
    const directory = table({ [v(0)]: `${protocol}\n${METADATA}\n` })
    await expect(open(directory)).rejects.toMatchObject({
      code: 'UNSUPPORTED_FEATURE',
      details: { features: ['fancyNew'] },
    })
  })

  test('24: an unknown writer feature is read and refused for writing', async () => {
    const protocol =
      '{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["fancyNew"]}}'
    const snapshot = await open(table({ [v(0)]: `${protocol}\n${METADATA}\n` }))
    expect(() => checkWritable(snapshot!.protocol, snapshot!.metadata, 't')).toThrow(/fancyNew/)
  })

  test('minReaderVersion 99', () => {
    const metadata = {
      id: '',
      format: { provider: 'parquet' },
      schemaString: SCHEMA,
      partitionColumns: [],
      configuration: {},
    }
    expect(unreadableFeatures({ minReaderVersion: 99, minWriterVersion: 2 }, metadata)).toEqual([
      'minReaderVersion 99',
    ])
  })
})

describe('a log that is only odd is read', () => {
  test.each<[string, Record<string, string>]>([
    [
      '16: carriage returns, blank lines, spaces',
      { [v(0)]: `${FIRST.replaceAll('\n', '\r\n')}\r\n  ${addLine('a')}  \r\n\r\n` },
    ],
    ['16: a byte order mark', { [v(0)]: `\ufeff${FIRST}${addLine('a')}` }],
    ['no newline at the end', { [v(0)]: `${FIRST}${addLine('a')}` }],
    [
      '26: unknown actions and fields',
      { [v(0)]: `${FIRST}{"future":{"x":1}}\n${addLine('a', ',"later":true')}` },
    ],
    [
      '21: names that are no commits',
      {
        [v(0)]: `${FIRST}${addLine('a')}`,
        '1.json': 'x',
        [`${v(1)}.tmp`]: 'x',
        [`.${v(1)}.1.tmp`]: 'x',
        [v(1).toUpperCase()]: 'x',
        [`0${v(1)}`]: 'x',
        '_tmp_0.json': 'x',
        [`${v(1)}#1`]: 'x',
        [`.${v(0)}.crc`]: 'x',
        [v(1).replace('json', 'crc')]: 'x',
        '00000000000000000000.00000000000000000001.compacted.json': 'x',
      },
    ],
    [
      '22: a hint that is garbage',
      { [v(0)]: `${FIRST}${addLine('a')}`, _last_checkpoint: 'garbage' },
    ],
    [
      '22: a hint that names nothing',
      { [v(0)]: `${FIRST}${addLine('a')}`, _last_checkpoint: '{"version":7,"size":3}' },
    ],
    [
      '22: an empty checkpoint',
      { [v(0)]: `${FIRST}${addLine('a')}`, '00000000000000000000.checkpoint.parquet': '' },
    ],
    [
      '22: a torn checkpoint',
      { [v(0)]: `${FIRST}${addLine('a')}`, '00000000000000000000.checkpoint.parquet': 'PAR1 torn' },
    ],
    [
      '22: one part of two',
      {
        [v(0)]: `${FIRST}${addLine('a')}`,
        '00000000000000000000.checkpoint.0000000001.0000000002.parquet': 'x',
      },
    ],
    [
      '28: a remove of what never was',
      { [v(0)]: `${FIRST}${addLine('a')}\n{"remove":{"path":"zz","dataChange":true}}` },
    ],
    [
      '28: an add of what is there already',
      { [v(0)]: `${FIRST}${addLine('a')}`, [v(1)]: addLine('a') },
    ],
  ])('%s', async (_name, files) => {
    const snapshot = await open(table(files))
    expect([...snapshot!.files.keys()]).toEqual(['a'])
  })

  test('17: a key called __proto__ changes nothing', async () => {
    const line =
      '{"add":{"path":"a","__proto__":{"evil":true},"partitionValues":{"__proto__":"x"},"size":1,"modificationTime":1,"dataChange":true}}'
    const snapshot = await open(table({ [v(0)]: `${FIRST}${line}` }))
    expect(snapshot!.files.size).toBe(1)
    expect(({} as Record<string, unknown>)['evil']).toBeUndefined()
  })

  test('17: nesting a hundred thousand deep is refused or harmless', async () => {
    const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
    const outcome = await open(table({ [v(0)]: `${FIRST}{"x":${deep}}` })).catch((e: unknown) => e)
    expect(outcome).toBeDefined()
  })

  test('there is no table without a commit or checkpoint', async () => {
    expect(await open(temporaryDirectory())).toBeUndefined()
    expect(await open(table({ '.x.tmp': 'x' }))).toBeUndefined()
  })

  test('a version that never was is named', async () => {
    await expect(open(table({ [v(0)]: FIRST }), 3)).rejects.toMatchObject({
      code: 'VERSION_NOT_FOUND',
    })
  })
})

describe('paths', () => {
  test('37: an encoded path comes back, whatever its characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
        fc.pre(
          name.isWellFormed() && !/[/\\]/.test(name) && !/^\.+$/.test(name) && !name.includes('\0'),
        )
        fc.pre(!/^[a-z][a-z0-9+.-]+:/i.test(name))
        expect(canonicalPath(encodePath(name))).toBe(name)
        expect(filePath('/t', encodePath(name))).toBe(join('/t', name))
      }),
    )
  })

  test.each(['../x', '/etc/passwd', 'file:///etc/passwd', 's3://b/x', 'a/../../x', '%2e%2e/x', ''])(
    '10: %j is refused',
    (path) => expect(() => filePath('/t', path)).toThrow(/outside the table/),
  )

  test('absolute spellings of one file are one', () => {
    for (const path of ['/t/a%20b', 'file:/t/a%20b', 'file:///t/a%20b', '/t/a b']) {
      expect(canonicalPath(path)).toBe('/t/a b')
      expect(filePath('/t', path)).toBe('/t/a b')
    }
  })

  test.each([
    ['US/East', 'p=US%2FEast'],
    ['a b', 'p=a b'],
    ['..', 'p=%2E%2E'],
    ['a:b', 'p=a%3Ab'],
    [null, 'p=__HIVE_DEFAULT_PARTITION__'],
  ])('36: the directory of %j', (value, name) => expect(hiveDirectory('p', value)).toBe(name))

  test('names of the log', () => {
    expect(parseLogName(v(7))).toEqual({ kind: 'commit', version: 7, name: v(7) })
    expect(parseLogName('99999999999999999999.json')).toBeUndefined()
  })
})

/** Histories of a few files: adds and removes, each path once a commit. */
const histories = fc.array(
  fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b b', 'c', 'd%', 'é'), fc.boolean()), {
    selector: ([path]) => path,
    maxLength: 5,
  }),
  { minLength: 1, maxLength: 12 },
)

function commitOfSteps(steps: readonly (readonly [string, boolean])[], version: number): Commit {
  const adds = steps
    .filter(([, add]) => add)
    .map(([path]): AddFile => ({
      path: encodePath(path),
      partitionValues: {},
      size: version,
      modificationTime: 1,
      dataChange: true,
      stats: '{"numRecords":1}',
      tags: { 'marketlake.sha256': 'x' },
    }))
  const removes = steps
    .filter(([, add]) => !add)
    .map(([path]): RemoveFile => ({
      path: encodePath(path),
      dataChange: true,
      deletionTimestamp: Date.now(),
    }))
  return { txns: [{ appId: 'app', version }], domains: [], adds, removes }
}

test('replay is a plain map, from commits, from checkpoints, step by step, and after cleanup', async () => {
  await fc.assert(
    fc.asyncProperty(histories, fc.integer({ min: 0, max: 11 }), async (history, at) => {
      const files: Record<string, string> = {}
      const live = new Map<string, number>()
      const states: string[] = []
      history.forEach((steps, version) => {
        const text = commitText(commitOfSteps(steps, version))
        files[v(version)] = version === 0 ? FIRST + text : text
        for (const [path, add] of steps) {
          if (add) live.set(path, version)
          else live.delete(path)
        }
        states.push(JSON.stringify([...live].toSorted()))
      })
      const directory = table(files)
      const state = async (version?: number): Promise<string> => {
        const snapshot = (await open(directory, version))!
        return JSON.stringify([...snapshot.files].map(([path, f]) => [path, f.size]).toSorted())
      }
      for (const [version, expected] of states.entries())
        expect(await state(version)).toBe(expected)
      const checkpointed = Math.min(at, history.length - 1)
      const snapshot = (await open(directory, checkpointed))!
      const context = { files: localFiles, effects: realEffects, session: session(), directory }
      await writeCheckpoint(context, snapshot)
      await cleanLog(localFiles, directory, checkpointed)
      for (let version = checkpointed; version < history.length; version++) {
        expect(await state(version)).toBe(states[version])
      }
      const updated = await updateSnapshot(localFiles, directory, snapshot)
      expect(updated.version).toBe(history.length - 1)
      expect(updated.txns.get('app')!.version).toBe(history.length - 1)
      const again = (await open(directory))!
      expect([...again.files.values()].map((f) => f.tags)).toEqual(
        [...again.files.values()].map(() => ({ 'marketlake.sha256': 'x' })),
      )
    }),
    { numRuns: 25 },
  )
})

test('a checkpoint keeps protocol, metadata, transactions and statistics', async () => {
  const directory = table({ [v(0)]: `${FIRST}${commitText(commitOfSteps([['a', true]], 0))}` })
  const before = (await open(directory))!
  await writeCheckpoint(
    { files: localFiles, effects: realEffects, session: session(), directory },
    before,
  )
  writeFileSync(join(directory, '_delta_log', v(0)), '')
  const after = (await open(directory))!
  expect(after.metadata).toMatchObject({ id: 'm', schemaString: SCHEMA, configuration: {} })
  expect(after.protocol).toEqual(before.protocol)
  expect(after.txns.get('app')).toMatchObject({ appId: 'app', version: 0 })
  expect([...after.files.values()][0]).toMatchObject({ stats: '{"numRecords":1}', size: 0 })
})

test('the checksum of a hint is that of the protocol text', () => {
  const example = {
    k0: "'v 0'",
    k1: { k2: 2, k3: ['v3', [1, 2], { k4: 'v4', k5: ['v5', 'v6', 'v7'] }] },
  }
  expect(hintChecksum(example)).toBe('6a92d155a59bf2eecbd4b4ec7fd1f875')
})

test('a commit of ours is refused before it is written when it is not legal', () => {
  const commit = commitOfSteps([['a', true]], 0)
  expect(() => commitText({ ...commit, removes: [{ path: 'a', dataChange: true }] })).toThrow(
    /add and remove/,
  )
  expect(() => parseCommit(new TextEncoder().encode('{}'), 'x')).not.toThrow()
})
