/** Live files as a map: those of a checkpoint, not made yet, and over them what commits added and removed since. */
import type { AddFile } from './actions.ts'
import type { LazyFiles } from './lazy-files.ts'

/** A copy that changes without its origin. Of a checkpoint's files only what changed since is copied. */
export function copyOfFiles(files: ReadonlyMap<string, AddFile>): Map<string, AddFile> {
  return files instanceof LayeredFiles ? files.copy() : new Map(files)
}

/** A class, because whoever holds the files of a snapshot holds a `Map`. The map itself has what was added. */
export class LayeredFiles extends Map<string, AddFile> {
  readonly #base: LazyFiles
  /** Keys of the base that are removed, or replaced in the map itself. */
  readonly #gone = new Set<string>()

  constructor(base: LazyFiles) {
    super()
    this.#base = base
  }

  copy(): LayeredFiles {
    const copy = new LayeredFiles(this.#base)
    for (const key of this.#gone) copy.#gone.add(key)
    for (const [key, add] of super.entries()) copy.set(key, add)
    return copy
  }

  override get size(): number {
    return super.size + this.#base.index.size - this.#gone.size
  }

  override has(key: string): boolean {
    return super.has(key) || this.#placeOf(key) !== undefined
  }

  override get(key: string): AddFile | undefined {
    const place = this.#placeOf(key)
    return place === undefined ? super.get(key) : this.#base.at(place)
  }

  override set(key: string, add: AddFile): this {
    if (this.#base.index.has(key)) this.#gone.add(key)
    return super.set(key, add)
  }

  override delete(key: string): boolean {
    const found = this.#placeOf(key) !== undefined
    if (found) this.#gone.add(key)
    return super.delete(key) || found
  }

  override clear(): void {
    for (const key of this.#base.index.keys()) this.#gone.add(key)
    super.clear()
  }

  override *keys(): MapIterator<string> {
    for (const key of this.#base.index.keys()) if (!this.#gone.has(key)) yield key
    yield* super.keys()
  }

  override *entries(): MapIterator<[string, AddFile]> {
    for (const [key, place] of this.#base.index)
      if (!this.#gone.has(key)) yield [key, this.#base.at(place)]
    yield* super.entries()
  }

  override *values(): MapIterator<AddFile> {
    for (const [, add] of this.entries()) yield add
  }

  override [Symbol.iterator](): MapIterator<[string, AddFile]> {
    return this.entries()
  }

  override forEach(use: (add: AddFile, key: string, files: Map<string, AddFile>) => void): void {
    for (const [key, add] of this.entries()) use(add, key, this)
  }

  #placeOf(key: string): number | undefined {
    return this.#gone.has(key) ? undefined : this.#base.index.get(key)
  }
}
