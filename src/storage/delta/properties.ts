/** Table properties: which may be set, and what their values may be. */
import { parseInterval } from '../../model/duration.ts'
import { LakeError } from '../../model/errors.ts'

/** Properties by which a writer would have to do more than we do, with the values that ask for nothing. */
const BEYOND_US: readonly (readonly [name: RegExp, harmless: RegExp])[] = [
  [/^delta\.columnMapping\.mode$/, /^none$/],
  [/^delta\.enable(ChangeDataFeed|DeletionVectors|InCommitTimestamps)$/, /^false$/],
  [/^delta\.enable(IcebergCompat\w*|RowTracking|TypeWidening|IcebergWriterCompat\w*)$/, /^false$/],
  [/^delta\.checkpointPolicy$/, /^classic$/],
  [/^delta\.checkpoint\.writeStatsAsStruct$/, /^false$/],
  [/^delta\.checkpoint\.writeStatsAsJson$/, /^true$/],
  [/^delta\.isolationLevel$/, /^Serializable$/],
  // Spark's words for the protocol, and conditions that every writer must test.
  [/^delta\.(constraints|feature)\./, /^$/],
  [/^delta\.min(Reader|Writer)Version$/, /^$/],
]

const FLAG = /^(true|false)$/
const FORMS: Readonly<Record<string, (value: string) => boolean>> = {
  'delta.appendOnly': (value) => FLAG.test(value),
  'delta.checkpointInterval': (value) => /^[1-9]\d{0,8}$/.test(value),
  'delta.dataSkippingNumIndexedCols': (value) => /^(-1|\d{1,9})$/.test(value),
  'delta.deletedFileRetentionDuration': (value) => parseInterval(value) !== undefined,
  'delta.enableExpiredLogCleanup': (value) => FLAG.test(value),
  'delta.logRetentionDuration': (value) => parseInterval(value) !== undefined,
}

/** Throws if a property asks for what we do not write, is ours to keep, or has a value without meaning. */
export function checkProperties(properties: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith('marketlake.')) throw ownProperty(name)
    if (value === undefined) continue
    const beyond = BEYOND_US.find(([pattern]) => pattern.test(name))
    if (beyond && !beyond[1].test(value)) throw beyondUs(name, value)
    const form = FORMS[name]
    if (form && !form(value)) throw badValue(name, value)
  }
}

function ownProperty(name: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `the property ${name} cannot be set by hand`, {
    details: { property: name },
    next: 'Key, clustering, period and layout are chosen when a table is created.',
  })
}

function beyondUs(name: string, value: string): LakeError {
  return new LakeError('UNSUPPORTED_FEATURE', `we do not write tables with ${name}=${value}`, {
    details: { property: name, value, feature: name },
    next: 'Leave the property out, or write the table with another engine.',
  })
}

function badValue(name: string, value: string): LakeError {
  return new LakeError('INVALID_ARGUMENT', `${name} cannot be ${JSON.stringify(value)}`, {
    details: { property: name, value },
    next: 'See "Table Properties" in the documentation of Delta Lake for its values.',
  })
}
