/** Lakes for tests, closed after the test file. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { createLake, openLake } from '../../src/lake/lake.ts'
import type { Lake, OpenOptions } from '../../src/lake/lake.ts'
import type { LakeOutcome } from '../../src/storage/lake/outcome.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { temporaryDirectory } from './temporary.ts'

const open: Lake[] = []
afterAll(async () => {
  for (const lake of open.splice(0)) await lake.close()
})

/** A fresh lake with the standard tables, without maintenance of its own accord. */
export async function newLake(options: OpenOptions = {}): Promise<Lake> {
  const lake = await createLake(temporaryDirectory(), { maintenance: false, ...options })
  open.push(lake)
  return lake
}

/** A fresh lake whose syncs do not wait between requests. */
export async function newPacelessLake(options: OpenOptions = {}): Promise<Lake> {
  const made = await createLake(temporaryDirectory(), { maintenance: false })
  await made.close()
  writeFileSync(join(made.root, 'lake.toml'), '[sources.eastmoney]\npace_ms = 0\n')
  const lake = await openLake(made.root, { maintenance: false, ...options })
  open.push(lake)
  return lake
}

/** Rows of a query at the head, or at a version. */
export async function rowsOf(lake: Lake, sql: string, at?: string | number): Promise<Row[]> {
  const engine = await lake.analysis(at === undefined ? {} : { at })
  try {
    return await engine.query(sql)
  } finally {
    await engine.close()
  }
}

/** The version of a commit that must have been made. */
export function committed(outcome: LakeOutcome): number {
  if (outcome.kind !== 'committed') throw new Error(`${outcome.kind}: ${outcome.reason}`)
  return outcome.version
}
