/** What the world gives: the clock, names nobody used, chance and waiting, so that tests can replace them. */

/** Side effects other than files. All of them are replaced in model tests. */
export interface Effects {
  /** Milliseconds since 1970, UTC. */
  readonly now: () => number
  /** A fresh random UUID in lower case. */
  readonly uuid: () => string
  /** A number in [0, 1). */
  readonly random: () => number
  /** Waits; the promise resolves after at least `timeMs`. */
  readonly sleep: (timeMs: number) => Promise<void>
}

/** The real world. */
export const realEffects: Effects = {
  now: () => Date.now(),
  uuid: () => crypto.randomUUID(),
  random: () => Math.random(),
  sleep: (timeMs) => new Promise((resolve) => setTimeout(resolve, timeMs)),
}
