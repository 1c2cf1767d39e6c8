/**
 * `npm run torture:mutants [-- --only NAME] [--seconds N]`: plants one bug at a time into a copy of the build and runs the
 * torture, or the power cuts, on it; or into a copy of the source, and runs tests. Each must be found, or the harness
 * proves nothing.
 */
import { spawn } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const HERE = import.meta.dirname

/** What is broken, where in the build, and what has to find it. */
const MUTANTS = [
  {
    name: 'data files are not synced',
    file: 'storage/files/local.js',
    from: /\[digest\(handle\), handle\.sync\(\)\]/,
    to: '[digest(handle)]',
    by: 'power',
  },
  {
    name: 'records and commits are not synced',
    file: 'storage/files/local.js',
    from: /await handle\.writeFile\(content\);\s*await handle\.sync\(\);/,
    to: 'await handle.writeFile(content);',
    by: 'power',
  },
  {
    name: 'directories are not synced',
    file: 'storage/files/local.js',
    from: /if \(windows\)\s*return;\s*const handle = await open\(directory, 'r'\);/,
    to: "return; const handle = await open(directory, 'r');",
    // A commit that writes Delta logs is saved by their syncs: ext4 writes its whole journal with each.
    more: ['--drops', '150'],
    by: 'power',
  },
  {
    name: 'rename instead of link',
    file: 'storage/files/local.js',
    from: /await link\(from, to\);/,
    to: 'await rename(from, to);',
    also: [
      {
        file: 'storage/files/probe.js',
        from: /(export async function probeLinks\([^)]*\) \{)/,
        to: '$1 return;',
      },
    ],
    by: 'torture',
  },
  {
    name: 'resume off by one',
    file: '../torture/writer.mjs',
    from: /return s \+ 1/,
    to: 'return s + 2',
    by: 'torture',
  },
  {
    name: 'vacuum too early: leases are not looked at',
    file: 'storage/lake/vacuum.js',
    from: /const \{ versions: leased(, expired)? \} = await listLeases\(store\);/g,
    to: 'const leased = []; const expired = [];',
    // Maintenance must live long enough to do its harm, and do nothing else.
    more: ['--fault-ms', '5000', '--only-vacuum'],
    by: 'torture',
  },
  {
    name: 'vacuum too early: the horizon is the head',
    file: 'storage/lake/horizon.js',
    from: /return low;/,
    to: 'return head.version;',
    // So long that most of the versions that a reader asks for are younger.
    more: ['--fault-ms', '5000', '--only-vacuum', '--retention', '20'],
    by: 'torture',
  },
  {
    name: 'stale statistics',
    file: 'storage/parquet/write.js',
    from: /statistics: statisticsOf\(report\.column_statistics\)/,
    to: 'statistics: (globalThis.staleStatistics ??= statisticsOf(report.column_statistics))',
    by: 'torture',
  },
  {
    name: 'a foreign commit is overwritten',
    file: 'storage/lake/settle.js',
    from: /found\.push\(describeForeign\(name, version, commit\)\);/,
    to: 'break;',
    by: 'foreign',
  },
  {
    name: 'conflicts are not tested',
    file: 'storage/lake/head-test.js',
    from: /(export async function testHead\([^)]*\) \{)/,
    to: "$1 return { kind: 'free' };",
    by: 'torture',
  },
  {
    name: 'what was read is not tested',
    file: 'storage/lake/head-test.js',
    from: /for \(const \[table, entry\] of tx\.reads\) \{/,
    to: 'for (const [table, entry] of []) {',
    by: 'torture',
  },
  {
    name: 'half a commit: the last table is forgotten',
    file: 'storage/lake/build-record.js',
    from: /commits\.push\(commit\);/,
    to: 'if (commits.length > 0) continue; commits.push(commit);',
    by: 'torture',
  },
  {
    name: 'a checkpoint carries the number of the version before',
    file: 'storage/delta/checkpoint-write.js',
    from: /const name = checkpointName\(snapshot\.version\)/,
    to: 'const name = checkpointName(snapshot.version - 1)',
    by: 'torture',
  },
  {
    name: 'a last sync that fails is an error, and takes the files',
    file: 'src/storage/lake/commit.ts',
    from: /return unknown\(record, error\)\n/,
    to: 'throw unknown(record, error)\n',
    by: 'test/storage/lake/faults.test.ts',
  },
  {
    name: 'an older version of a report stays the latest',
    file: 'src/storage/lake/vintage.ts',
    from: /return castColumn\(f, 'now_latest'\)/,
    to: "return castColumn(f, 'CASE WHEN stored THEN was_latest ELSE now_latest END')",
    by: 'test/storage/lake/vintage.test.ts',
  },
  {
    name: 'the number of a dual write comes in a commit of its own',
    file: 'src/migration/catch-up.ts',
    from: /tx\.change = \{ settings: \(head\) => ([^\n]*) \}\n/,
    to: 'number = (head: LakeRecord) => $1\n',
    also: [
      {
        file: 'src/migration/catch-up.ts',
        from: /const batch = \{/,
        to: 'let number: any\n  const batch = {',
      },
      {
        file: 'src/migration/catch-up.ts',
        from: /(\{ operation: 'DUAL WRITE'[^\n]*\n  \))/,
        to: `$1.then(async (outcome) => {
    const second = async (tx: Transaction): Promise<void> => void (tx.change = { settings: number })
    if (number) await commitLake(store, () => Promise.resolve(database), second)
    return outcome
  })`,
      },
    ],
    by: 'test/migration/killed.long.test.ts',
    project: 'long',
  },
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
  },
})

const ROOT = join(HERE, '..')
const isTest = (mutant) => mutant.by.startsWith('test/')
const LEFT_OUT = new Set(['node_modules', 'dist', '.git'])

/** A copy of the build, or of the source, with the bug in it; its imports still find their packages. */
function mutate(mutant) {
  const directory = mkdtempSync(join(tmpdir(), 'marketlake-mutant-'))
  const parts = isTest(mutant)
    ? readdirSync(ROOT).filter((name) => !LEFT_OUT.has(name))
    : ['dist', 'torture', 'package.json']
  for (const part of parts)
    cpSync(join(ROOT, part), join(directory, part), { recursive: true, verbatimSymlinks: true })
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  for (const { file, from, to } of [mutant, ...(mutant.also ?? [])]) {
    const path = join(directory, isTest(mutant) ? '' : 'dist', file)
    const before = readFileSync(path, 'utf8')
    const after = before.replace(from, to)
    if (after === before) throw new Error(`${mutant.name}: the place to break is not in ${file}`)
    writeFileSync(path, after)
  }
  return directory
}

function command(mutant, seconds, seed) {
  if (isTest(mutant)) {
    const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')
    return [vitest, 'run', '--project', mutant.project ?? 'quick', '--bail', '1', mutant.by]
  }
  if (mutant.by === 'power')
    return [
      'torture/power.mjs',
      '--cuts',
      '40',
      '--fs',
      'ext4',
      '--seed',
      String(seed),
      ...(mutant.more ?? []),
    ]
  const foreign = mutant.by === 'foreign' ? [] : ['--no-foreign']
  return [
    'torture/torture.mjs',
    `--seconds=${seconds}`,
    `--seed=${seed}`,
    '--until-found',
    '--retention=3',
    '--skew=0',
    ...(mutant.more ?? []),
    ...foreign,
  ]
}

/** What a run printed, and how it ended. Its lake and its disks stand in the directory of the mutant. */
async function runOn(directory, args) {
  const TMPDIR = join(directory, 'tmp')
  mkdirSync(TMPDIR)
  child = spawn(process.execPath, args, {
    cwd: directory,
    env: { ...process.env, TMPDIR, NO_COLOR: '1' },
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr']) child[name].on('data', (text) => (said[name] += text))
  const status = await new Promise((resolve) => child.on('close', resolve))
  return { ...said, status }
}

/** The first law that was seen broken. A run that could not even start shows nothing. */
function verdictOf({ stdout, stderr, status }) {
  const violation = /VIOLATION (.*)/.exec(stdout)?.[1]
  const failed = /^ ?FAIL .*/m.exec(stderr)?.[0]
  if (status === 1 && violation !== undefined)
    return { found: true, law: /"law":"([^"]*)"/.exec(violation)?.[1] ?? violation.slice(0, 80) }
  if (status === 1 && failed !== undefined) return { found: true, law: failed.trim() }
  return { found: false, law: status === 0 ? '' : `${stdout.slice(-400)} ${stderr.slice(-400)}` }
}

let child
let stopped = false
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    stopped = true
    // It takes its disk off, and ends.
    child?.kill('SIGTERM')
  })

let missed = 0
for (const mutant of MUTANTS.filter(
  (m) => values.only === undefined || m.name.includes(values.only),
)) {
  if (stopped) break
  const directory = mutate(mutant)
  const startedMs = Date.now()
  const { found, law } = verdictOf(
    await runOn(directory, command(mutant, values.seconds, values.seed)),
  )
  const seconds = Math.round((Date.now() - startedMs) / 1000)
  if (!found) missed++
  process.stdout.write(
    `| ${mutant.name} | ${found ? 'found' : 'NOT FOUND'} | ${seconds} s | ${law} |\n`,
  )
  rmSync(directory, { recursive: true, force: true })
}
process.stdout.write(stopped ? 'stopped\n' : `${missed} not found\n`)
process.exitCode = stopped ? 130 : missed > 0 ? 1 : 0
