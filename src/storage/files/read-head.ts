/** The first bytes of a file that is no part of a lake. */
import { open } from 'node:fs/promises'
import { ioError } from './io-error.ts'

/** Reads at most so many bytes from the beginning; the rest of a shorter file is zeros. */
export async function readHead(path: string, sizeBytes: number): Promise<Uint8Array> {
  try {
    const handle = await open(path, 'r')
    try {
      const head = new Uint8Array(sizeBytes)
      await handle.read(head, 0, sizeBytes, 0)
      return head
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw ioError('read', path, cause)
  }
}
