/** What other engines are known not to do right with tables that are right. Each entry is checked: it must still fail. */
import type { EngineName } from './engines.ts'

/** A table that an engine does not read as it was written. */
export interface ReadingLimit {
  readonly engine: EngineName
  readonly table: string
  /** As it stands in `docs/interop.md`. */
  readonly outcome: string
  /** Part of the error, or of the difference. */
  readonly error: RegExp
}

export const READING_LIMITS: readonly ReadingLimit[] = [
  {
    engine: 'ClickHouse',
    table: 'all types, NULLs, extremes',
    outcome: 'binary comes as text',
    error: /UnicodeDecodeError|to deeply equal/,
  },
  {
    engine: 'ClickHouse',
    table: 'no rows',
    outcome: 'binary comes as text',
    error: /to deeply equal/,
  },
  {
    engine: 'ClickHouse',
    table: 'timestamps without zone (3/7)',
    outcome: 'equal but for the zone in the type',
    error: /to deeply equal/,
  },
  {
    engine: 'ClickHouse',
    table: 'lists, structs, maps',
    outcome: 'a NULL list, struct or map comes empty',
    error: /to deeply equal/,
  },
]
