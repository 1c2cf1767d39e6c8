/** An in-memory double of the I/O seam that models what a power cut leaves of un-synced names and contents. */
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import { LakeError } from '../../src/model/errors.ts'
import type { FileStat, Files, SealedFile } from '../../src/storage/files/files.ts'

interface FileNode {
  readonly kind: 'file'
  content: Uint8Array
  /** What survives a power cut; undefined while nothing was synced. */
  durable: Uint8Array | undefined
  modifiedMs: number
}

interface DirectoryNode {
  readonly kind: 'directory'
  readonly entries: Map<string, Node>
  /** The names that survive a power cut. */
  durable: Map<string, Node>
  modifiedMs: number
}

type Node = FileNode | DirectoryNode

/** Called before every operation; a scheduler waits here, a fault is thrown from here. */
export type Gate = (operation: keyof Files, path: string) => Promise<void> | void

const READS: ReadonlySet<keyof Files> = new Set(['list', 'read', 'hash', 'stat'])

/** A disk in memory. */
export class MemoryDisk {
  #root: DirectoryNode = directoryNode(0)
  /** The disk's own clock. */
  nowMs = 1_000_000
  /** Operations so far, by name. */
  readonly counts = new Map<string, number>()
  #changes = 0

  /** How often something was changed, or made durable. */
  get changes(): number {
    return this.#changes
  }

  /** The disk as one process sees it. */
  files(gate: Gate = () => undefined): Files {
    const enter = async (operation: keyof Files, path: string): Promise<void> => {
      await gate(operation, path)
      this.nowMs++
      if (!READS.has(operation)) this.#changes++
      this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1)
    }
    return {
      list: async (path) => (await enter('list', path), this.#list(path)),
      read: async (path) => (await enter('read', path), this.#read(path)),
      hash: async (path) => (await enter('hash', path), sha256(this.#file(path).content)),
      stat: async (path) => (await enter('stat', path), this.#stat(path)),
      create: async (path, content) => (await enter('create', path), this.#create(path, content)),
      append: async (path, content) => (await enter('append', path), this.#append(path, content)),
      link: async (from, to) => (await enter('link', to), this.#link(from, to)),
      rename: async (from, to) => (await enter('rename', to), this.#rename(from, to)),
      remove: async (path) => (await enter('remove', path), this.#remove(path)),
      makeDirectory: async (path) => (await enter('makeDirectory', path), this.#mkdir(path)),
      sync: async (path) => (await enter('sync', path), this.#sync(path)),
      seal: async (path) => (await enter('seal', path), this.#seal(path)),
    }
  }

  /** Cuts the power: of each un-synced change of a name `keep` decides whether it reached the disk. */
  crash(keep: (path: string) => boolean): void {
    this.#root = crashed(this.#root, '', keep) as DirectoryNode
  }

  /** Another disk with the same state: names, contents, and what of both is durable. */
  clone(): MemoryDisk {
    const disk = new MemoryDisk()
    disk.#root = copied(this.#root, new Map()) as DirectoryNode
    disk.nowMs = this.nowMs
    return disk
  }

  /** All paths of files, for checks. */
  paths(): string[] {
    const found: string[] = []
    const walk = (node: Node, path: string): void => {
      if (node.kind === 'file') found.push(path)
      else for (const [name, child] of node.entries) walk(child, `${path}/${name}`)
    }
    walk(this.#root, '')
    return found
  }

  #node(path: string): Node | undefined {
    let node: Node | undefined = this.#root
    for (const name of path.split('/')) {
      if (name !== '') node = node?.kind === 'directory' ? node.entries.get(name) : undefined
    }
    return node
  }

  #directory(path: string): DirectoryNode {
    const node = this.#node(path)
    if (node?.kind !== 'directory') throw failure('ENOENT', 'directory', path)
    return node
  }

  #file(path: string): FileNode {
    const node = this.#node(path)
    if (node?.kind !== 'file') throw failure('ENOENT', 'file', path)
    return node
  }

  #list(path: string): string[] {
    const node = this.#node(path)
    return node?.kind === 'directory' ? [...node.entries.keys()].toSorted() : []
  }

  #read(path: string): Uint8Array | undefined {
    const node = this.#node(path)
    if (node?.kind === 'directory') throw failure('EISDIR', 'read', path)
    return node?.content
  }

  #stat(path: string): FileStat | undefined {
    const node = this.#node(path)
    if (!node) return undefined
    const sizeBytes = node.kind === 'file' ? node.content.length : 0
    return { kind: node.kind, sizeBytes, modifiedMs: node.modifiedMs }
  }

  #create(path: string, content: Uint8Array): void {
    const parent = this.#directory(dirname(path))
    const name = path.slice(dirname(path).length).replace(/^\//, '')
    if (parent.entries.has(name)) throw failure('EEXIST', 'create', path)
    const copy = Uint8Array.from(content)
    parent.entries.set(name, { kind: 'file', content: copy, durable: copy, modifiedMs: this.nowMs })
  }

  /** What another program writes without syncing it, as DuckDB's COPY does. */
  writeUnsynced(path: string, content: Uint8Array): void {
    this.#changes++
    const parent = this.#directory(dirname(path))
    const node: FileNode = { kind: 'file', content, durable: undefined, modifiedMs: this.nowMs }
    parent.entries.set(path.slice(dirname(path).length + 1), node)
  }

  #append(path: string, content: Uint8Array): void {
    const known = this.#node(path)
    if (known?.kind === 'file') known.content = Uint8Array.from([...known.content, ...content])
    else this.writeUnsynced(path, Uint8Array.from(content))
  }

  #link(from: string, to: string): 'linked' | 'exists' {
    const node = this.#file(from)
    const parent = this.#directory(dirname(to))
    const name = to.slice(dirname(to).length + 1)
    const known = parent.entries.get(name)
    if (known) return known === node ? 'linked' : 'exists'
    parent.entries.set(name, node)
    return 'linked'
  }

  #rename(from: string, to: string): void {
    const node = this.#file(from)
    this.#directory(dirname(from)).entries.delete(from.slice(dirname(from).length + 1))
    this.#directory(dirname(to)).entries.set(to.slice(dirname(to).length + 1), node)
  }

  #remove(path: string): boolean {
    const node = this.#node(path)
    if (!node) return false
    if (node.kind === 'directory' && node.entries.size > 0)
      throw failure('ENOTEMPTY', 'remove', path)
    this.#directory(dirname(path)).entries.delete(path.slice(dirname(path).length + 1))
    return true
  }

  #mkdir(path: string): 'made' | 'exists' {
    const parent = this.#directory(dirname(path))
    const name = path.slice(dirname(path).length).replace(/^\//, '')
    if (parent.entries.has(name)) return 'exists'
    parent.entries.set(name, directoryNode(this.nowMs))
    return 'made'
  }

  #sync(path: string): void {
    const node = this.#directory(path)
    node.durable = new Map(node.entries)
  }

  #seal(path: string): SealedFile {
    const node = this.#file(path)
    node.durable = node.content
    return {
      sizeBytes: node.content.length,
      sha256: sha256(node.content),
      head: node.content.slice(0, 4),
      tail: node.content.slice(-8),
    }
  }
}

function directoryNode(modifiedMs: number): DirectoryNode {
  return { kind: 'directory', entries: new Map(), durable: new Map(), modifiedMs }
}

/** One node for every node, also where two names share it. */
function copied(node: Node, known: Map<Node, Node>): Node {
  const before = known.get(node)
  if (before) return before
  if (node.kind === 'file') {
    const file = { ...node }
    known.set(node, file)
    return file
  }
  const directory = directoryNode(node.modifiedMs)
  known.set(node, directory)
  for (const [name, child] of node.entries) directory.entries.set(name, copied(child, known))
  for (const [name, child] of node.durable) directory.durable.set(name, copied(child, known))
  return directory
}

/** Of content that was not synced all may have reached the disk, or half, or nothing. */
function writtenPart(
  content: Uint8Array,
  path: string,
  keep: (path: string) => boolean,
): Uint8Array {
  if (keep(`${path}#content`)) return content
  return keep(`${path}#half`) ? content.slice(0, content.length / 2) : new Uint8Array()
}

function crashed(node: Node, path: string, keep: (path: string) => boolean): Node {
  if (node.kind === 'file') {
    const content = node.durable ?? writtenPart(node.content, path, keep)
    return { ...node, content, durable: content }
  }
  const entries = new Map<string, Node>()
  for (const name of new Set([...node.entries.keys(), ...node.durable.keys()])) {
    const [now, before] = [node.entries.get(name), node.durable.get(name)]
    const child = now === before || keep(join(path, name)) ? now : before
    if (child) entries.set(name, crashed(child, join(path, name), keep))
  }
  return { kind: 'directory', entries, durable: new Map(entries), modifiedMs: node.modifiedMs }
}

function sha256(content: Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

/** A failure of the operating system as the seam reports it. */
export function failure(errno: string, operation: string, path: string): LakeError {
  return new LakeError('IO_ERROR', `${operation} failed (${errno}): ${path}`, {
    details: { operation, path, errno },
  })
}
