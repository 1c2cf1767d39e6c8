/** The engine for writing: it starts when something is first written. */
import { Database } from '../storage/parquet/database.ts'
import type { LakeConfig } from './config.ts'

/** An engine that may not have been started yet. */
export interface LazyDatabase {
  readonly open: () => Promise<Database>
  readonly close: () => Promise<void>
}

/** The engine with the limits of lake.toml, or one that its caller shares and closes. */
export function lazyDatabase(config: LakeConfig, shared?: Database): LazyDatabase {
  if (shared) return { open: () => Promise.resolve(shared), close: () => Promise.resolve() }
  let database: Promise<Database> | undefined
  const { memory: memoryLimit, threads } = config.limits
  return {
    open: () => (database ??= Database.open({ memoryLimit, threads })),
    close: async () => (await database)?.close(),
  }
}
