import { existsSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { defineConfig } from 'vitest/config'
import { built } from './test/support/built.ts'
import { leaveOut } from './test/support/leave-out.ts'
import { SlowestFirst } from './test/support/slowest-first.ts'

/** Memory that is a file system, where there is enough of it: a fifth of the time went to a disk that no quick test is about. */
function temporaryFiles(): string {
  const memory = '/dev/shm'
  if (process.env['TMPDIR'] !== undefined || !existsSync(memory)) return tmpdir()
  const { bavail, bsize } = statfsSync(memory)
  return bavail * bsize > 4 * 2 ** 30 ? memory : tmpdir()
}

const shared = {
  testTimeout: 120_000,
  hookTimeout: 120_000,
  globalSetup: 'test/support/build.ts',
  setupFiles: 'test/support/each-file.ts',
  pool: 'forks',
  maxWorkers: 2,
} as const

/** `quick` is what `npm test` runs in under two minutes; `long` kills, simulates and reads real data for minutes. */
export default defineConfig({
  test: {
    sequence: { sequencer: SlowestFirst },
    projects: [
      {
        plugins: [leaveOut(), built()],
        test: {
          ...shared,
          name: 'quick',
          server: { deps: { external: [/\/dist\//] } },
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.long.test.ts', 'test/**/*.interop.test.ts'],
          // A process and its modules serve many files: starting and loading them took a fifth of the time.
          isolate: false,
          env: { TMPDIR: temporaryFiles() },
          // One more than the cores of a small machine: many tests wait for a process, a disk or a clock.
          maxWorkers: 3,
        },
      },
      {
        test: {
          ...shared,
          name: 'long',
          sequence: { groupOrder: 1 },
          include: ['test/**/*.long.test.ts'],
          testTimeout: 900_000,
          hookTimeout: 300_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'interop',
          include: ['test/**/*.interop.test.ts'],
          testTimeout: 300_000,
          // The first run installs the other engines.
          hookTimeout: 1_200_000,
          maxWorkers: 1,
        },
      },
    ],
  },
})
