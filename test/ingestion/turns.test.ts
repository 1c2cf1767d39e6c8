/** Turns at a host in real processes, some of which are killed. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../support/temporary.ts'

const PACE_MS = 40
const TURNS = 24
/** A process begins its turn at the slot or somewhat later, never before. */
const SLOT_NAME = /^slot-(\d+)$/

test('no two processes have the same turn, and one that is killed holds up nobody', async () => {
  const directory = temporaryDirectory()
  const workers: ChildProcess[] = []
  let turns = 0
  try {
    await new Promise<void>((resolve) => {
      const start = (): void => {
        const worker = spawn(process.execPath, [
          'test/workers/turns.mjs',
          directory,
          String(PACE_MS),
        ])
        workers.push(worker)
        createInterface({ input: worker.stdout }).on('line', () => {
          turns++
          // Every few turns one process is killed in whatever it does, and another takes its place.
          if (turns % 6 === 0) {
            workers[turns / 6 - 1]?.kill('SIGKILL')
            start()
          }
          if (turns >= TURNS) resolve()
        })
      }
      for (let i = 0; i < 3; i++) start()
    })
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
  }
  const slots = readdirSync(join(directory, 'exchange.test'))
    .flatMap((name) => SLOT_NAME.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b)
  // Each turn has a slot of its own, and slots are a pace apart.
  expect(slots.length).toBeGreaterThanOrEqual(turns)
  for (const [i, slot] of slots.entries()) {
    if (i > 0) expect((slot - slots[i - 1]!) % PACE_MS).toBe(0)
  }
  expect(slots.at(-1)! - slots[0]!).toBeGreaterThanOrEqual((TURNS - 1) * PACE_MS)
})
