/** The local disk: the only place that calls the file system. */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import {
  appendFile,
  chmod,
  link,
  lstat,
  mkdir,
  open,
  readFile,
  readdir,
  rename,
  rmdir,
  unlink,
} from 'node:fs/promises'
import type { FileStat, Files, SealedFile } from './files.ts'
import { errnoOf, ioError } from './io-error.ts'

const READ_ONLY = 0o444
const WRITABLE = 0o644
const HASH_CHUNK_BYTES = 1 << 20
const windows = process.platform === 'win32'

/** Files on a local disk. */
export const localFiles: Files = {
  list: (directory) =>
    orElse('list', directory, async () => (await readdir(directory)).toSorted(), []),
  read: (path) => orElse('read', path, async () => asBytes(await readFile(path)), undefined),
  hash: (path) => attempt('hash', path, () => hashFile(path)),
  stat: (path) => orElse('stat', path, () => statOf(path), undefined),
  create: (path, content) => attempt('create', path, () => createFile(path, content)),
  append: (path, content) => attempt('append', path, () => appendFile(path, content)),
  link: (from, to) => attempt('link', to, () => linkFile(from, to)),
  rename: (from, to) => attempt('rename', to, () => renameFile(from, to)),
  remove: (path) => orElse('remove', path, () => removeAny(path), false),
  makeDirectory: (path, mode) => attempt('makeDirectory', path, () => makeDirectory(path, mode)),
  sync: (directory) => attempt('sync', directory, () => syncDirectory(directory)),
  seal: (path) => attempt('seal', path, () => sealFile(path)),
}

async function attempt<T>(operation: string, path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw ioError(operation, path, cause)
  }
}

async function orElse<T, U>(
  operation: string,
  path: string,
  call: () => Promise<T>,
  absent: U,
): Promise<T | U> {
  try {
    return await call()
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return absent
    throw ioError(operation, path, cause)
  }
}

/** A plain view: Node's Buffer prints and compares differently. */
function asBytes(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

async function statOf(path: string): Promise<FileStat> {
  const stat = await lstat(path)
  const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other'
  return { kind, sizeBytes: stat.size, modifiedMs: stat.mtimeMs }
}

async function createFile(path: string, content: Uint8Array): Promise<void> {
  const handle = await open(path, 'wx', READ_ONLY)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } catch (error) {
    await handle.close().catch(() => undefined)
    await unlink(path).catch(() => undefined)
    throw error
  }
  await handle.close()
}

/** Over a network the answer of a link that succeeded may be lost; a second name of our file proves it. */
async function linkFile(from: string, to: string): Promise<'linked' | 'exists'> {
  try {
    await link(from, to)
    return 'linked'
  } catch (error) {
    if (await sameFile(from, to)) return 'linked'
    if (errnoOf(error) === 'EEXIST') return 'exists'
    throw error
  }
}

async function sameFile(a: string, b: string): Promise<boolean> {
  try {
    const [left, right] = [await lstat(a, { bigint: true }), await lstat(b, { bigint: true })]
    return left.ino === right.ino && left.dev === right.dev && left.ino !== 0n
  } catch {
    return false
  }
}

/** Windows does not replace a file that is read-only, and ours are. */
async function renameFile(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
  } catch (error) {
    if (!windows) throw error
    await chmod(to, WRITABLE)
    await rename(from, to)
  }
}

async function removeAny(path: string): Promise<boolean> {
  const stat = await lstat(path)
  await (stat.isDirectory() ? rmdir(path) : unlink(path))
  return true
}

/** The mode is set apart from `mkdir`, whose mode the process's umask would cut. */
async function makeDirectory(path: string, mode?: number): Promise<'made' | 'exists'> {
  try {
    await mkdir(path)
    if (mode !== undefined) await chmod(path, mode)
    return 'made'
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return 'exists'
    throw error
  }
}

/** Windows cannot sync a directory (EPERM); NTFS journals names by itself. */
async function syncDirectory(directory: string): Promise<void> {
  if (windows) return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** `lstat` first: opening a FIFO would wait for ever. */
async function sealFile(path: string): Promise<SealedFile> {
  const stat = await lstat(path)
  if (!stat.isFile()) throw new Error('not a regular file')
  const handle = await open(path, windows ? 'r+' : 'r')
  try {
    // The file is complete, so that the disk may write it while it is read for the hash.
    const [sealed] = await Promise.all([digest(handle), handle.sync()])
    // Defence in depth only, and not ours to set on another user's file.
    await chmod(path, READ_ONLY).catch(() => undefined)
    return sealed
  } finally {
    await handle.close()
  }
}

async function hashFile(path: string): Promise<string> {
  const stat = await lstat(path)
  if (!stat.isFile()) throw new Error('not a regular file')
  const handle = await open(path, 'r')
  try {
    return (await digest(handle)).sha256
  } finally {
    await handle.close()
  }
}

async function digest(handle: FileHandle): Promise<SealedFile> {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(HASH_CHUNK_BYTES)
  let sizeBytes = 0
  let head = new Uint8Array()
  let tail = new Uint8Array()
  for (;;) {
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, sizeBytes)
    if (bytesRead === 0) break
    const part = buffer.subarray(0, bytesRead)
    hash.update(part)
    if (sizeBytes === 0) head = Uint8Array.from(part.subarray(0, 4))
    tail = Uint8Array.from([...tail, ...part.subarray(-8)].slice(-8))
    sizeBytes += bytesRead
  }
  return { sizeBytes, sha256: hash.digest('hex'), head, tail }
}
