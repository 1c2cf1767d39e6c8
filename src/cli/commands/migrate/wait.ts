/** The option `--wait`: how long to wait for whoever holds the old file. */
import { parseDuration } from '../../../model/duration.ts'

/** Nothing was said: not at all. */
export function waitOption(text: string | undefined): { readonly waitMs?: number } {
  return text === undefined ? {} : { waitMs: parseDuration(text) }
}
