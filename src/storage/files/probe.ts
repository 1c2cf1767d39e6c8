/** Checks before the first write that a file system has hard links that refuse to replace. */
import { join } from 'node:path'
import { realEffects } from '../../model/effects.ts'
import type { Effects } from '../../model/effects.ts'
import { LakeError, messageOf } from '../../model/errors.ts'
import type { Files } from './files.ts'
import { errnoOf } from './io-error.ts'

const encoder = new TextEncoder()
/** What file systems without hard links answer (exFAT, s3fs, gcsfuse, some SMB shares). */
const NO_LINKS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EMLINK', 'EINVAL'])

/** Links two probe files to one name: the second must be refused. Throws `UNSUPPORTED_FILE_SYSTEM` otherwise. */
export async function probeLinks(
  files: Files,
  directory: string,
  effects: Pick<Effects, 'uuid'> = realEffects,
): Promise<void> {
  const base = join(directory, `.probe.${effects.uuid()}`)
  const [one, two, name] = [`${base}.1.tmp`, `${base}.2.tmp`, `${base}.3.tmp`]
  try {
    await files.create(one, encoder.encode('1'))
    await files.create(two, encoder.encode('2'))
    const first = await linkProbe(files, directory, one, name)
    const second = await linkProbe(files, directory, two, name)
    if (first !== 'linked' || second !== 'exists') {
      throw unsupported(directory, 'a second link to one name was not refused')
    }
  } finally {
    for (const path of [one, two, name]) await files.remove(path).catch(() => undefined)
  }
}

async function linkProbe(
  files: Files,
  directory: string,
  from: string,
  to: string,
): Promise<'linked' | 'exists'> {
  try {
    return await files.link(from, to)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== undefined && NO_LINKS.has(errno))
      throw unsupported(directory, messageOf(error), error)
    throw error
  }
}

function unsupported(directory: string, reason: string, cause?: unknown): LakeError {
  return new LakeError(
    'UNSUPPORTED_FILE_SYSTEM',
    `the file system under ${directory} has no usable hard links: ${reason}`,
    {
      details: { directory },
      next: 'Keep the lake on a local disk (ext4, xfs, btrfs, APFS, NTFS) or on NFS.',
      ...(cause !== undefined && { cause }),
    },
  )
}
