/** Small text files of the user's own: read if there, and grown line by line. */
import { dirname } from 'node:path'
import { localFiles } from '../storage/files/local.ts'

/** The text of a file; undefined if there is none. */
export async function readText(path: string): Promise<string | undefined> {
  const bytes = await localFiles.read(path)
  return bytes && new TextDecoder().decode(bytes)
}

/** Adds a text to a file, which is made when needed. */
export async function appendText(path: string, text: string): Promise<void> {
  await makeWithParents(dirname(path))
  await localFiles.append(path, new TextEncoder().encode(text))
}

async function makeWithParents(directory: string): Promise<void> {
  if (await localFiles.stat(directory)) return
  await makeWithParents(dirname(directory))
  await localFiles.makeDirectory(directory)
}
