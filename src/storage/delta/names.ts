/** Names of the files in a Delta log (PROTOCOL.md, "File Types"); everything else there is ignored. */

/** The directory of the log below a table. */
export const LOG_DIRECTORY = '_delta_log'
/** The hint that names the newest checkpoint. */
export const LAST_CHECKPOINT = '_last_checkpoint'
/** The directory of V2 checkpoints' sidecars below the log. */
export const SIDECARS = '_sidecars'

/** What a name in the log directory stands for. */
export type LogEntry =
  | { readonly kind: 'commit'; readonly version: number; readonly name: string }
  | {
      readonly kind: 'checkpoint'
      readonly version: number
      readonly name: string
      readonly form: 'classic' | 'uuid'
    }
  | {
      readonly kind: 'part'
      readonly version: number
      readonly name: string
      readonly part: number
      readonly parts: number
    }
  | { readonly kind: 'checksum'; readonly version: number; readonly name: string }

const COMMIT = /^(\d{20})\.json$/
const CLASSIC = /^(\d{20})\.checkpoint\.parquet$/
const PART = /^(\d{20})\.checkpoint\.(\d{10})\.(\d{10})\.parquet$/
const UUID = /^(\d{20})\.checkpoint\.([0-9a-fA-F-]{36})\.(json|parquet)$/
const CHECKSUM = /^(\d{20})\.crc$/

/** A version as the 20 digits of a file name. */
export function versionDigits(version: number): string {
  return String(version).padStart(20, '0')
}

/** The name of a commit. */
export function commitName(version: number): string {
  return `${versionDigits(version)}.json`
}

/** The name of a classic checkpoint. */
export function checkpointName(version: number): string {
  return `${versionDigits(version)}.checkpoint.parquet`
}

/** What a name stands for, or undefined for what is no part of the log. */
export function parseLogName(name: string): LogEntry | undefined {
  const commit = COMMIT.exec(name)
  if (commit) return safe({ kind: 'commit', version: Number(commit[1]), name })
  const classic = CLASSIC.exec(name)
  if (classic)
    return safe({ kind: 'checkpoint', version: Number(classic[1]), name, form: 'classic' })
  const part = PART.exec(name)
  if (part) {
    const [part1, parts] = [Number(part[2]), Number(part[3])]
    return safe({ kind: 'part', version: Number(part[1]), name, part: part1, parts })
  }
  const uuid = UUID.exec(name)
  if (uuid) return safe({ kind: 'checkpoint', version: Number(uuid[1]), name, form: 'uuid' })
  const checksum = CHECKSUM.exec(name)
  return checksum ? safe({ kind: 'checksum', version: Number(checksum[1]), name }) : undefined
}

/** Twenty digits hold more than a JavaScript number does exactly; such a version is no version of anyone. */
function safe<T extends LogEntry>(entry: T): T | undefined {
  return Number.isSafeInteger(entry.version) ? entry : undefined
}
