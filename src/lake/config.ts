/** Settings of a lake: options, environment and lake.toml, in this order, with their defaults. */
import { join } from 'node:path'
import { parseDuration } from '../model/duration.ts'
import { LakeError, messageOf } from '../model/errors.ts'
import { LAYOUTS } from '../model/table.ts'
import type { Layout } from '../model/table.ts'
import type { Files } from '../storage/files/files.ts'
import type { Retention } from '../storage/lake/store.ts'

/** The name of the settings file in a lake. */
export const CONFIG_FILE = 'lake.toml'

/** Settings of one collector. */
export interface SourceConfig {
  /** Scheme, host and port of every request of the family; empty: the real hosts. */
  readonly baseUrl: string
  readonly paceMs: number
  readonly concurrency: number
  readonly token: string
}

/** Settings of the folder from which files are taken. */
export interface FilesConfig {
  /** Beside the lake or absolute; empty: none. */
  readonly folder: string
  /** Keys of tables that the lake has not yet: `signals: symbol, trade_date`. */
  readonly keys: readonly string[]
  /** Zone of timestamps that have none, or `ntz`. */
  readonly timezone: string
}

/** All settings. */
export interface LakeConfig {
  readonly retention: Retention
  readonly maintenance: { readonly auto: boolean; readonly maxSeconds: number }
  /** How new tables are laid out; tables that are there keep their own layout. */
  readonly tables: { readonly layout: Layout }
  readonly limits: { readonly memory: string; readonly threads: number }
  readonly sources: {
    readonly prefer: readonly string[]
    readonly eastmoney: SourceConfig
    readonly tushare: SourceConfig
    readonly sina: SourceConfig
    readonly tencent: SourceConfig
    readonly files: FilesConfig
  }
  /** `lake`, `duckdb`, or empty: what the lake record says. */
  readonly read: { readonly source: string }
}

/** A setting with its value and where it came from. */
export interface ConfigEntry {
  readonly key: string
  readonly value: Setting
  readonly origin: 'default' | 'lake.toml' | 'environment'
}

type Setting = string | number | boolean | readonly string[]
type Environment = Readonly<Record<string, string | undefined>>

const DEFAULTS: Readonly<Record<string, Setting>> = {
  'retention.versions': '30 days',
  'retention.files': '7 days',
  'retention.staged': '24 hours',
  'maintenance.auto': true,
  'maintenance.max_seconds': 60,
  'tables.layout': 'clustered',
  'limits.memory': '1GB',
  'limits.threads': 0,
  'sources.prefer': ['eastmoney', 'tushare', 'file'],
  'sources.eastmoney.base_url': '',
  'sources.eastmoney.pace_ms': 300,
  'sources.eastmoney.concurrency': 1,
  'sources.tushare.base_url': '',
  'sources.tushare.pace_ms': 150,
  'sources.tushare.concurrency': 1,
  'sources.tushare.token': '',
  'sources.sina.base_url': '',
  'sources.sina.pace_ms': 300,
  'sources.sina.concurrency': 1,
  'sources.tencent.base_url': '',
  'sources.tencent.pace_ms': 300,
  'sources.tencent.concurrency': 1,
  'sources.files.folder': '',
  'sources.files.keys': [],
  'sources.files.timezone': '',
  'read.source': '',
}

const ENVIRONMENT: Readonly<Record<string, string>> = {
  'sources.eastmoney.base_url': 'MARKETLAKE_EASTMONEY_URL',
  'sources.tushare.base_url': 'MARKETLAKE_TUSHARE_URL',
  'sources.sina.base_url': 'MARKETLAKE_SINA_URL',
  'sources.tencent.base_url': 'MARKETLAKE_TENCENT_URL',
  'sources.tushare.token': 'TUSHARE_TOKEN',
}

/** Settings that are one word of a few. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  'tables.layout': LAYOUTS,
  'read.source': ['lake', 'duckdb', ''],
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0
const isAmount = (value: unknown): boolean => Number.isFinite(value) && Number(value) >= 0
const isMemory = (value: unknown): boolean =>
  /^\s*\d+(\.\d+)?\s*([kmgt](i?b)?|b|bytes?)\s*$/i.test(String(value))
const isAddress = (value: unknown): boolean =>
  value === '' || (URL.canParse(String(value)) && /^https?:/i.test(String(value)))

/** What a value must be besides its type, by the last word of its key: one that is wrong fails here and not in an engine. */
const FORMS: Readonly<Record<string, (value: unknown) => boolean>> = {
  versions: isDuration,
  files: isDuration,
  staged: isDuration,
  max_seconds: isAmount,
  pace_ms: isAmount,
  threads: isCount,
  concurrency: isCount,
  memory: isMemory,
  base_url: isAddress,
}

function isDuration(value: unknown): boolean {
  try {
    return parseDuration(String(value)) >= 0
  } catch {
    return false
  }
}

/** Settings that are never printed. */
const SECRETS = new Set(['sources.tushare.token'])

/** Reads the settings of a lake. An unknown key or a wrong type is an error that names it. */
export async function readConfig(
  files: Files,
  root: string,
  environment: Environment = process.env,
): Promise<LakeConfig> {
  return configOf(
    new Map((await configEntries(files, root, environment)).map((e) => [e.key, e.value])),
  )
}

/** Every setting with its origin; secrets are shown as `***`. */
export async function shownConfig(
  files: Files,
  root: string,
  environment: Environment = process.env,
): Promise<ConfigEntry[]> {
  const entries = await configEntries(files, root, environment)
  return entries.map((e) => (SECRETS.has(e.key) && e.value !== '' ? { ...e, value: '***' } : e))
}

async function configEntries(
  files: Files,
  root: string,
  environment: Environment,
): Promise<ConfigEntry[]> {
  const path = join(root, CONFIG_FILE)
  const content = await files.read(path)
  const written = content ? await parseToml(content, path) : new Map<string, unknown>()
  for (const [key, value] of written) checkSetting(path, key, value)
  return Object.entries(DEFAULTS).map(([key, value]): ConfigEntry => {
    const name = ENVIRONMENT[key]
    const fromEnvironment = name === undefined ? undefined : environment[name]
    if (fromEnvironment) {
      checkSetting(name!, key, fromEnvironment)
      return { key, value: fromEnvironment, origin: 'environment' }
    }
    const found = written.get(key) as Setting | undefined
    return found === undefined
      ? { key, value, origin: 'default' }
      : { key, value: found, origin: 'lake.toml' }
  })
}

async function parseToml(content: Uint8Array, path: string): Promise<Map<string, unknown>> {
  const { parse } = await import('smol-toml')
  try {
    return flatten(parse(new TextDecoder().decode(content)), '')
  } catch (cause) {
    throw new LakeError('INVALID_CONFIG', `${path}: ${messageOf(cause)}`, {
      details: { path },
      cause,
      next: 'Correct the line, or delete the file to go back to the defaults.',
    })
  }
}

function flatten(node: Readonly<Record<string, unknown>>, prefix: string): Map<string, unknown> {
  const entries = Object.entries(node).flatMap(([name, value]): [string, unknown][] => {
    const key = prefix + name
    const table = typeof value === 'object' && value !== null && !Array.isArray(value)
    return table && !(value instanceof Date)
      ? [...flatten(value as Readonly<Record<string, unknown>>, `${key}.`)]
      : [[key, value]]
  })
  return new Map(entries)
}

function checkSetting(path: string, key: string, value: unknown): void {
  const expected = DEFAULTS[key]
  if (expected === undefined) {
    const near = Object.keys(DEFAULTS).filter((known) => known.split('.')[0] === key.split('.')[0])
    throw new LakeError('INVALID_CONFIG', `${path}: unknown setting ${key}`, {
      details: { path, key },
      next: near.length > 0 ? `Known here: ${near.join(', ')}.` : 'See the list in the README.',
    })
  }
  const fits = Array.isArray(expected)
    ? Array.isArray(value) && value.every((item) => typeof item === 'string')
    : typeof value === typeof expected
  const choices = CHOICES[key]
  const form = FORMS[key.split('.').at(-1)!] ?? (() => true)
  if (fits && form(value) && (choices === undefined || choices.includes(String(value)))) return
  const example = form === isAddress ? 'http://127.0.0.1:8080' : expected
  throw new LakeError(
    'INVALID_CONFIG',
    `${path}: ${key} must ${choices ? `be one of ${choices.map((choice) => choice || 'empty').join(', ')}` : `look like ${JSON.stringify(example)}`}`,
    {
      details: { path, key, found: typeof value, ...(fits && { value }) },
      next: 'Correct the value, or delete the line.',
    },
  )
}

function configOf(values: ReadonlyMap<string, Setting>): LakeConfig {
  const text = (key: string): string => String(values.get(key))
  const number = (key: string): number => Number(values.get(key))
  const source = (name: string): SourceConfig => ({
    baseUrl: text(`sources.${name}.base_url`),
    paceMs: number(`sources.${name}.pace_ms`),
    concurrency: number(`sources.${name}.concurrency`),
    token: String(values.get(`sources.${name}.token`) ?? ''),
  })
  return {
    retention: {
      versionsMs: parseDuration(text('retention.versions')),
      filesMs: parseDuration(text('retention.files')),
      stagedMs: parseDuration(text('retention.staged')),
    },
    maintenance: {
      auto: values.get('maintenance.auto') === true,
      maxSeconds: number('maintenance.max_seconds'),
    },
    tables: { layout: text('tables.layout') as Layout },
    limits: { memory: text('limits.memory'), threads: number('limits.threads') },
    sources: {
      prefer: values.get('sources.prefer') as readonly string[],
      eastmoney: source('eastmoney'),
      tushare: source('tushare'),
      sina: source('sina'),
      tencent: source('tencent'),
      files: {
        folder: text('sources.files.folder'),
        keys: values.get('sources.files.keys') as readonly string[],
        timezone: text('sources.files.timezone'),
      },
    },
    read: { source: text('read.source') },
  }
}
