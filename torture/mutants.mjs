/**
 * `npm run torture:mutants [-- --only NAME] [--seconds N]`: plants one bug at a time into a copy of the build and runs the
 * torture, or the power cuts, on it. Each must be found, or the harness proves nothing.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
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
    by: 'power',
  },
  {
    name: 'rename instead of link',
    file: 'storage/files/local.js',
    from: /await link\(from, to\);/,
    to: 'await rename(from, to);',
    also: {
      file: 'storage/files/probe.js',
      from: /(export async function probeLinks\([^)]*\) \{)/,
      to: '$1 return;',
    },
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
]

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
  },
})

/** A copy of the build with the bug in it; its imports still find their packages. */
function mutate(mutant) {
  const directory = mkdtempSync(join(tmpdir(), 'marketlake-mutant-'))
  const dist = join(directory, 'dist')
  cpSync(join(HERE, '..', 'dist'), dist, { recursive: true })
  cpSync(HERE, join(directory, 'torture'), { recursive: true })
  symlinkSync(resolve(HERE, '..', 'node_modules'), join(directory, 'node_modules'))
  for (const { file, from, to } of [mutant, ...(mutant.also ? [mutant.also] : [])]) {
    const path = join(dist, file)
    const before = readFileSync(path, 'utf8')
    const after = before.replace(from, to)
    if (after === before) throw new Error(`${mutant.name}: the place to break is not in ${file}`)
    writeFileSync(path, after)
  }
  return directory
}

function command(mutant, seconds, seed) {
  if (mutant.by === 'power')
    return ['power.mjs', '--cuts', '40', '--fs', 'ext4', '--seed', String(seed)]
  const foreign = mutant.by === 'foreign' ? [] : ['--no-foreign']
  return [
    'torture.mjs',
    '--seconds',
    String(seconds),
    '--seed',
    String(seed),
    '--until-found',
    '--retention',
    '3',
    '--skew',
    '0',
    ...(mutant.more ?? []),
    ...foreign,
  ]
}

let missed = 0
for (const mutant of MUTANTS.filter(
  (m) => values.only === undefined || m.name.includes(values.only),
)) {
  const directory = mutate(mutant)
  const startedMs = Date.now()
  const [script, ...args] = command(mutant, values.seconds, values.seed)
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(directory, 'torture', script), ...args],
    {
      encoding: 'utf8',
    },
  )
  const seconds = Math.round((Date.now() - startedMs) / 1000)
  const first = /VIOLATION (.*)/.exec(stdout)?.[1] ?? /Error: .*/.exec(stderr)?.[0] ?? ''
  const law = /"law":"([^"]*)"/.exec(first)?.[1] ?? first.slice(0, 80)
  const found = status !== 0 && law !== ''
  if (!found) missed++
  process.stdout.write(
    `| ${mutant.name} | ${found ? 'found' : 'NOT FOUND'} | ${seconds} s | ${law} |\n`,
  )
  rmSync(directory, { recursive: true, force: true })
}
process.stdout.write(`${missed} not found\n`)
process.exitCode = missed > 0 ? 1 : 0
