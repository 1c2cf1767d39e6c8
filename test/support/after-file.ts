/** What a test file opened is closed after it. */

const endings: (() => unknown)[] = []

/** Runs after the test file, the last first. */
export function afterFile(end: () => unknown): void {
  endings.push(end)
}

/** Closes all that the file opened. */
export async function endFile(): Promise<void> {
  for (const end of endings.splice(0).toReversed()) await end()
}
