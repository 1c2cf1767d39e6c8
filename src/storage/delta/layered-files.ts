/** Files as a map, live or removed: those of a checkpoint, not made yet, and over them what commits changed since. */
import type { LazyFiles } from './lazy-files.ts'

/** A copy that changes without its origin. Of a checkpoint's files only what changed since is copied. */
export function copyOfFiles<T>(files: ReadonlyMap<string, T>): Map<string, T> {
  return files instanceof LayeredFiles ? files.copy() : new Map(files)
}

/** A class, because whoever holds the files of a snapshot holds a `Map`. The map itself has what was added. */
export class LayeredFiles<T> extends Map<string, T> {
  readonly #base: LazyFiles<T>
  /** Keys of the base that are removed, or replaced in the map itself. */
  readonly #gone = new Set<string>()

  constructor(base: LazyFiles<T>) {
    super()
    this.#base = base
  }

  copy(): LayeredFiles<T> {
    const copy = new LayeredFiles<T>(this.#base)
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

  override get(key: string): T | undefined {
    const place = this.#placeOf(key)
    return place === undefined ? super.get(key) : this.#base.at(place)
  }

  override set(key: string, add: T): this {
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

  override *entries(): MapIterator<[string, T]> {
    for (const [key, place] of this.#base.index)
      if (!this.#gone.has(key)) yield [key, this.#base.at(place)]
    yield* super.entries()
  }

  override *values(): MapIterator<T> {
    for (const [, add] of this.entries()) yield add
  }

  override [Symbol.iterator](): MapIterator<[string, T]> {
    return this.entries()
  }

  override forEach(use: (add: T, key: string, files: Map<string, T>) => void): void {
    for (const [key, add] of this.entries()) use(add, key, this)
  }

  #placeOf(key: string): number | undefined {
    return this.#gone.has(key) ? undefined : this.#base.index.get(key)
  }
}
