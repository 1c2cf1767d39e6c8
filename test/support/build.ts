/** Builds the package before the tests, so that the command they start is the source they stand beside. */
import { execFileSync } from 'node:child_process'

export function setup(): void {
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
  execFileSync(process.execPath, ['scripts/bundle-cli.mjs'], { stdio: 'inherit' })
}
