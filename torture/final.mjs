/** What must hold when nobody writes any more: the logs, every byte, the newest rows, and nothing left over. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { FINGERPRINT_SQL, fingerprint } from './model.mjs'
import { loadPackage } from './package.mjs'

/** Mends, verifies every byte, compares the head with the fold of the history, and looks for what is left over. */
export async function finalCheck(root, { state, outside, clean }) {
  const api = await loadPackage()
  const violations = []
  const report = (law, facts) => violations.push({ law, ...facts })
  try {
    const lake = await api.openLake(root, { maintenance: false, onWarning: () => undefined })
    const doctor = await lake.doctor({ fix: true })
    if (!doctor.ok) report('I1-I8 doctor', { problems: doctor.problems })
    const problems = await lake.verify({ deep: true })
    if (problems.length > 0) report('I1-I8 verify', { problems })
    await compareHead(lake, state, report)
    await compareOutside(lake, outside, report)
    await checkTables(api, lake, root, report)
    await lake.close()
    // A lake in which something was found is left as it is.
    if (clean && violations.length === 0) await checkLeftOvers(api, root, report)
  } catch (error) {
    report('the lake cannot be used afterwards', { message: String(error.stack ?? error) })
  }
  return violations
}

/** The same after a power cut, without mending first: opening the lake must be enough. Looks at every file. */
export async function checkState(root, state) {
  const api = await loadPackage()
  const violations = []
  const report = (law, facts) => violations.push({ law, ...facts })
  try {
    const lake = await api.openLake(root, { maintenance: false, onWarning: () => undefined })
    await compareHead(lake, state, report)
    const found = await lake.verify({ deep: true })
    // The next write brings the Delta log of the newest record up; until then readers lay the record over it.
    const problems = found.filter((p) => !p.problem.includes('not in the Delta log yet'))
    if (problems.length > 0) report('I1-I8 verify', { problems })
    await lake.close()
  } catch (error) {
    report('the lake cannot be used afterwards', { message: String(error.stack ?? error) })
  }
  return violations
}

async function compareHead(lake, state, report) {
  const engine = await lake.analysis()
  const [found] = await engine.query(FINGERPRINT_SQL)
  const expected = fingerprint(state)
  for (const table of Object.keys(expected)) {
    if (found[table] !== expected[table])
      report('H1 durability of rows', { table, expected: expected[table], found: found[table] })
  }
  await engine.close()
}

/** What other engines were told is stored, is stored once; what they were not told may be, whole. */
async function compareOutside(lake, outside, report) {
  const engine = await lake.analysis()
  const rows = await engine.query(
    'SELECT b, count(*)::INTEGER AS n, count(DISTINCT n)::INTEGER AS d FROM outside GROUP BY b',
  )
  await engine.close()
  const found = new Map(rows.map((row) => [row.b, row]))
  const gone = []
  for (const [batch, { rows: wanted, sure, own }] of outside.batches) {
    const row = found.get(batch)
    found.delete(batch)
    if (row?.n === wanted && row.d === wanted) continue
    if (row !== undefined || own)
      report('a commit of another engine', { batch, wanted, found: row?.n })
    else if (sure) gone.push(batch)
  }
  // Inside the crash window of a lake commit that they clash with, commits of others are undone, and named.
  if (gone.length > outside.undone)
    report('a commit of another engine', { gone, undone: outside.undone })
  for (const batch of found.keys()) report('rows of nobody', { batch })
}

/** I4, I6: every Delta log folds, by itself, to what the lake shows; no key stands twice. */
async function checkTables(api, lake, root, report) {
  const record = await lake.head()
  for (const [name, { path, version }] of Object.entries(record.tables)) {
    const directory = join(root, path)
    const folded = foldLog(directory)
    const snapshot = await api.loadSnapshot(api.localFiles, directory)
    if (snapshot.version !== version)
      report('I1 Delta log', { name, version, found: snapshot.version })
    const live = [...snapshot.files.keys()].toSorted(byText).join()
    if (folded && folded !== live) report('I6 checkpoint', { name, folded, live })
  }
}

const byText = (a, b) => (a < b ? -1 : 1)

/** The live files by commits alone; undefined where the first ones were cleaned up. */
function foldLog(directory) {
  const log = join(directory, '_delta_log')
  const names = readdirSync(log)
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort()
  if (Number.parseInt(names[0] ?? '1', 10) !== 0) return undefined
  const live = new Set()
  for (const name of names) {
    for (const line of readFileSync(join(log, name), 'utf8').trim().split('\n')) {
      const { add, remove } = JSON.parse(line)
      if (remove) live.delete(decodeURIComponent(remove.path))
      if (add) live.add(decodeURIComponent(add.path))
    }
  }
  return [...live].toSorted(byText).join()
}

/** H17, I7: with nothing to keep, a vacuum leaves no file that no log names, no temporary file and no lease. */
async function checkLeftOvers(api, root, report) {
  writeFileSync(
    join(root, 'lake.toml'),
    '[retention]\nversions = "0 seconds"\nfiles = "0 seconds"\nstaged = "0 seconds"\n',
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  const later = {
    now: () => Date.now() + 120_000,
    uuid: () => crypto.randomUUID(),
    random: Math.random,
  }
  const lake = await api.openLake(root, { maintenance: false, lease: false, effects: later })
  for (const tag of Object.keys((await lake.head()).tags)) await lake.deleteTag(tag)
  // Leases of killed readers count for a quarter of an hour; here they are known to be dead.
  for (const name of readdirSync(join(root, '_lake', 'leases')))
    await api.localFiles.remove(join(root, '_lake', 'leases', name))
  await lake.vacuum({ apply: true })
  await lake.vacuum({ apply: true })
  const { tables } = await lake.head()
  const named = new Set()
  for (const { path } of Object.values(tables)) {
    const snapshot = await api.loadSnapshot(api.localFiles, join(root, path))
    // The newest record may lay its actions over the version before: that one is kept whole.
    const before = await api
      .loadSnapshot(api.localFiles, join(root, path), snapshot.version - 1)
      .catch(() => undefined)
    for (const key of snapshot.files.keys()) named.add(join(root, path, key))
    for (const key of before?.files.keys() ?? [])
      if (existsSync(join(root, path, key))) named.add(join(root, path, key))
  }
  // A table whose creation was killed leaves a directory without a log: nobody can tell it from a user's own files.
  const hasLog = (file) =>
    existsSync(
      join(root, 'warehouse', relative(join(root, 'warehouse'), file).split(sep)[0], '_delta_log'),
    )
  const orphans = dataFiles(join(root, 'warehouse')).filter(
    (file) => !named.has(file) && hasLog(file),
  )
  if (orphans.length > 0)
    report('I7 nothing outside the log', { orphans: orphans.slice(0, 10), count: orphans.length })
  for (const file of named) if (!existsSync(file)) report('I3 every live file is there', { file })
  await lake.close()
}

function dataFiles(directory) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() &&
        entry.name.endsWith('.parquet') &&
        !entry.parentPath.endsWith('_delta_log'),
    )
    .map((entry) => join(entry.parentPath, entry.name))
}
