/** Adds up the test reports of a directory (`NAME.json` beside `NAME.exit`) and prints "N passed, N failed". */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const directory = process.argv[2] ?? '.'

/** What one suite came to; a suite that failed without a failed test counts as one. */
function suiteResult(name) {
  const status = Number(readFileSync(join(directory, `${name}.exit`), 'utf8'))
  try {
    const report = JSON.parse(readFileSync(join(directory, `${name}.json`), 'utf8'))
    const failed = Math.max(
      report.numFailedTests,
      report.numFailedTestSuites > 0 || status !== 0 ? 1 : 0,
    )
    return { passed: report.numPassedTests, failed }
  } catch (error) {
    console.log(`${name}: no test report: ${error.message}`)
    return { passed: 0, failed: status === 0 ? 0 : 1 }
  }
}

const names = readdirSync(directory).flatMap((file) => file.match(/^(.+)\.exit$/)?.[1] ?? [])
let [passed, failed] = [0, 0]
for (const name of names) {
  const result = suiteResult(name)
  console.log(`${name}: ${result.passed} passed, ${result.failed} failed`)
  passed += result.passed
  failed += result.failed
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 && names.length > 0 ? 0 : 1)
