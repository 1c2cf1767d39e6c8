/** Steps of a migration, killed at every place that matters, and what must be true then. */
import { spawnSync } from 'node:child_process'
import { expect } from 'vitest'
import {
  beginDualWrite,
  cutOverToLake,
  rollBackToOldFile,
  statusOfMigration,
  verifyOldFile,
} from '../../src/lake/migration.ts'
import { DualWriter } from '../../src/lake/dual-writer.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { newLake, rowsOf } from './lake.ts'
import { inOldFile, migrated, oldFile } from './migration.ts'

export type Step = 'write' | 'start' | 'verify' | 'cutover' | 'rollback'
/** Where a process dies: before or after a statement, a link or a rename that fits a pattern. */
export type Place = readonly [
  when: 'before' | 'after',
  kind: 'sql' | 'link' | 'rename',
  pattern: string,
]

const RECORD = String.raw`_lake[/\\]\d{20}\.json$`
const DELTA = String.raw`_delta_log[/\\]\d{20}\.json$`
const VIEWS = 'analysis.duckdb$'

/** Every place, by step. */
export const PLACES: Readonly<Record<Step, readonly Place[]>> = {
  write: [
    ['before', 'sql', '^COMMIT'],
    ['after', 'sql', '^COMMIT'],
    ['before', 'link', RECORD],
    ['after', 'link', RECORD],
    ['before', 'link', DELTA],
    ['after', 'link', DELTA],
    ['before', 'sql', 'DELETE FROM "old_file".marketlake'],
    ['before', 'sql', '^DETACH'],
  ],
  start: [
    ['before', 'sql', 'CREATE SCHEMA IF NOT EXISTS "old_file"'],
    ['before', 'link', RECORD],
    ['after', 'link', RECORD],
  ],
  verify: [
    ['before', 'link', RECORD],
    ['after', 'link', RECORD],
  ],
  cutover: [
    ['after', 'sql', '^ATTACH'],
    ['before', 'link', RECORD],
    ['after', 'link', RECORD],
    ['before', 'sql', '^DETACH'],
    ['before', 'rename', VIEWS],
    ['after', 'rename', VIEWS],
  ],
  rollback: [
    ['before', 'sql', '^COMMIT'],
    ['after', 'sql', '^COMMIT'],
    ['before', 'link', RECORD],
    ['after', 'link', RECORD],
  ],
}

interface World {
  readonly lake: Lake
  readonly old: string
}

/** A lake and an old file right before a step. */
async function worldBefore(step: Step): Promise<World> {
  const old = await oldFile(
    'CREATE TABLE bars (symbol VARCHAR PRIMARY KEY, n INTEGER)',
    "INSERT INTO bars VALUES ('a', 1), ('b', 1)",
    'CREATE TABLE logs (words VARCHAR)',
  )
  const lake = await newLake()
  await migrated(lake, old, { bars: ['symbol'], logs: [] })
  if (step === 'start') return { lake, old }
  await beginDualWrite(lake)
  if (step === 'write' || step === 'verify') return { lake, old }
  await verifyOldFile(lake)
  if (step === 'cutover') return { lake, old }
  await cutOverToLake(lake)
  const writer = await DualWriter.open({ lake: lake.root, threads: 1 })
  await writer.write({ bars: [{ symbol: 'c', n: 3 }] })
  await writer.close()
  return { lake, old }
}

function run(
  step: Step,
  { lake, old }: World,
  place: readonly string[] = [],
): NodeJS.Signals | null {
  const args = ['test/workers/migration.mjs', step, lake.root, old, ...place]
  const { signal, status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  if (signal === null && status !== 0) throw new Error(stderr)
  return signal
}

/** Kills a step; then status tells what is, and the same step again finishes. */
export async function killAt(step: Step, place: Place): Promise<void> {
  const world = await worldBefore(step)
  expect(run(step, world, place)).toBe('SIGKILL')
  await checkStatus(world, step)
  if (step !== 'write') run(step, world)
  await checkDone(world, step)
}

/** What `status` says is what the two sides show. */
async function checkStatus({ lake, old }: World, step: Step): Promise<void> {
  const status = await statusOfMigration(lake)
  const { readSource } = (await lake.head()).settings
  expect(status.readSource).toBe(readSource)
  expect(status.phase === 'cut-over').toBe(readSource === 'lake')
  const inOld = await inOldFile(old, 'SELECT count(*) AS n FROM logs')
  const inLake = await rowsOf(lake, 'SELECT count(*) AS n FROM logs')
  if (step !== 'write') return
  const lacking = Number(inOld[0]!['n']) - Number(inLake[0]!['n'])
  expect(status.behind).toBe(lacking)
  expect(status.next.includes('dual-write')).toBe(lacking > 0)
}

async function checkDone(world: World, step: Step): Promise<void> {
  const { lake, old } = world
  if (step === 'write') {
    // The batch is in both or in neither; who wrote it does not know, so it looks and writes what is not there.
    await beginDualWrite(lake)
    const there = await inOldFile(old, 'SELECT count(*) AS n FROM logs')
    if (there[0]!['n'] === 0n) run('write', world)
  }
  const { phase } = await statusOfMigration(lake)
  const cut = step === 'cutover'
  expect(phase).toBe(cut ? 'cut-over' : 'dual-write')
  expect((await verifyOldFile(lake)).equal).toBe(true)
  if (step === 'write')
    expect(await rowsOf(lake, 'SELECT count(*) AS n FROM logs')).toEqual([{ n: 1n }])
  if (step === 'rollback')
    expect(await inOldFile(old, "SELECT n FROM bars WHERE symbol = 'c'")).toEqual([{ n: 3 }])
  if (cut) expect((await cutOverToLake(lake)).changed).toBe(false)
  else expect((await rollBackToOldFile(lake)).changed).toBe(false)
  expect(await lake.verify()).toEqual([])
}
