/** Reproducible chance: the same seed and words give the same numbers, in any order of asking. */

/** A number in [0, 1) that depends on the seed and the words alone. */
export function chance(seed: number, ...words: readonly (string | number)[]): number {
  let hash = (seed ^ 0x9e3779b9) >>> 0
  for (const word of words) {
    for (const character of `${word}|`) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0
      hash = (hash ^ (hash >>> 15)) >>> 0
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) >>> 0
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35) >>> 0
  return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296
}

/** A number from a bell curve around 0 with deviation 1. */
export function bell(seed: number, ...words: readonly (string | number)[]): number {
  const [a, b] = [chance(seed, 'a', ...words), chance(seed, 'b', ...words)]
  return Math.sqrt(-2 * Math.log(1 - a)) * Math.cos(2 * Math.PI * b)
}

/** One of a list. */
export function pick<T>(
  list: readonly T[],
  seed: number,
  ...words: readonly (string | number)[]
): T {
  return list[Math.floor(chance(seed, ...words) * list.length)]!
}
