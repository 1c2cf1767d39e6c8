/** A user to whom the modes of files mean something: root may read and write everything. */
import { chmodSync } from 'node:fs'

const NOBODY = 65534

/** Runs `use` as nobody where the process is root; `directories` may be entered and read then. */
export async function asNobody<T>(
  directories: readonly string[],
  use: () => Promise<T>,
): Promise<T> {
  for (const directory of directories) chmodSync(directory, 0o755)
  if (process.geteuid!() !== 0) return use()
  process.seteuid!(NOBODY)
  try {
    return await use()
  } finally {
    process.seteuid!(0)
  }
}
