/** Vintages: numbers, compares and flags versions of reports while they are staged, on the base they are staged on. */
import type { Field } from '../../model/schema.ts'
import { findField, schemaOf } from '../../model/schema.ts'
import { ASSIGNED_COLUMNS, VINTAGE_COLUMNS } from '../../model/standard-tables.ts'
import { LakeError } from '../../model/errors.ts'
import type { Incoming, Input } from '../delta/incoming.ts'
import { checkKeys, forget, receive } from '../delta/incoming.ts'
import { prune } from '../delta/prune.ts'
import { relationSql } from '../delta/relation.ts'
import type { RowCounts, StageContext, Staged } from '../delta/stage.ts'
import { noRows, temporaryName } from '../delta/stage.ts'
import { nullsOf } from '../delta/stats.ts'
import { upsertIncoming } from '../delta/upsert.ts'
import { equalOn, identifier, identifiers, literal } from '../parquet/sql.ts'
import { castColumn } from '../parquet/types.ts'

/** How a source tells versions apart. */
export interface VintageOptions {
  /**
   * True for a source that dates its versions (Tushare's `f_ann_date`): any stored version may be met again.
   * False for one that shows only the present state: what differs from the newest is a restatement.
   */
  readonly dated?: boolean
  /** Open trading days, oldest first. */
  readonly tradingDays: readonly string[]
}

/** One report of one source. */
const GROUP = ['symbol', 'end_date', 'source']
/** The sentinel that sources use for an unknown date. */
const UNKNOWN_DATE = '1900-01-01'
/** Stored within so many days of its notice date, a row was collected live. */
const LIVE_DAYS = 7
/** Rows of one report in one batch; more than a few means that the batch is wrong. */
const ROUNDS_MAX = 100

/** Stages reports: new ones get vintage 1, changed ones the next, unchanged ones nothing. */
export async function stageVintages(
  context: StageContext,
  input: Input,
  options: VintageOptions,
): Promise<Staged> {
  const received = await receive(context, input)
  if (received.rows === 0) return { adds: [], removes: [], counts: noRows }
  const names = { arrival: temporaryName('arrival'), state: temporaryName('state') }
  const calendar = temporaryName('calendar')
  try {
    refuseAssigned(context, received)
    const arrival = await arrive(context, received, names.arrival)
    await loadState(context, names)
    await loadCalendar(context, calendar, options.tradingDays)
    const rounds = await roundCount(context, names.arrival)
    for (let round = 1; round <= rounds; round++)
      await stageRound(context, arrival, names, round, options)
    const changes = await collectChanges(context, names, calendar)
    return await publishChanges(context, changes, received.rows)
  } finally {
    const own = [names.arrival, names.state, calendar].map((name) => ({ name }))
    forget(context.session, received, ...own)
  }
}

function refuseAssigned(context: StageContext, incoming: Incoming): void {
  const column = ASSIGNED_COLUMNS.find((name) => findField(incoming.schema, name))
  if (column === undefined) return
  throw new LakeError(
    'INVALID_ARGUMENT',
    `rows for ${context.table} may not bring the column ${column}`,
    {
      details: { table: context.table, column },
      next: 'Leave it out: versions are numbered and dated when they are stored.',
    },
  )
}

interface Names {
  readonly arrival: string
  readonly state: string
}

/** Names of ours; no measure has them. */
const [PLACE, ROUND, ROUNDS] = ['marketlake_place', 'marketlake_round', 'marketlake_rounds']

/** Incoming rows with defaults, their place among the rows of the same report, and their measures. */
interface Arrival {
  readonly measures: readonly Field[]
}

async function arrive(context: StageContext, incoming: Incoming, name: string): Promise<Arrival> {
  const { session, effects } = context
  const has = (column: string): boolean => findField(incoming.schema, column) !== undefined
  const measures = incoming.schema.fields.filter((f) => !VINTAGE_COLUMNS.includes(f.name))
  const nowText = new Date(effects.now()).toISOString()
  const knownAt = `CAST(${literal(nowText)} AS TIMESTAMPTZ)`
  const columns = [
    'symbol',
    'end_date',
    has('source') ? `coalesce(source, 'file') AS source` : `'file' AS source`,
    has('notice_date')
      ? `nullif(notice_date, DATE '${UNKNOWN_DATE}') AS notice_date`
      : 'CAST(NULL AS DATE) AS notice_date',
    has('known_at') ? `coalesce(known_at, ${knownAt}) AS known_at` : `${knownAt} AS known_at`,
    has('origin') ? 'origin' : 'CAST(NULL AS VARCHAR) AS origin',
    ...measures.map((f) => identifier(f.name)),
  ]
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS
     SELECT *, row_number() OVER (PARTITION BY ${identifiers(GROUP)} ORDER BY notice_date NULLS FIRST, ${PLACE}) AS ${ROUND},
            count(*) OVER (PARTITION BY ${identifiers(GROUP)}) AS ${ROUNDS}
     FROM (SELECT ${columns.join(', ')}, rowid AS ${PLACE} FROM ${identifier(incoming.name)})`,
  )
  const schema = schemaOf(context.snapshot.schema.fields.filter((f) => GROUP.includes(f.name)))
  await checkKeys(context, { name, schema, rows: incoming.rows }, GROUP, 'error').catch(
    (error: unknown) => {
      // Several rows of one report are several versions; only NULL is refused.
      if (!(error instanceof LakeError) || error.code !== 'DUPLICATE_KEY') throw error
    },
  )
  return { measures }
}

/** Stored versions of the reports that came. `state` holds a flag for what the base has and what is new. */
async function loadState(context: StageContext, names: Names): Promise<void> {
  const { session, directory, snapshot } = context
  const bounds = await session.row<{ a: string; b: string; c: string; d: string }>(
    `SELECT min(end_date) AS a, max(end_date) AS b, min(symbol) AS c, max(symbol) AS d
     FROM ${identifier(names.arrival)}`,
  )
  const files = prune(snapshot.files.values(), snapshot.schema, [
    { column: 'end_date', min: bounds.a, max: bounds.b },
    { column: 'symbol', min: bounds.c, max: bounds.d },
  ])
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(names.state)} AS
     SELECT s.*, true AS stored, s.is_latest AS was_latest, s.notice_date AS was_notice, s.visible_date AS was_visible
     FROM (${relationSql(directory, snapshot, files)}) s
     SEMI JOIN ${identifier(names.arrival)} a ON ${equalOn(GROUP, 's', 'a')}`,
  )
}

async function loadCalendar(
  context: StageContext,
  name: string,
  days: readonly string[],
): Promise<void> {
  await context.session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS
     SELECT CAST(unnest(string_split(${literal(days.join(','))}, ',')) AS DATE) AS day`,
  )
}

async function roundCount(context: StageContext, arrival: string): Promise<number> {
  const { n } = await context.session.row<{ n: bigint }>(
    `SELECT max(${ROUND}) AS n FROM ${identifier(arrival)}`,
  )
  if (Number(n) <= ROUNDS_MAX) return Number(n)
  throw new LakeError(
    'DUPLICATE_KEY',
    `one report of ${context.table} comes ${n} times in one batch`,
    {
      details: { table: context.table, count: Number(n) },
      next: 'Remove the repetitions.',
    },
  )
}

/** Takes the next row of each report and appends it to the state unless it says nothing new. */
async function stageRound(
  context: StageContext,
  arrival: Arrival,
  names: Names,
  round: number,
  options: VintageOptions,
): Promise<void> {
  const { session, snapshot } = context
  const rows = `(SELECT * FROM ${identifier(names.arrival)} WHERE ${ROUND} = ${round})`
  const latest = latestSql(names.state)
  const same = sameValues(arrival.measures)
  const stored = (condition: string): string =>
    `EXISTS (SELECT 1 FROM ${identifier(names.state)} k WHERE ${equalOn(GROUP, 'k', 'a')} AND ${condition} AND ${same('k')})`
  // Of several rows of one report only the last is its present state; the others are versions of before.
  const known = options.dated
    ? stored(SAME_DATE)
    : `(CASE WHEN a.${ROUND} = a.${ROUNDS} THEN l.vintage IS NOT NULL AND ${same('l')} ELSE ${stored('true')} END)`
  const columns = snapshot.schema.fields.map(
    (f) => `${newColumn(f, arrival, options)} AS ${identifier(f.name)}`,
  )
  await session.run(
    `INSERT INTO ${identifier(names.state)} BY NAME
     SELECT ${columns.join(', ')}, false AS stored, false AS was_latest,
            CAST(NULL AS DATE) AS was_notice, CAST(NULL AS DATE) AS was_visible
     FROM ${rows} a LEFT JOIN (${latest}) l ON ${equalOn(GROUP, 'l', 'a')}
     WHERE NOT ${known}`,
  )
  await fillNotice(session, names, rows, options.dated ? same('s') : 'true')
}

/** A date that one side does not know says nothing against the other's. */
const SAME_DATE =
  '(k.notice_date = a.notice_date OR k.notice_date IS NULL OR a.notice_date IS NULL)'

/** The newest version of each report, with the highest number and whether the base has any. */
function latestSql(state: string): string {
  const group = identifiers(GROUP)
  return `SELECT *, max(vintage) OVER (PARTITION BY ${group}) AS top,
            bool_or(stored) OVER (PARTITION BY ${group}) AS any_stored,
            max(notice_date) OVER (PARTITION BY ${group}) AS newest_notice
          FROM ${identifier(state)}
          QUALIFY row_number() OVER (PARTITION BY ${group} ORDER BY notice_date DESC NULLS LAST, vintage DESC) = 1`
}

function sameValues(measures: readonly Field[]): (alias: string) => string {
  return (alias) =>
    measures.length === 0
      ? 'true'
      : `(${measures
          .map((f) => `${alias}.${identifier(f.name)} IS NOT DISTINCT FROM a.${identifier(f.name)}`)
          .join(' AND ')})`
}

/** The value of a column in a new version. Columns that the source has not keep the stored value. */
function newColumn(column: Field, arrival: Arrival, options: VintageOptions): string {
  switch (column.name) {
    case 'symbol':
    case 'end_date':
    case 'source':
    case 'known_at':
      return `a.${identifier(column.name)}`
    case 'vintage':
      return 'CAST(coalesce(l.top, 0) + 1 AS INTEGER)'
    case 'notice_date':
      return noticeDate(options)
    case 'visible_date':
      return 'CAST(NULL AS DATE)'
    case 'is_latest':
      return 'false'
    case 'origin':
      return originOf(options)
    default:
      return arrival.measures.some((f) => f.name === column.name)
        ? `a.${identifier(column.name)}`
        : `l.${identifier(column.name)}`
  }
}

const KNOWN_DAY = `CAST(timezone('Asia/Shanghai', a.known_at) AS DATE)`

/**
 * The source's own date of the version. A source that shows only the present state repeats the first notice:
 * unless its date moved on, a later version became known when it was fetched, and never before the one it follows.
 */
function noticeDate(options: VintageOptions): string {
  const fetched = `greatest(${KNOWN_DAY}, l.newest_notice)`
  const own = options.dated
    ? `coalesce(a.notice_date, ${KNOWN_DAY})`
    : `CASE WHEN a.notice_date > l.newest_notice THEN a.notice_date ELSE ${fetched} END`
  return `CASE WHEN l.top IS NULL THEN a.notice_date ELSE ${own} END`
}

/** Live: stored soon after its notice, or found as a change against what was stored before. */
function originOf(options: VintageOptions): string {
  const soon = `${KNOWN_DAY} <= ${noticeDate(options)} + ${LIVE_DAYS}`
  const newer = options.dated ? `a.notice_date > l.newest_notice` : 'true'
  const change = `(l.any_stored AND ${newer})`
  return `coalesce(a.origin, CASE WHEN ${soon} OR ${change} THEN 'live' ELSE 'backfill' END)`
}

/**
 * An unknown notice date may be filled once: in the first version by a source that repeats the first notice,
 * in the version with the same values by one that dates its versions.
 */
async function fillNotice(
  session: StageContext['session'],
  names: Names,
  rows: string,
  filled: string,
): Promise<void> {
  const dated = filled !== 'true'
  await session.run(
    `UPDATE ${identifier(names.state)} s SET notice_date = a.notice_date FROM ${rows} a
     WHERE ${equalOn(GROUP, 's', 'a')} AND s.notice_date IS NULL AND a.notice_date IS NOT NULL
       AND ${dated ? filled : `s.vintage = 1 AND a.${ROUND} = 1`}`,
  )
}

interface Changes {
  readonly name: string
  readonly rows: number
  readonly inserted: number
  readonly restated: number
  readonly filled: number
}

/** New versions, and stored ones whose flag or dates change: all columns, ready to be upserted. */
async function collectChanges(
  context: StageContext,
  names: Names,
  calendar: string,
): Promise<Changes> {
  const { session, snapshot } = context
  const name = temporaryName('vintages')
  const columns = snapshot.schema.fields.map((f) => {
    if (f.name === 'is_latest') return castColumn(f, 'now_latest')
    if (f.name === 'visible_date') return castColumn(f, 'now_visible')
    return castColumn(f)
  })
  await session.run(
    `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS
     SELECT ${columns.join(', ')}, stored, vintage AS number FROM (${flaggedSql(names.state, calendar)})
     WHERE NOT stored OR now_latest IS DISTINCT FROM was_latest
        OR notice_date IS DISTINCT FROM was_notice OR now_visible IS DISTINCT FROM was_visible`,
  )
  const counts = await session.row<Record<'rows' | 'inserted' | 'restated' | 'filled', bigint>>(
    `SELECT count(*) AS rows, count(*) FILTER (NOT stored AND number = 1) AS inserted,
            count(*) FILTER (NOT stored AND number > 1) AS restated,
            count(*) FILTER (stored AND is_latest) AS filled FROM ${identifier(name)}`,
  )
  return {
    name,
    rows: Number(counts.rows),
    inserted: Number(counts.inserted),
    restated: Number(counts.restated),
    filled: Number(counts.filled),
  }
}

/** Visible from the first trading day after the notice; unknown outside the calendar. */
function flaggedSql(state: string, calendar: string): string {
  const cal = identifier(calendar)
  return `SELECT s.*,
      row_number() OVER (PARTITION BY ${identifiers(GROUP, 's')}
        ORDER BY s.notice_date DESC NULLS LAST, s.vintage DESC) = 1 AS now_latest,
      coalesce(s.was_visible, CASE WHEN s.notice_date >= (SELECT min(day) FROM ${cal}) THEN c.day END) AS now_visible
    FROM ${identifier(state)} s ASOF LEFT JOIN (SELECT * FROM ${cal} ORDER BY day) c ON s.notice_date < c.day`
}

async function publishChanges(
  context: StageContext,
  changes: Changes,
  arrived: number,
): Promise<Staged> {
  const changed = changes.inserted + changes.restated
  const counts: RowCounts = {
    inserted: changes.inserted,
    updated: changes.restated + changes.filled,
    deleted: 0,
    unchanged: Math.max(0, arrived - changed - changes.filled),
  }
  try {
    if (changes.rows === 0) return { adds: [], removes: [], counts }
    await context.session.run(
      `ALTER TABLE ${identifier(changes.name)} DROP COLUMN stored;
       ALTER TABLE ${identifier(changes.name)} DROP COLUMN number`,
    )
    const { name, rows } = changes
    const staged = await upsertIncoming(context, { name, rows, schema: context.snapshot.schema })
    return { ...staged, counts }
  } finally {
    forget(context.session, changes)
  }
}

/** Stages visible dates that are still open although the notice is known and the calendar reaches it now. */
export async function stageVisibleDates(
  context: StageContext,
  tradingDays: readonly string[],
): Promise<Staged> {
  const { session, directory, snapshot, shape } = context
  const open = [...snapshot.files.values()].filter((file) => nullsOf(file, 'visible_date') !== 0)
  if (open.length === 0) return { adds: [], removes: [], counts: noRows }
  const calendar = temporaryName('calendar')
  const name = temporaryName('visible')
  await loadCalendar(context, calendar, tradingDays)
  const cal = identifier(calendar)
  try {
    await session.run(
      `CREATE OR REPLACE TEMP TABLE ${identifier(name)} AS
       SELECT ${identifiers(shape.key, 's')}, c.day AS visible_date
       FROM (SELECT * FROM (${relationSql(directory, snapshot, open)})
             WHERE visible_date IS NULL AND notice_date >= (SELECT min(day) FROM ${cal})) s
       ASOF JOIN (SELECT * FROM ${cal} ORDER BY day) c ON s.notice_date < c.day`,
    )
    const { n } = await session.row<{ n: bigint }>(`SELECT count(*) AS n FROM ${identifier(name)}`)
    if (n === 0n) return { adds: [], removes: [], counts: noRows }
    const wanted = new Set([...shape.key, 'visible_date'])
    const schema = schemaOf(snapshot.schema.fields.filter((f) => wanted.has(f.name)))
    return await upsertIncoming(context, { name, schema, rows: Number(n) })
  } finally {
    forget(session, { name: calendar })
    forget(session, { name })
  }
}
