/** Work that becomes due often: done at once after a rest, and once a rest while it goes on becoming due. */

/** Rests between two starts of a piece of work. What waits is done after the rest or in a hurry, unless it is cancelled. */
export class RestingWork {
  readonly #restMs: number
  readonly #start: () => void
  #startedMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(restMs: number, start: () => void) {
    this.#restMs = restMs
    this.#start = start
  }

  /** Starts the work, now if it has rested. A process that ends by itself ends after what waits. */
  due(): void {
    if (this.#timer) return
    const waitMs = this.#startedMs + this.#restMs - performance.now()
    if (waitMs <= 0) this.#begin()
    else this.#timer = setTimeout(() => this.#begin(), waitMs)
  }

  /** Starts what waits without more rest; false if nothing does. */
  hurry(): boolean {
    if (!this.#timer) return false
    this.#begin()
    return true
  }

  /** Forgets what waits. */
  cancel(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #begin(): void {
    this.cancel()
    this.#startedMs = performance.now()
    this.#start()
  }
}
