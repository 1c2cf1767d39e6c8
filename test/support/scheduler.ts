/** Interleaves asynchronous processes one I/O call at a time, from a seed, and kills some of them. */

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface Waiting {
  readonly process: number
  readonly go: () => void
}

/** What the scheduler does besides choosing. */
export interface ScheduleOptions {
  readonly chance: () => number
  /** Chance that a step kills the process it would have run. */
  readonly killShare: number
  /** After so many steps nothing runs any more. */
  readonly stepsMax: number
  /** How often a process gets its turn, beside 1 for the others; by default all alike. */
  readonly pace?: (process: number) => number
  /** Looks at the world between two steps. */
  readonly onStep?: () => Promise<void>
}

/** Runs processes until all are done, killed, or the steps are used up. */
export class Scheduler {
  readonly #waiting: Waiting[] = []
  readonly #alive = new Set<number>()
  steps = 0

  /** Waits until the scheduler lets this process go on. A killed process waits for ever. */
  turn(process: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ process, go: resolve })
    })
  }

  /** Starts processes; `start[i]` gets its own number. Returns false if the steps ran out first. */
  async run(
    start: readonly ((process: number) => Promise<void>)[],
    options: ScheduleOptions,
  ): Promise<boolean> {
    const failures: unknown[] = []
    start.forEach((body, process) => {
      this.#alive.add(process)
      body(process).then(
        () => this.#alive.delete(process),
        (error: unknown) => {
          this.#alive.delete(process)
          failures.push(error)
        },
      )
    })
    while (this.#alive.size > 0) {
      await quiet()
      if (failures.length > 0) throw failures[0]
      if (this.#alive.size === 0) break
      if (this.steps++ >= options.stepsMax) return false
      this.#step(options)
      await options.onStep?.()
    }
    if (failures.length > 0) throw failures[0]
    return true
  }

  #step(options: ScheduleOptions): void {
    const ready = this.#waiting.filter((w) => this.#alive.has(w.process))
    if (ready.length === 0) throw new Error('every process waits for something else')
    const next = chosen(ready, options)
    if (options.chance() < options.killShare) {
      this.#alive.delete(next.process)
      return
    }
    this.#waiting.splice(this.#waiting.indexOf(next), 1)
    next.go()
  }
}

function chosen(ready: readonly Waiting[], { chance, pace = () => 1 }: ScheduleOptions): Waiting {
  const total = ready.reduce((sum, { process }) => sum + pace(process), 0)
  let at = chance() * total
  return ready.find(({ process }) => (at -= pace(process)) < 0) ?? ready.at(-1)!
}

/** Resolves when all that could run without the scheduler has run. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
