/** Durations as people write them: `30 days`, `24 hours`, `1d`. */
import { LakeError } from './errors.ts'

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  millisecond: 1,
  s: 1000,
  second: 1000,
  m: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
}

/** Milliseconds of a duration text; units from milliseconds to weeks, singular or plural. */
export function parseDuration(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(text)
  const word = match?.[2]?.toLowerCase() ?? ''
  const unit = UNIT_MS[word] ?? UNIT_MS[word.replace(/s$/, '')]
  if (!match || unit === undefined) {
    throw new LakeError('INVALID_ARGUMENT', `not a duration: ${text}`, {
      details: { text },
      next: 'Write a number and a unit, for example "30 days" or "24 hours".',
    })
  }
  return Number(match[1]) * unit
}

/** A duration as a Delta interval, for example `interval 2592000 seconds`. */
export function intervalText(timeMs: number): string {
  return `interval ${Math.ceil(timeMs / 1000)} seconds`
}

/** Milliseconds of a Delta interval such as `interval 30 days`; undefined where it is not understood. */
export function parseInterval(text: string): number | undefined {
  const parts = [...text.replace(/^\s*interval/i, '').matchAll(/(\d+)\s*([a-z]+)/gi)]
  let timeMs = 0
  for (const [, amount, word] of parts) {
    const unit = UNIT_MS[word!.toLowerCase().replace(/s$/, '')]
    if (unit === undefined || word === 'm') return undefined
    timeMs += Number(amount) * unit
  }
  return parts.length > 0 ? timeMs : undefined
}
