/** Copies a file that is no part of a lake; shares its blocks where the file system can. */
import { constants, copyFile as copy } from 'node:fs/promises'
import { ioError } from './io-error.ts'

/** Copies a file under a name that must not be taken. Nothing is made durable. */
export async function copyFile(from: string, to: string): Promise<void> {
  try {
    await copy(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE)
  } catch (cause) {
    throw ioError('copy', from, cause)
  }
}
