/** The end of a large file, without the rest of it in memory. */
import { open } from 'node:fs/promises'
import { ioError } from './io-error.ts'

/** The last bytes of a file, all of it if it is shorter. */
export async function readTail(path: string, bytes: number): Promise<Uint8Array> {
  try {
    const file = await open(path, 'r')
    try {
      const { size } = await file.stat()
      const tail = new Uint8Array(Math.min(bytes, size))
      const { bytesRead } = await file.read(tail, 0, tail.length, size - tail.length)
      return tail.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw ioError('read', path, cause)
  }
}
