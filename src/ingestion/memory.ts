/** What collectors remember between runs: small facts in `_lake/sources`, one JSON line each, that may be lost. */
import { join } from 'node:path'
import { LakeError } from '../model/errors.ts'
import type { Files } from '../storage/files/files.ts'
import { logDirectory } from '../storage/lake/lake-log.ts'
import type { Store } from '../storage/lake/store.ts'
import type { Memory } from './collector.ts'

/** The directory in `_lake` of what sources have in common between processes: pace, penalties, memory. */
export const SOURCES_DIRECTORY = 'sources'

/** Makes the directory of the sources, unless it is there, and gives its path. */
export async function sourcesDirectory(store: Store): Promise<string> {
  const directory = join(logDirectory(store.root), SOURCES_DIRECTORY)
  // Everyone who syncs may pace himself here, as with the journal and the leases.
  await store.files.makeDirectory(directory, 0o1777)
  return directory
}

/** The memory of a source. Facts are read once; a later line of a key replaces an earlier one. */
export function sourceMemory(files: Files, directory: string, source: string): Memory {
  const path = join(directory, `${source}.ndjson`)
  let facts: Promise<Map<string, string>> | undefined
  const known = (): Promise<Map<string, string>> => (facts ??= readFacts(files, path))
  return {
    get: async (key) => (await known()).get(key),
    set: async (key, value) => {
      const map = await known()
      if (map.get(key) === value) return
      map.set(key, value)
      try {
        await files.append(path, new TextEncoder().encode(`${JSON.stringify([key, value])}\n`))
      } catch (error) {
        // What cannot be remembered is asked again.
        if (!(error instanceof LakeError)) throw error
      }
    },
  }
}

async function readFacts(files: Files, path: string): Promise<Map<string, string>> {
  const facts = new Map<string, string>()
  const content = await files.read(path)
  if (!content) return facts
  for (const line of new TextDecoder().decode(content).split('\n')) {
    const fact = parseFact(line)
    if (fact) facts.set(...fact)
  }
  return facts
}

/** A line that was torn by a crash is passed over. */
function parseFact(line: string): [string, string] | undefined {
  try {
    const fact: unknown = JSON.parse(line)
    if (!Array.isArray(fact) || fact.length !== 2) return undefined
    const [key, value] = fact as unknown[]
    return typeof key === 'string' && typeof value === 'string' ? [key, value] : undefined
  } catch {
    return undefined
  }
}
