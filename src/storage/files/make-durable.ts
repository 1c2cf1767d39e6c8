/** Makes a file durable that another program wrote and that stays writable. */
import { open } from 'node:fs/promises'
import { ioError } from './io-error.ts'

/** Syncs the content of a file; its name is durable after a sync of its directory. */
export async function makeDurable(path: string): Promise<void> {
  try {
    const handle = await open(path, 'r+')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw ioError('sync', path, cause)
  }
}
