/**
 * Two transactions that stop at phase barriers: before their first call, before the link of their record, and right
 * after it. Every order of the phases of every pair of operations must end as one of the two serial orders would, with
 * both committed: what clashes is staged again.
 */
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { hasCode } from '../../../src/model/errors.ts'
import { field } from '../../../src/model/schema.ts'
import { settle } from '../../../src/storage/lake/settle.ts'
import { openableRecord } from '../../../src/storage/lake/store.ts'
import { stageRestore } from '../../../src/storage/lake/restore.ts'
import { vacuumLake } from '../../../src/storage/lake/vacuum.ts'
import { verifyLake } from '../../../src/storage/lake/verify.ts'
import { tableView } from '../../../src/storage/lake/view.ts'
import { foldAll, upsert } from '../../support/lake-operations.ts'
import type { Gate } from '../../support/memory-files.ts'
import type { ModelWorld } from '../../support/model-lake.ts'
import {
  commit,
  foreignCommit,
  modelWorld,
  openModel,
  writeModelFile,
} from '../../support/model-lake.ts'
import { seeded } from '../../support/scheduler.ts'

const PHASES = 3
const SHORT = { versionsMs: 1, filesMs: 1, stagedMs: 1e9 }

type Work = (world: ModelWorld, process: number, gate: Gate) => Promise<unknown>

const WORKS: Readonly<Record<string, Work>> = {
  append: async (world, process, gate) =>
    commit(await openModel(world, process, gate), async (tx) => {
      await tx.apply('A', {
        mode: 'append',
        stage: async (context) => {
          const add = await writeModelFile(context, world.content, [100 + process], [])
          const counts = { inserted: 1, updated: 0, deleted: 0, unchanged: 0 }
          return { adds: [add], removes: [], counts }
        },
      })
    }),
  upsert: async (world, process, gate) =>
    upsert('A', 1)(world, await openModel(world, process, gate)),
  optimize: async (world, process, gate) =>
    commit(await openModel(world, process, gate), async (tx) => {
      await tx.apply('A', { mode: 'optimize', stage: foldAll(world) })
    }),
  restore: async (world, process, gate) => {
    const store = await openModel(world, process, gate)
    return openableRecord(store, 1)
      .then((target) => commit(store, (tx) => stageRestore(store, tx, target, ['A'])))
      .catch((error: unknown) => {
        // A vacuum that came first took the version.
        if (hasCode(error, 'VERSION_VACUUMED')) return { kind: 'lost' }
        throw error
      })
  },
  'new column': async (world, process, gate) =>
    commit(await openModel(world, process, gate), async (tx) => {
      await tx.widen('A', [field(`c${String(process)}`, 'double')])
    }),
  vacuum: async (world, process, gate) => {
    const store = await openModel(world, process, gate)
    await vacuumLake({ ...store, retention: SHORT }, { apply: true })
    return { kind: 'committed' }
  },
  foreign: async (world, process, gate) =>
    (await foreignCommit(world, world.disk.files(gate), process, 'A', 2))
      ? { kind: 'committed' }
      : { kind: 'lost' },
}

/** A process that waits at its barriers. */
class Stepper {
  #barriers = 0
  #release: (() => void) | undefined
  #arrived: (() => void) | undefined
  #linked = false
  #free = false
  done = false
  outcome: unknown

  /** Waits before the first call, before a record or foreign commit is linked, and right after that. */
  readonly gate: Gate = (operation, path) => {
    const link = operation === 'link' && /\/(?:_lake|_delta_log)\/\d{20}\.json$/.test(path)
    const barrier = this.#barriers === 0 || (link && this.#barriers === 1) || this.#linked
    this.#linked = link && this.#barriers === 1
    if (!barrier || this.#free || this.#barriers >= PHASES) return undefined
    this.#barriers++
    return new Promise<void>((resolve) => {
      this.#release = resolve
      this.#arrived?.()
    })
  }

  start(work: () => Promise<unknown>): Promise<void> {
    const arrived = new Promise<void>((resolve) => (this.#arrived = resolve))
    void work().then(
      (outcome) => this.#end(outcome),
      (error: unknown) => this.#end(error),
    )
    return arrived
  }

  /** Runs to the next barrier, or to the end. */
  step(): Promise<void> {
    if (this.done) return Promise.resolve()
    const arrived = new Promise<void>((resolve) => (this.#arrived = resolve))
    this.#release?.()
    return arrived
  }

  async finish(): Promise<void> {
    this.#free = true
    while (!this.done) await this.step()
  }

  #end(outcome: unknown): void {
    this.done = true
    this.outcome = outcome
    this.#arrived?.()
  }
}

/** What the table holds, by key: which processes wrote there, whatever the files are called. */
async function stateOf(world: ModelWorld): Promise<string> {
  const store = await openModel(world, 9)
  const head = await settle(store, ['A', 'B'])
  expect(await verifyLake(store, head, { deep: false })).toEqual([])
  const { snapshot, directory } = await tableView(store, head, 'A')
  const writers = new Map<number, string[]>()
  const rows: string[] = []
  for (const { path } of snapshot.files.values()) {
    expect(await store.files.stat(join(directory, path)), path).toBeDefined()
    rows.push(...world.content.rows.get(path)!.map((row) => row.slice(0, 8)))
    for (const key of world.content.keys.get(path)!)
      writers.set(key, [...(writers.get(key) ?? []), 'x'])
  }
  expect(
    [...writers.values()].every((list) => list.length === 1),
    'a key stands once',
  ).toBe(true)
  const columns = snapshot.schema.fields.map((f) => f.name).toSorted()
  return JSON.stringify([[...writers.keys()].toSorted((a, b) => a - b), rows.toSorted(), columns])
}

async function inOrder(
  base: ModelWorld,
  works: readonly (readonly [Work, number])[],
): Promise<string> {
  const world = { ...base, disk: base.disk.clone() }
  for (const [work, process] of works) await work(world, process, () => undefined)
  return stateOf(world)
}

/** All words of three As and three Bs. */
function schedules(): string[] {
  const words: string[] = []
  const grow = (word: string): void => {
    if (word.length === 2 * PHASES) words.push(word)
    for (const letter of 'AB')
      if (word.length < 2 * PHASES && word.split(letter).length - 1 < PHASES) grow(word + letter)
  }
  grow('')
  return words
}

async function interleaved(base: ModelWorld, a: Work, b: Work, schedule: string): Promise<string> {
  const world = { ...base, disk: base.disk.clone() }
  const steppers = { A: new Stepper(), B: new Stepper() }
  await steppers.A.start(() => a(world, 1, steppers.A.gate))
  await steppers.B.start(() => b(world, 2, steppers.B.gate))
  for (const letter of schedule) await steppers[letter as 'A' | 'B'].step()
  await steppers.A.finish()
  await steppers.B.finish()
  for (const { outcome } of Object.values(steppers)) {
    if (outcome instanceof Error) throw outcome
    expect((outcome as { kind: string }).kind).toMatch(/^(?:committed|lost)$/)
  }
  return stateOf(world)
}

const names = Object.keys(WORKS)
const PAIRS = names.flatMap((a, i) => names.slice(i).map((b) => [a, b] as const))

describe('every order of phases ends as a serial order does', () => {
  test.each(PAIRS)('%s and %s', async (a, b) => {
    const base = await modelWorld(seeded(1))
    for (const key of [0, 4]) await upsert('A', key)(base, await openModel(base, 8))
    const [first, second] = [WORKS[a]!, WORKS[b]!]
    const serial = [
      await inOrder(base, [
        [first, 1],
        [second, 2],
      ]),
      await inOrder(base, [
        [second, 2],
        [first, 1],
      ]),
      // A foreign writer that loses its race gives up.
      ...(a === 'foreign' ? [await inOrder(base, [[second, 2]])] : []),
      ...(b === 'foreign' ? [await inOrder(base, [[first, 1]])] : []),
    ]
    for (const schedule of schedules()) {
      const state = await interleaved(base, first, second, schedule).catch((error: unknown) => {
        throw new Error(`${schedule}: ${(error as Error).message}`, { cause: error })
      })
      expect(serial, schedule).toContain(state)
    }
  })
})
