/** Files of a checkpoint that are made when they are asked for: the same as if all were made at once. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { AddFile } from '../../../src/storage/delta/actions.ts'
import { openCheckpoint, readCheckpoint } from '../../../src/storage/delta/checkpoint-read.ts'
import { writeCheckpoint } from '../../../src/storage/delta/checkpoint-write.ts'
import { LayeredFiles, copyOfFiles } from '../../../src/storage/delta/layered-files.ts'
import type { LazyFiles } from '../../../src/storage/delta/lazy-files.ts'
import { loadSnapshot } from '../../../src/storage/delta/load.ts'
import { apply, emptyReplay, fileKey, replayOf } from '../../../src/storage/delta/replay.ts'
import type { Files } from '../../../src/storage/files/files.ts'
import { localFiles } from '../../../src/storage/files/local.ts'
import { realEffects } from '../../../src/model/effects.ts'
import { LakeError } from '../../../src/model/errors.ts'
import { useEngine } from '../../support/engine.ts'
import type { RawAction } from '../../support/log-table.ts'
import {
  addAction,
  logTable,
  metadataAction,
  protocolAction,
  removeAction,
} from '../../support/log-table.ts'

const { session } = useEngine()
const HEAD = [protocolAction(), metadataAction([['i', 'long']])]

/** A table of these files with a checkpoint, and the name of the checkpoint. */
async function withCheckpoint(
  actions: readonly RawAction[],
  head: readonly RawAction[] = HEAD,
): Promise<{ directory: string; log: string; name: string }> {
  const directory = logTable([[...head, ...actions]])
  const context = { files: localFiles, effects: realEffects, session: session(), directory }
  await writeCheckpoint(context, (await loadSnapshot(localFiles, directory))!)
  const log = join(directory, '_delta_log')
  return { directory, log, name: readdirSync(log).find((name) => name.includes('checkpoint.p'))! }
}

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
const file = fc.record({
  path: text.map((name) => encodeURIComponent(name)),
  size: fc.nat(),
  modificationTime: fc.maxSafeNat(),
  stats: fc.option(
    fc.nat().map((n) => `{"numRecords":${n},"maxValues":{"s":"沪深"}}`),
    { nil: undefined },
  ),
  tags: fc.option(fc.dictionary(text, text, { maxKeys: 2 }), { nil: undefined }),
})

test('an opened checkpoint has the files that reading it gives', async () => {
  const files = fc.uniqueArray(file, { selector: ({ path }) => path, minLength: 1, maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(files, fc.constantFrom(1, 70), async (some, times) => {
      const all = Array.from({ length: times }, (_, i) =>
        some.map(({ path, ...rest }) => addAction(`${i}${path}`, rest)),
      ).flat()
      const { directory, log, name } = await withCheckpoint(all)
      const checkpoint = { version: 0, form: 'classic', names: [name] } as const
      const state = await openCheckpoint(localFiles, log, checkpoint)
      const replay = emptyReplay()
      apply(replay, 0, await readCheckpoint(localFiles, log, checkpoint))
      expect(state.files?.index.size).toBe(all.length)
      const snapshot = await loadSnapshot(localFiles, directory)
      expect([...snapshot!.files]).toEqual([...replay.files])
      for (const [key, add] of snapshot!.files) {
        expect(fileKey(add)).toBe(key)
        expect(snapshot!.files.get(key)).toBe(add)
      }
    }),
    { numRuns: 15 },
  )
})

test('an opened checkpoint has the removed files that reading it gives', async () => {
  const removed = fc.uniqueArray(
    fc.record({
      path: text.map((name) => encodeURIComponent(name)),
      deletionTimestamp: fc.integer({ min: 1, max: 9 }).map((n) => Date.now() + n),
      size: fc.option(fc.nat(), { nil: undefined }),
      partitionValues: fc.option(fc.dictionary(text, fc.option(text), { maxKeys: 2 }), {
        nil: undefined,
      }),
    }),
    { selector: ({ path }) => path, minLength: 1, maxLength: 30 },
  )
  await fc.assert(
    fc.asyncProperty(removed, async (some) => {
      const all = some.map(({ path, ...rest }) => removeAction(`r${path}`, rest))
      const { directory, log, name } = await withCheckpoint([...all, addAction('live')])
      const checkpoint = { version: 0, form: 'classic', names: [name] } as const
      const state = await openCheckpoint(localFiles, log, checkpoint)
      expect(state.removed?.index.size).toBe(all.length)
      expect(state.commit.removes).toEqual([])
      const replay = emptyReplay()
      apply(replay, 0, await readCheckpoint(localFiles, log, checkpoint))
      const snapshot = await loadSnapshot(localFiles, directory)
      expect(new Map(snapshot!.tombstones)).toEqual(replay.tombstones)
      expect(snapshot!.tombstones.size).toBe(all.length)
    }),
    { numRuns: 15 },
  )
})

test('a file that a checkpoint has as live and as removed is live', () => {
  const lazy = <T>(names: readonly string[], make: (path: string) => T): LazyFiles<T> => ({
    index: new Map(names.map((name, i) => [name, i])),
    at: (place) => make(names[place]!),
  })
  const replay = replayOf(3, {
    commit: { txns: [], domains: [], removes: [], adds: [] },
    files: lazy(['a', 'b'], (path) => ({ path }) as AddFile),
    removed: lazy(['b', 'c'], (path) => ({ path, dataChange: true })),
  })
  expect([...replay.files.keys()]).toEqual(['a', 'b'])
  expect([...replay.tombstones.keys()]).toEqual(['c'])
})

test('a table with deletion vectors is read with all checks', async () => {
  const dv = { storageType: 'u', pathOrInlineDv: 'ab^-aqEH.-t@S}K{vb[*k^', sizeInBytes: 4 }
  const head = [protocolAction(['deletionVectors']), HEAD[1]!]
  const { directory, log, name } = await withCheckpoint(
    [addAction('a', { deletionVector: { ...dv, offset: 1, cardinality: 2 } }), addAction('b')],
    head,
  )
  const checkpoint = { version: 0, form: 'classic', names: [name] } as const
  const state = await openCheckpoint(localFiles, log, checkpoint)
  expect(state.files).toBeUndefined()
  const snapshot = await loadSnapshot(localFiles, directory)
  expect([...snapshot!.files.keys()]).toEqual([`a|u${dv.pathOrInlineDv}@1`, 'b'])
})

test('what is damaged is found when the checkpoint is opened, never when a file is asked for', async () => {
  const adds = Array.from({ length: 300 }, (_, i) =>
    addAction(`part-${i}`, { stats: `{"numRecords":${i}}`, tags: { t: `${i}` } }),
  )
  const { log, name } = await withCheckpoint([
    ...adds,
    removeAction('gone', { deletionTimestamp: Date.now() }),
  ])
  const path = join(log, name)
  const content = readFileSync(path)
  let refused = 0
  for (let at = 4; at < content.length; at += 29) {
    const damaged = Buffer.from(content)
    damaged[at]! ^= 0x5a
    const files = { ...localFiles, read: async () => damaged } as unknown as Files
    const checkpoint = { version: 0, form: 'classic', names: [name] } as const
    const state = await openCheckpoint(files, log, checkpoint).catch((error: unknown) => error)
    if (state instanceof Error) {
      expect(state).toBeInstanceOf(LakeError)
      refused++
    } else {
      const { files: lazy, removed } = state as Awaited<ReturnType<typeof openCheckpoint>>
      const made = lazy ? [...lazy.index.values()].map((place) => lazy.at(place)) : []
      expect(made.every(({ path, size }) => typeof path === 'string' && size >= 0)).toBe(true)
      const gone = removed ? [...removed.index.values()].map((place) => removed.at(place)) : []
      expect(gone.every(({ path }) => typeof path === 'string')).toBe(true)
    }
  }
  expect(refused).toBeGreaterThan(0)
})

describe('files in layers', () => {
  const add = (path: string, size: number): AddFile => ({
    path,
    size,
    partitionValues: {},
    modificationTime: 1,
    dataChange: true,
  })
  const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
  const step = fc.oneof(
    fc.record({ do: fc.constant('set' as const), key, size: fc.nat({ max: 99 }) }),
    fc.record({ do: fc.constant('delete' as const), key }),
    fc.record({ do: fc.constant('copy' as const) }),
    fc.record({ do: fc.constant('clear' as const) }),
  )

  test('are a map like any other', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key), fc.array(step, { maxLength: 20 }), (keys, steps) => {
        const base = keys.map((path) => add(path, -1))
        const index = new Map(keys.map((path, i) => [path, i]))
        let layered: Map<string, AddFile> = new LayeredFiles({ index, at: (i) => base[i]! })
        let plain = new Map(base.map((file) => [file.path, file]))
        const before: { copied: Map<string, AddFile>; as: Map<string, AddFile> }[] = []
        for (const one of steps) {
          if (one.do === 'set') {
            layered.set(one.key, add(one.key, one.size))
            plain.set(one.key, add(one.key, one.size))
          } else if (one.do === 'delete') {
            expect(layered.delete(one.key)).toBe(plain.delete(one.key))
          } else if (one.do === 'clear') {
            layered.clear()
            plain.clear()
          } else {
            before.push({ copied: layered, as: plain })
            layered = copyOfFiles(layered)
            plain = new Map(plain)
          }
          expectSame(layered, plain)
        }
        for (const { copied, as } of before) expectSame(copied, as)
      }),
    )
  })

  function expectSame(layered: Map<string, AddFile>, plain: Map<string, AddFile>): void {
    const sorted = (entries: Iterable<[string, AddFile]>): [string, AddFile][] =>
      [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))
    expect(layered.size).toBe(plain.size)
    expect(sorted(layered)).toEqual(sorted(plain))
    expect(new Set(layered.keys())).toEqual(new Set(plain.keys()))
    expect(new Set([...layered.values()].map(({ path }) => path))).toEqual(new Set(plain.keys()))
    const each: [string, AddFile][] = []
    layered.forEach((file, path) => each.push([path, file]))
    expect(sorted(each)).toEqual(sorted(plain))
    for (const path of ['a', 'b', 'c', 'x']) {
      expect(layered.has(path)).toBe(plain.has(path))
      expect(layered.get(path)).toEqual(plain.get(path))
    }
  }
})
