/** The trading calendar: which days the mainland exchanges are open. */
import { CLOSED_WEEKDAYS, SEED_SINCE, SEED_UNTIL } from './calendar-seed.ts'
import { dayOf, formatDay, weekday } from './date.ts'

/** A day of the calendar. */
export interface CalendarDay {
  readonly date: string
  readonly is_open: boolean
}

/** Every day that the built-in calendar covers, oldest first. */
export function seedCalendar(): CalendarDay[] {
  const closed = new Set(
    Object.entries(CLOSED_WEEKDAYS).flatMap(([year, days]) =>
      days.split(' ').map((day) => `${year}-${day.slice(0, 2)}-${day.slice(2)}`),
    ),
  )
  const [first, last] = [dayOf(SEED_SINCE), dayOf(SEED_UNTIL)]
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const date = formatDay(first + i)
    return { date, is_open: ![0, 6].includes(weekday(date)) && !closed.has(date) }
  })
}
