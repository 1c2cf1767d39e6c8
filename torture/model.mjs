/** What the torture does to a lake: its tables, its operations, and what every version must then hold. */

export const KEYS = 300
export const COUNTERS = 8
export const ACCOUNTS = 8
export const SYMBOLS = ['600000.SH', '600519.SH', '000001.SZ', '300750.SZ']
const BALANCE = 1000
export const WIDTHS = ['extra_1', 'extra_2', 'extra_3']

/** A small seeded generator (mulberry32), so that a run can be made again from its seed. */
export function seeded(seed) {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** The tables. `api` is the package under test. */
export function tableDefinitions({ field, schemaOf }) {
  const int = (...names) => names.map((name) => field(name, 'integer'))
  return {
    events: { schema: schemaOf([...int('w', 's', 'n'), field('h', 'string')]) },
    facts: { schema: schemaOf(int('k', 'w', 's')), key: ['k'] },
    counters: { schema: schemaOf(int('id', 'n')), key: ['id'] },
    notes: { schema: schemaOf(int('id', 'total')), key: ['id'] },
    bank_a: { schema: schemaOf(int('id', 'balance')), key: ['id'] },
    bank_b: { schema: schemaOf(int('id', 'balance')), key: ['id'] },
    prices: {
      schema: schemaOf([field('symbol', 'string'), field('day', 'date'), ...int('w', 's')]),
      key: ['symbol', 'day'],
      layout: 'per-symbol',
    },
    outside: { schema: schemaOf([field('b', 'string'), ...int('n')]) },
  }
}

/** Makes the tables and fills those that start with rows. */
export async function createTables(tx, api) {
  for (const [name, table] of Object.entries(tableDefinitions(api)))
    await tx.ensure({ name, ...table })
  const ids = (count) => Array.from({ length: count }, (_, id) => id)
  await tx.upsert(
    'counters',
    ids(COUNTERS).map((id) => ({ id, n: 0 })),
  )
  for (const bank of ['bank_a', 'bank_b'])
    await tx.upsert(
      bank,
      ids(ACCOUNTS).map((id) => ({ id, balance: BALANCE })),
    )
}

const dayOf = (n) => new Date(Date.UTC(2025, 0, 1 + n)).toISOString().slice(0, 10)

/** Chooses an operation; its effect is all that the checker needs to know. */
export function planOperation(chance, facts) {
  const { w, s, head, scratchShare = 2 } = facts
  const int = (bound) => Math.floor(chance() * bound)
  const some = (count, make) => [...new Set(Array.from({ length: 1 + int(count) }, make))]
  const upsert = () => ({ t: 'upsert', w, s, ks: some(30, () => int(KEYS)) })
  const append = () => ({ t: 'append', w, s, n: 1 + int(20) })
  const prices = () => ({
    t: 'prices',
    w,
    s,
    cells: some(4, () => `${SYMBOLS[int(SYMBOLS.length)]}|${dayOf(int(90))}`),
  })
  const plans = [
    [22, () => [append()]],
    [18, () => [upsert()]],
    [16, () => [{ t: 'count', id: int(COUNTERS) }]],
    [
      16,
      () => [
        {
          t: 'transfer',
          from: int(ACCOUNTS),
          to: int(ACCOUNTS),
          amount: 1 + int(20),
          way: chance() < 0.5,
        },
      ],
    ],
    [8, () => [{ t: 'note', id: w }]],
    [8, () => [prices()]],
    [10, () => [append(), upsert(), { t: 'count', id: int(COUNTERS) }]],
    [3, () => [{ t: 'delete', m: 7 + int(20), r: int(7) }]],
    [3, () => [{ t: 'restore', to: Math.max(1, head - int(40)) }]],
    [6, () => [{ t: 'outside', b: `own/${w}.${s}.${int(1e6)}`, n: 1 + int(10) }]],
    [scratchShare, () => [{ t: 'scratch', b: `${w}.${s}.${int(1e6)}` }]],
    [2, () => [{ t: 'widen', name: WIDTHS[int(WIDTHS.length)] }]],
  ]
  let at = chance() * plans.reduce((sum, [share]) => sum + share, 0)
  for (const [share, plan] of plans) if ((at -= share) < 0) return plan()
  return [append()]
}

/** Stages an effect through the package under test. */
export async function stage(tx, effect, api) {
  switch (effect.t) {
    case 'append':
      return tx.append('events', eventRows(effect))
    case 'upsert':
      return tx.upsert(
        'facts',
        effect.ks.map((k) => ({ k, w: effect.w, s: effect.s })),
      )
    case 'delete':
      return tx.delete('facts', `k % ${effect.m} = ${effect.r}`)
    case 'count': {
      const [{ n }] = await tx.query(`SELECT n FROM counters WHERE id = ${effect.id}`)
      return tx.upsert('counters', [{ id: effect.id, n: n + 1 }])
    }
    case 'note': {
      // Reads one table and writes another: only the test of what was read keeps it true.
      const [{ total }] = await tx.query('SELECT sum(n)::INTEGER AS total FROM counters')
      return tx.upsert('notes', [{ id: effect.id, total }])
    }
    case 'transfer':
      return stageTransfer(tx, effect)
    case 'prices':
      return tx.upsert(
        'prices',
        effect.cells.map((cell) => {
          const [symbol, day] = cell.split('|')
          return { symbol, day, w: effect.w, s: effect.s }
        }),
      )
    case 'outside':
      return tx.append(
        'outside',
        Array.from({ length: effect.n }, (_, n) => ({ b: effect.b, n })),
      )
    case 'restore':
      return api.stageRestore(api.store, tx, await api.record(effect.to), ['facts'])
    case 'scratch':
      return stageScratch(tx, effect, api)
    case 'widen':
      return tx.widen('facts', [api.field(effect.name, 'integer')])
    default:
      throw new Error(`unknown effect ${effect.t}`)
  }
}

function eventRows({ w, s, n }) {
  return Array.from({ length: n }, (_, i) => ({ w, s, n: i, h: `${w}-${s}-${i}` }))
}

/** Read and write across two tables: the sum of both never changes. */
async function stageTransfer(tx, { from, to, amount, way }) {
  const [source, target] = way ? ['bank_a', 'bank_b'] : ['bank_b', 'bank_a']
  const [row] = await tx.query(
    `SELECT (SELECT balance FROM ${source} WHERE id = ${from}) AS a, (SELECT balance FROM ${target} WHERE id = ${to}) AS b`,
  )
  await tx.upsert(source, [{ id: from, balance: row.a - amount }])
  await tx.upsert(target, [{ id: to, balance: row.b + amount }])
}

async function stageScratch(tx, { b }, api) {
  if (tx.has('scratch')) return tx.drop('scratch')
  await tx.ensure({ name: 'scratch', schema: api.schemaOf([api.field('b', 'string')]) })
  return tx.append(
    'scratch',
    Array.from({ length: 7 }, () => ({ b })),
  )
}

/** What a version holds. Maps are replaced, not changed, so a state of before can be taken up again. */
export function emptyState() {
  return {
    events: new Map(),
    facts: new Map(),
    prices: new Map(),
    counters: Array.from({ length: COUNTERS }, () => 0),
    bank_a: Array.from({ length: ACCOUNTS }, () => BALANCE),
    bank_b: Array.from({ length: ACCOUNTS }, () => BALANCE),
    scratch: undefined,
    notes: new Map(),
    outside: new Map(),
  }
}

/** Applies an effect; `stateAt` gives the facts of an older version. Returns what is wrong with it, if anything. */
export function applyEffect(state, effect, factsAt) {
  switch (effect.t) {
    case 'append':
      return applyAppend(state, effect)
    case 'upsert':
      state.facts = new Map(state.facts)
      for (const k of effect.ks) state.facts.set(k, [effect.w, effect.s])
      return undefined
    case 'delete':
      state.facts = new Map([...state.facts].filter(([k]) => k % effect.m !== effect.r))
      return undefined
    case 'count':
      state.counters[effect.id]++
      return undefined
    case 'note':
      state.notes.set(effect.id, sum(state.counters))
      return undefined
    case 'transfer': {
      const [source, target] = effect.way ? ['bank_a', 'bank_b'] : ['bank_b', 'bank_a']
      state[source][effect.from] -= effect.amount
      state[target][effect.to] += effect.amount
      return undefined
    }
    case 'prices':
      state.prices = new Map(state.prices)
      for (const cell of effect.cells) state.prices.set(cell, [effect.w, effect.s])
      return undefined
    case 'restore':
      state.facts = factsAt(effect.to)
      return state.facts ? undefined : `restored version ${effect.to} is not known`
    case 'scratch':
      state.scratch = state.scratch === undefined ? effect.b : undefined
      return undefined
    case 'outside':
      state.outside.set(effect.b, effect.n)
      return undefined
    case 'widen':
      return undefined
    default:
      return `unknown effect ${effect.t}`
  }
}

/** Per writer the numbers of appended batches have no hole and no repetition. */
function applyAppend(state, { w, s, n }) {
  const known = state.events.get(w) ?? { rows: 0, newest: -1, sum: 0 }
  state.events.set(w, { rows: known.rows + n, newest: s, sum: known.sum + n * s })
  if (s === known.newest + 1) return undefined
  return `H3 exactly once: writer ${w} appended batch ${s} after ${known.newest}`
}

const sum = (values) => values.reduce((a, b) => a + b, 0)

/** The fingerprint that a reader must see. */
export function fingerprint(state) {
  const events = [...state.events]
    .sort(([a], [b]) => a - b)
    .map(([w, e]) => `${w}:${e.rows}:${e.newest}:${e.sum}:true`)
  const facts = [...state.facts].map(
    ([k, [w, s]]) => ((k + 1) * (w * 7919 + s * 31 + 1)) % 1_000_003,
  )
  const prices = [...state.prices].map(
    ([cell, [w, s]]) => (Number(cell.slice(-2)) * (w * 7919 + s * 31 + 1)) % 1_000_003,
  )
  return {
    events: events.join(','),
    facts: `${facts.length}:${sum(facts)}`,
    prices: `${prices.length}:${sum(prices)}`,
    counters: state.counters.join(','),
    notes: [...state.notes]
      .sort(([a], [b]) => a - b)
      .map(([id, total]) => `${id}:${total}`)
      .join(','),
    banks: `${state.bank_a.join(',')}/${state.bank_b.join(',')}`,
  }
}

/** The same fingerprint as one statement, so that it comes from one snapshot also without a transaction. */
export const FINGERPRINT_SQL = `SELECT
  (SELECT coalesce(string_agg(w || ':' || c || ':' || m || ':' || t || ':' || ok, ',' ORDER BY w), '') FROM
    (SELECT w, count(*) c, max(s) m, sum(s)::BIGINT t, bool_and(h = w || '-' || s || '-' || n) ok FROM events GROUP BY w)) AS events,
  (SELECT count(*) || ':' || coalesce(sum(((k + 1)::BIGINT * (w * 7919 + s * 31 + 1)) % 1000003), 0)::BIGINT FROM facts) AS facts,
  (SELECT count(*) || ':' || coalesce(sum((day(day)::BIGINT * (w * 7919 + s * 31 + 1)) % 1000003), 0)::BIGINT FROM prices) AS prices,
  (SELECT string_agg(n::VARCHAR, ',' ORDER BY id) FROM counters) AS counters,
  (SELECT coalesce(string_agg(id || ':' || total, ',' ORDER BY id), '') FROM notes) AS notes,
  (SELECT string_agg(balance::VARCHAR, ',' ORDER BY id) FROM bank_a) || '/' ||
  (SELECT string_agg(balance::VARCHAR, ',' ORDER BY id) FROM bank_b) AS banks`

export const BANK_TOTAL = 2 * ACCOUNTS * BALANCE
