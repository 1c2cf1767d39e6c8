/** Restore: a new version that holds what an older one held. */
import { LakeError } from '../../model/errors.ts'
import type { AddFile, Metadata } from './actions.ts'
import { sameMetadata } from './conflict.ts'
import { filePath } from './paths.ts'
import type { Snapshot } from './replay.ts'
import type { StageContext, Staged } from './stage.ts'
import { removeOf } from './stage.ts'
import { rowsOf } from './stats.ts'

/** Stages the files and the metadata of an older version. A file that is gone is `VERSION_VACUUMED`. */
export async function stageRestore(
  context: StageContext,
  then: Snapshot,
): Promise<Staged & { readonly metadata?: Metadata }> {
  const { snapshot, effects } = context
  const back = missingFrom(snapshot, then)
  const gone = missingFrom(then, snapshot)
  await checkPresent(context, back)
  // The id belongs to the table, whatever its metadata was.
  const metadata = { ...then.metadata, id: snapshot.metadata.id }
  return {
    adds: back.map((file) => ({ ...file, dataChange: true })),
    removes: gone.map((file) => removeOf(file, effects.now())),
    counts: { inserted: countRows(back), updated: 0, deleted: countRows(gone), unchanged: 0 },
    ...(!sameMetadata(metadata, snapshot.metadata) && { metadata }),
  }
}

/** Live files of `from` that `snapshot` has not. */
function missingFrom(snapshot: Snapshot, from: Snapshot): AddFile[] {
  return [...from.files].flatMap(([key, file]) => (snapshot.files.has(key) ? [] : [file]))
}

function countRows(files: readonly AddFile[]): number {
  return files.reduce((sum, file) => sum + (rowsOf(file) ?? 0), 0)
}

async function checkPresent(context: StageContext, files: readonly AddFile[]): Promise<void> {
  for (const file of files) {
    const stat = await context.files.stat(filePath(context.directory, file.path))
    if (stat?.kind === 'file' && stat.sizeBytes === file.size) continue
    throw new LakeError(
      'VERSION_VACUUMED',
      `a file of the version to restore is gone or has another size: ${file.path}`,
      {
        details: { table: context.table, file: file.path },
        next: 'Choose a newer version, or restore from a backup.',
      },
    )
  }
}
