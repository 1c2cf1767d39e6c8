/** Publication of a small file under a name that must be free: complete and synced before it is visible. */
import { join } from 'node:path'
import { realEffects } from '../../model/effects.ts'
import type { Effects } from '../../model/effects.ts'
import type { Files } from './files.ts'

const encoder = new TextEncoder()

/**
 * Writes `text` to a temporary file, makes it durable and links it to `name`. When it returns
 * `published`, the file is visible; it is durable after the next `sync` of the directory.
 * An error means that nothing was published.
 */
export async function publish(
  files: Files,
  directory: string,
  name: string,
  text: string,
  effects: Pick<Effects, 'uuid'> = realEffects,
): Promise<'published' | 'exists'> {
  const temporary = join(directory, `.${name}.${effects.uuid()}.tmp`)
  await files.create(temporary, encoder.encode(text))
  try {
    const outcome = await files.link(temporary, join(directory, name))
    return outcome === 'linked' ? 'published' : 'exists'
  } finally {
    await files.remove(temporary).catch(() => undefined)
  }
}

/** Replaces a small file by rename; for hints, which may be lost and must be ignored when wrong. */
export async function replace(
  files: Files,
  directory: string,
  name: string,
  text: string,
  effects: Pick<Effects, 'uuid'> = realEffects,
): Promise<void> {
  const temporary = join(directory, `.${name}.${effects.uuid()}.tmp`)
  await files.create(temporary, encoder.encode(text))
  try {
    await files.rename(temporary, join(directory, name))
  } catch (error) {
    await files.remove(temporary).catch(() => undefined)
    throw error
  }
  await files.sync(directory)
}
