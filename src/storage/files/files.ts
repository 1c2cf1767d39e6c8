/** The I/O seam: the few file operations on which everything durable is built. */

/** What a file or directory is. Symbolic links and devices are `other`; they are never followed. */
export interface FileStat {
  readonly kind: 'file' | 'directory' | 'other'
  readonly sizeBytes: number
  /** Milliseconds since 1970; comes from the file system's clock, not from ours. */
  readonly modifiedMs: number
}

/** What `seal` found in a file that another program wrote. */
export interface SealedFile {
  readonly sizeBytes: number
  /** 64 hex digits over the whole file. */
  readonly sha256: string
  /** The first four bytes. */
  readonly head: Uint8Array
  /** The last eight bytes. */
  readonly tail: Uint8Array
}

/**
 * Files under absolute paths. The contract, kept by the local disk and by the double in the tests:
 *
 * - What `create` wrote is complete and durable in content when it returns, but its *name* is durable
 *   only after `sync` of its directory. The same holds for `link`, `rename`, `remove` and `makeDirectory`.
 * - `link` is the only way to publish: it never replaces, and of several racing calls one wins.
 * - A failure is an `IO_ERROR` with `details.errno`, `.operation` and `.path`. After a failed `sync`
 *   nothing is known of what it covered; it is never retried on the same file.
 */
export interface Files {
  /** Names in a directory, sorted by code unit; empty if there is no such directory. */
  list(directory: string): Promise<string[]>
  /** The whole content, or undefined if there is no such file. */
  read(path: string): Promise<Uint8Array | undefined>
  /** SHA-256 of a regular file, as 64 hex digits, without holding it in memory. */
  hash(path: string): Promise<string>
  /** What stands at a path, or undefined. */
  stat(path: string): Promise<FileStat | undefined>
  /** Writes a new file and makes its content durable. It must not exist. Read-only afterwards. */
  create(path: string, content: Uint8Array): Promise<void>
  /** Adds to the end of a file, making it if absent. Nothing is made durable: only for notes that may be lost. */
  append(path: string, content: Uint8Array): Promise<void>
  /** Gives a file a second name, unless the name is taken. A lost answer is resolved, so `exists` means another's file. */
  link(from: string, to: string): Promise<'linked' | 'exists'>
  /** Moves a file over whatever has the name. Only for hints and for files that name their content. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file's name, or an empty directory; false if there was none. */
  remove(path: string): Promise<boolean>
  /** Makes one directory; the parent must exist. `mode` are POSIX permission bits, 0o755 by default. */
  makeDirectory(path: string, mode?: number): Promise<'made' | 'exists'>
  /** Makes the names in a directory durable, or the content of a file that another program wrote. */
  sync(directory: string): Promise<void>
  /** Checks that a path is a regular file, hashes it, makes its content durable and read-only. */
  seal(path: string): Promise<SealedFile>
}
