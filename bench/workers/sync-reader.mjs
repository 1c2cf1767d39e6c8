/**
 * Asks a followed lake without end and says how long the answers took, phase by phase. Arguments: lake, the quarter
 * that a sync brings, pause in ms. A word on standard input begins a phase, `end` ends it all; prints figures.
 */
import { createInterface } from 'node:readline'
import { openLake } from '../../dist/index.js'

const [directory, quarter, pauseMs] = process.argv.slice(2)
const VIEWS = ['fin_indicators', 'fin_balance_sheet', 'fin_income_statement', 'fin_cash_flow']
const rowsOf = (view) => `(SELECT count(*) FROM ${view}_all WHERE end_date = DATE '${quarter}')`
const QUESTIONS = [
  "SELECT * FROM fin_indicators WHERE symbol = '600519.SH'",
  "SELECT * FROM fin_income_statement WHERE end_date = DATE '2026-06-30'",
  `SELECT ${VIEWS.map((view) => `${rowsOf(view)} AS ${view}`).join(', ')}`,
]

const lake = await openLake(directory)
const engine = await lake.analysis({ follow: true, threads: 1 })
await engine.initViews()
for (const question of QUESTIONS) await engine.query(question)

const phases = {}
const seen = new Set()
const errors = []
const now = { phase: 'warm' }
createInterface({ input: process.stdin }).on('line', (line) => (now.phase = line.trim()))
process.stdout.write('ready\n')
for (let i = 0; now.phase !== 'end'; i++) {
  const question = QUESTIONS[i % QUESTIONS.length]
  const [start, during] = [performance.now(), now.phase]
  try {
    const rows = await engine.query(question)
    if (question === QUESTIONS[2]) seen.add(VIEWS.map((view) => Number(rows[0][view])).join(' '))
  } catch (error) {
    errors.push(String(error))
  }
  // An answer that overlaps two phases belongs to neither.
  if (now.phase === during) (phases[during] ??= []).push(performance.now() - start)
  await new Promise((done) => setTimeout(done, Number(pauseMs)))
}
await engine.close()
await lake.close()
process.stdout.write(`${JSON.stringify({ phases, seen: [...seen], errors })}\n`)
process.exit(0)
