/** The rules of the commit protocol, each with the text that is the rule, and what stands there when it is left out. */

/** A rule of the source. */
export interface Rule {
  /** Below `src/storage`. */
  readonly file: string
  readonly text: string
  readonly instead: string
  /** Works among which it matters; by default all. */
  readonly among?: readonly string[]
  /** How often a step kills its process; by default rarely. */
  readonly killShare?: number
  /** The first schedule that found it missing; there the search begins. */
  readonly seed?: number
}

/** By name. */
export const RULES: Readonly<Record<string, Rule>> = {
  'what became live since the base is tested': {
    file: 'delta/conflict.ts',
    text: 'return fresh.length === 0 ? undefined : freshClash',
    instead: 'return fresh.length >= 0 ? undefined : freshClash',
    seed: 4,
  },
  'what a commit removes must still be live': {
    file: 'delta/conflict.ts',
    text: 'if (gone) return',
    instead: 'if (gone && false) return',
    seed: 7,
  },
  'keys of an upsert and of an append are tested': {
    file: 'delta/conflict.ts',
    text: "case 'append': {\n",
    instead: "case 'append': {\n      if (change.key.length > 0) return undefined\n",
    seed: 4,
  },
  'rows that a condition selects are tested': {
    file: 'delta/conflict.ts',
    text: "case 'replaceWhere': {\n",
    instead: "case 'replaceWhere': {\n      if (change.adds) return undefined\n",
    seed: 221,
  },
  'nothing may come beside a replacement or a restore': {
    file: 'delta/conflict.ts',
    text: "return 'another commit added rows'\n",
    instead: 'return undefined\n',
    seed: 13,
  },
  'what was read is tested': {
    file: 'lake/head-test.ts',
    text: 'for (const [table, entry] of tx.reads) {',
    instead: 'for (const [table, entry] of [] as [string, TableEntry][]) {',
    seed: 70,
  },
  'a table that was dropped meanwhile is not dropped again': {
    file: 'lake/head-test.ts',
    text: 'for (const table of tx.dropped) {',
    instead: 'for (const table of [] as string[]) {',
    among: ['drop or create'],
  },
  'a restore looks at tables in which it changes nothing': {
    file: 'lake/restore.ts',
    text: 'tx.reads.set(name, now)',
    instead: 'void now',
    seed: 39,
  },
  'a restore takes away what was made meanwhile': {
    file: 'lake/head-test.ts',
    text: 'if (tx.change.allTables) {',
    instead: 'if (tx.change.allTables && false) {',
    among: ['drop or create', 'restore'],
    seed: 3,
  },
  'a name that was taken meanwhile is not created again': {
    file: 'lake/head-test.ts',
    text: 'if (work.definition) return entry ?',
    instead: 'if (work.definition) return entry && !entry ?',
    among: ['drop or create'],
  },

  'foreign commits are adopted before one builds on them': {
    file: 'lake/settle.ts',
    text: 'if (!looked) state = await foreignTail(',
    instead: 'if (looked) state = await foreignTail(',
    seed: 46,
  },
  'a foreign commit is judged before it is adopted': {
    file: 'lake/settle.ts',
    text: "if (inspection.kind === 'adoptable') {",
    instead:
      "if (inspection.kind !== 'incompatible') {\n    if (!('snapshot' in inspection)) return true",
    seed: 46,
  },
  'foreign commits that clash are undone': {
    file: 'lake/roll-forward.ts',
    text: 'if (!course.undo) return',
    instead: 'if (true) return',
    seed: 45,
  },
  'foreign commits that ours cannot follow freeze the table': {
    file: 'lake/roll-forward.ts',
    text: "if (inspection.kind === 'incompatible') return inspection.reason",
    instead: "if (inspection.kind === 'incompatible') course.undo ||= false",
    among: ['a foreign writer that does not stop', 'upserts'],
  },
  'the head is rolled forward by whoever builds on it': {
    file: 'lake/settle.ts',
    text: 'return rollForward(store, head)',
    instead: 'return { tables: head.tables, foreign: [] }',
    seed: 4,
  },
  'the lake log is synced before a commit is acknowledged': {
    file: 'lake/commit.ts',
    text: 'await syncLog(store)',
    instead: 'await Promise.resolve(syncLog)',
    seed: 3,
  },

  'Delta logs are synced': {
    file: 'lake/roll-forward.ts',
    text: 'await store.files.sync(log)',
    instead: 'await Promise.resolve(log)',
    seed: 3,
  },
  'files of foreign commits are synced before the lake names them': {
    file: 'lake/foreign.ts',
    text: 'for (const path of directories) await store.files.sync(path)',
    instead: '',
    among: ['a foreign writer that does not stop', 'upserts'],
    seed: 44,
  },
  'staged names are synced': {
    file: 'delta/stage.ts',
    text: 'await Promise.all([...directories].map((path) => files.sync(path)))',
    instead: '',
    seed: 3,
  },
  'vacuum looks at leases': {
    file: 'lake/horizon.ts',
    text: 'for (const version of leased) kept.add(version)',
    instead: '',
    seed: 9,
  },
  'vacuum keeps what a tag names': {
    file: 'lake/horizon.ts',
    text: 'for (const tag of Object.values(head.tags)) kept.add(tag.version)',
    instead: '',
    seed: 55,
  },
  'the horizon is announced before anything is deleted': {
    file: 'lake/vacuum.ts',
    text: 'const head = await announce(store, horizon, stagedBefore)',
    instead: 'const head = { ...store.head, horizon, stagedBefore }',
    seed: 9,
  },
  'vacuum leaves young files to their writers': {
    file: 'lake/vacuum.ts',
    text: 'if (table.files.has(file.path) || file.modifiedMs >= stagedBefore) continue',
    instead: 'if (table.files.has(file.path)) continue',
    seed: 9,
  },
  'a record is kept while a frozen table shows it': {
    file: 'lake/needed.ts',
    text: 'if (over === undefined || versions.has(over)) continue',
    instead: 'if (over !== Number.NaN) continue',
    among: ['a foreign writer that does not stop', 'upserts', 'vacuum'],
    seed: 28,
  },
  'records of kept versions stay whole': {
    file: 'lake/stub.ts',
    text: 'if (kept.has(version)) continue',
    instead: '',
    seed: 55,
  },
  'a writer sees how old its files are': {
    file: 'lake/head-test.ts',
    text: 'if (work.written.has(add.path) && stat.modifiedMs < stagedBeforeMs)',
    instead: 'if (work.written.has(add.path) && stat.modifiedMs < 0)',
    among: ['vacuum', 'upserts', 'append'],
    seed: 31,
  },

  'a tag or a restore of a version given up meanwhile is refused': {
    file: 'lake/build-record.ts',
    text: 'if (version < head.horizon && !tagged.has(version)) throw',
    instead: 'if (version < 0) throw',
    among: ['vacuum', 'upserts', 'tag', 'restore'],
    seed: 30,
  },
  'a reader lays the record over a Delta log that is behind': {
    file: 'lake/view.ts',
    text: 'if (!commit) return inPlace(',
    instead: 'if (entry.version >= 0) return inPlace(',
  },
  'a thawed table has its files before it has its name': {
    file: 'lake/doctor.ts',
    text: 'await linkFiles(store, snapshot, tableDirectory(store, oldPath), directory)',
    instead: '',
    seed: 117,
  },
  'who makes a table looks again when it is there': {
    file: 'lake/head-test.ts',
    text: 'tx.reads.size > 0 || (work.definition !== undefined && head.tables[table])',
    instead: 'tx.reads.size > 0',
    among: ['drop or create'],
  },
  'a table that is frozen meanwhile is not written': {
    file: 'lake/head-test.ts',
    text: 'checkNotFrozen(store, head, work)',
    instead: '',
    among: ['a foreign writer that does not stop', 'upserts'],
  },
  'a table that another process found frozen is not written': {
    file: 'lake/tables.ts',
    text: 'store.frozen.get(path) ?? frozenBy(tables[name], path)',
    instead: 'store.frozen.get(path)',
    among: ['a foreign writer that does not stop', 'upserts'],
  },
}
