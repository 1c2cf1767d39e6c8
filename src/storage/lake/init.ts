/** Makes a lake: its directories, its identity, and record 0. */
import { dirname, join } from 'node:path'
import { LakeError } from '../../model/errors.ts'
import { VERSION } from '../../model/version.ts'
import { probeLinks } from '../files/probe.ts'
import {
  ACTIONS_DIRECTORY,
  JOURNAL_DIRECTORY,
  LAKE_DIRECTORY,
  LEASES_DIRECTORY,
  findHead,
  logDirectory,
  publishRecord,
  syncLog,
} from './lake-log.ts'
import type { LogContext } from './lake-log.ts'
import type { LakeRecord, Settings } from './record.ts'
import { RECORD_FORMAT, defaultSettings } from './record.ts'

/** Anybody who may read the lake may hold a lease. */
const LEASES_MODE = 0o1777
/** What an unfinished `init` may have left, and what users put there before. */
const HARMLESS = new Set([LAKE_DIRECTORY, 'warehouse', 'lake.toml', '.gitignore', '.DS_Store'])

/** Creates record 0 in a directory that is empty or absent. A lake that is there is an error. */
export async function initLake(
  context: LogContext,
  settings: Partial<Settings> = {},
): Promise<LakeRecord> {
  await makeRoot(context)
  if (await findHead(context)) throw exists(context.root)
  const names = await context.files.list(context.root)
  const strange = names.find((name) => !HARMLESS.has(name))
  if (strange !== undefined) throw occupied(context.root, strange)
  await makeDirectories(context)
  await probeLinks(context.files, logDirectory(context.root), context.effects)
  const record = firstRecord(context, settings)
  if ((await publishRecord(context, record)) === 'exists') throw exists(context.root)
  await syncLog(context)
  return record
}

/** True of a lake whose making ended after its first record: it has no tables yet, and whoever makes it again goes on. */
export async function isUnfinished(context: LogContext): Promise<boolean> {
  return (await findHead(context))?.version === 0
}

async function makeRoot({ files, root }: LogContext): Promise<void> {
  const stat = await files.stat(root)
  if (stat && stat.kind !== 'directory') throw occupied(dirname(root), root)
  if (stat) return
  const missing = [root]
  while (!(await files.stat(dirname(missing[0]!)))) missing.unshift(dirname(missing[0]!))
  for (const directory of missing) {
    await files.makeDirectory(directory)
    await files.sync(dirname(directory))
  }
}

async function makeDirectories({ files, root }: LogContext): Promise<void> {
  await files.makeDirectory(logDirectory(root))
  await files.makeDirectory(join(root, 'warehouse'))
  await files.makeDirectory(join(logDirectory(root), ACTIONS_DIRECTORY))
  await files.makeDirectory(join(logDirectory(root), JOURNAL_DIRECTORY))
  await files.makeDirectory(join(logDirectory(root), LEASES_DIRECTORY), LEASES_MODE)
  await files.sync(logDirectory(root))
  await files.sync(root)
}

function firstRecord({ effects }: LogContext, settings: Partial<Settings>): LakeRecord {
  return {
    marketlake: RECORD_FORMAT,
    requires: [],
    lakeId: effects.uuid(),
    version: 0,
    txnId: effects.uuid(),
    timestamp: Math.floor(effects.now()),
    operation: 'INIT',
    tables: {},
    tags: {},
    horizon: 0,
    settings: { ...defaultSettings, ...settings },
    engine: `marketlake/${VERSION}`,
    units: [],
    commits: [],
  }
}

function exists(root: string): LakeError {
  return new LakeError('LAKE_EXISTS', `there is a lake already: ${root}`, {
    details: { directory: root },
    next: 'Use it as it is, or name another directory with --lake.',
  })
}

function occupied(root: string, name: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `the directory is not empty: ${root} holds ${name}`, {
    details: { directory: root, name },
    next: 'Choose an empty directory, or bring existing Parquet files in with `marketlake migrate adopt`.',
  })
}
