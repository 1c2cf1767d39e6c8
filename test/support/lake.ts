/** Lakes for tests, closed after the test file. */
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import { createLake, openLake } from '../../src/lake/lake.ts'
import type { Lake, OpenOptions } from '../../src/lake/lake.ts'
import type { LakeOutcome } from '../../src/storage/lake/outcome.ts'
import type { Row } from '../../src/storage/parquet/values.ts'
import { afterFile } from './after-file.ts'
import { temporaryDirectory } from './temporary.ts'

let template: Promise<string> | undefined

/** A lake that all others are copies of: to make one takes fifteen times as long. */
async function templateLake(): Promise<string> {
  const root = mkdtempSync(join(inject('templates'), 'lake-'))
  await (await createLake(root, { maintenance: false })).close()
  return root
}

/** A directory with a fresh lake that nobody has open. */
export async function newLakeDirectory(): Promise<string> {
  return copyOfLake(await (template ??= templateLake()))
}

/** A copy of a lake that nobody has open. */
export function copyOfLake(lake: string): string {
  const root = temporaryDirectory()
  cpSync(lake, root, { recursive: true })
  return root
}

/** A fresh lake with the standard tables, without maintenance of its own accord. */
export async function newLake(options: OpenOptions = {}): Promise<Lake> {
  if (options.effects ?? options.layout) return madeLake(options)
  const lake = await openLake(await newLakeDirectory(), { maintenance: false, ...options })
  afterFile(() => lake.close())
  return lake
}

/** The same, made and not copied: with an id that no other lake has. */
export async function madeLake(options: OpenOptions = {}): Promise<Lake> {
  const lake = await createLake(temporaryDirectory(), { maintenance: false, ...options })
  afterFile(() => lake.close())
  return lake
}

/** A fresh lake whose syncs do not wait between requests. */
export async function newPacelessLake(options: OpenOptions = {}): Promise<Lake> {
  const root = await newLakeDirectory()
  writeFileSync(join(root, 'lake.toml'), '[sources.eastmoney]\npace_ms = 0\n')
  const lake = await openLake(root, { maintenance: false, ...options })
  afterFile(() => lake.close())
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
