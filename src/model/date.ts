/** Calendar dates as `YYYY-MM-DD` text and day numbers, and Shanghai time, without local time zones. */
import { LakeError } from './errors.ts'

const DAY_MS = 86_400_000
/** China has been at UTC+8 without daylight saving since 1991. */
const SHANGHAI_OFFSET_MS = 8 * 3_600_000

/** Days since 1970-01-01 of a valid `YYYY-MM-DD` text, or undefined. */
export function parseDay(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  const timeMs = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(timeMs) && formatDay(timeMs / DAY_MS) === text ? timeMs / DAY_MS : undefined
}

/** Days since 1970-01-01, or an error that names the text. */
export function dayOf(text: string): number {
  const day = parseDay(text)
  if (day === undefined) {
    throw new LakeError('INVALID_ARGUMENT', `not a date: ${text}`, {
      details: { text },
      next: 'Write dates as YYYY-MM-DD, for example 2024-12-31.',
    })
  }
  return day
}

/** `YYYY-MM-DD` of a day number. */
export function formatDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** The date `days` after (or, negative, before) a date. */
export function addDays(date: string, days: number): string {
  return formatDay(dayOf(date) + days)
}

/** 0 is Sunday, 6 is Saturday. */
export function weekday(date: string): number {
  return (((dayOf(date) + 4) % 7) + 7) % 7
}

/** The date in Shanghai at a moment in milliseconds since 1970. */
export function shanghaiDate(timeMs: number): string {
  return new Date(timeMs + SHANGHAI_OFFSET_MS).toISOString().slice(0, 10)
}

/** The last millisecond of a date in Shanghai. */
export function endOfShanghaiDay(date: string): number {
  return (dayOf(date) + 1) * DAY_MS - SHANGHAI_OFFSET_MS - 1
}
