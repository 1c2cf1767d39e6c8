/** Looks at the files that others wrote before their rows are believed: reading by name and type must be right. */
import { LakeError } from '../../model/errors.ts'
import type { Field } from '../../model/schema.ts'
import { schemaOf } from '../../model/schema.ts'
import type { Session } from '../parquet/database.ts'
import { findBadFile } from '../parquet/inspect.ts'
import type { Expectation } from '../parquet/inspect.ts'
import type { AddFile } from './actions.ts'
import { mappingMode, physicalSchema } from './column-mapping.ts'
import { filePath } from './paths.ts'
import { SCHEMA_TAG } from './relation.ts'
import type { Snapshot } from './replay.ts'

const looked = new WeakSet<AddFile>()
/** Paths in one statement. */
const BATCH = 1000

/**
 * Throws `TYPE_MISMATCH` if a live file holds columns in types that DuckDB would change in silence (texts without
 * the mark of texts, doubles under an integer), or under other field ids. Each file is looked at once a process.
 */
export async function checkFit(
  session: Session,
  directory: string,
  snapshot: Pick<Snapshot, 'schema' | 'metadata' | 'files'>,
): Promise<void> {
  const foreign = [...snapshot.files.values()].filter(
    (file) => file.tags?.[SCHEMA_TAG] === undefined && !looked.has(file),
  )
  const expected = expectation(snapshot)
  for (let from = 0; from < foreign.length; from += BATCH) {
    const batch = foreign.slice(from, from + BATCH)
    const paths = batch.map((file) => filePath(directory, file.path))
    const bad = await findBadFile(session, paths, expected)
    if (bad) {
      throw new LakeError('TYPE_MISMATCH', `${bad.path}: ${bad.reason}`, {
        details: { ...bad },
        next: 'Read this table with the engine that wrote it.',
      })
    }
    for (const file of batch) looked.add(file)
  }
}

function expectation({ schema, metadata }: Pick<Snapshot, 'schema' | 'metadata'>): Expectation {
  const inside = schema.fields.filter((f) => !metadata.partitionColumns.includes(f.name))
  const physical = physicalSchema(schemaOf(inside))
  if (mappingMode(metadata) !== 'id') return { schema: physical }
  const ids = new Map(physical.fields.map((f) => [f.name, fieldId(f)]))
  return { schema: physical, ids }
}

function fieldId(field: Field): number {
  return Number(field.metadata['delta.columnMapping.id'])
}
