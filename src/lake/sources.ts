/** The sources by their names, with the settings of lake.toml. */
import type { Collector } from '../ingestion/collector.ts'
import { eastmoneyF10Collector } from '../ingestion/eastmoney-f10.ts'
import { eastmoneyCollector } from '../ingestion/eastmoney.ts'
import type { SourceSettings } from '../ingestion/http.ts'
import { sinaCollector } from '../ingestion/sina.ts'
import type { SyncSource } from '../ingestion/sync-options.ts'
import { tencentCollector } from '../ingestion/tencent.ts'
import { tushareCollector } from '../ingestion/tushare.ts'
import { LakeError } from '../model/errors.ts'
import type { LakeConfig } from './config.ts'
import { filesCollector } from './files-collector.ts'
import type { Lake } from './lake.ts'

type Build = (sources: LakeConfig['sources'], lake: Lake) => SyncSource

/** Collectors by the name that users give them. */
const SOURCES: Readonly<Record<string, Build>> = {
  eastmoney: ({ eastmoney }) => withSettings(eastmoneyCollector, eastmoney),
  eastmoney_f10: ({ eastmoney }) => withSettings(eastmoneyF10Collector, eastmoney),
  tushare: ({ tushare }) => withSettings(tushareCollector, tushare),
  sina: ({ sina }) => withSettings(sinaCollector, sina),
  tencent: ({ tencent, sina }) => withSettings((own) => tencentCollector(own, sina), tencent),
  files: ({ files }, lake) => ({ collector: filesCollector(lake, files), settings: NO_HOST }),
}

/** A collector of one's own paces itself like the others unless it asks nobody. */
const OWN: SourceSettings = { baseUrl: '', paceMs: 300, concurrency: 1, token: '' }
const NO_HOST: SourceSettings = { ...OWN, paceMs: 0 }

/** The names of the sources. */
export const SOURCE_NAMES: readonly string[] = Object.keys(SOURCES)

/** A source by its name, or a collector of one's own. */
export function sourceOf(lake: Lake, source: string | Collector): SyncSource {
  if (typeof source !== 'string') return { collector: source, settings: OWN }
  const build = SOURCES[source]
  if (build && Object.hasOwn(SOURCES, source)) return build(lake.config.sources, lake)
  throw new LakeError('INVALID_ARGUMENT', `unknown source: ${source}`, {
    details: { source },
    next: `Sources are: ${SOURCE_NAMES.join(', ')}.`,
  })
}

/** Refuses a table that none of the sources fills, and names those that do. A source without a list takes any. */
export function checkTables(
  lake: Lake,
  sources: readonly SyncSource[],
  tables: readonly string[],
): void {
  const fills = (collector: Collector, table: string): boolean =>
    collector.tables.length === 0 || collector.tables.includes(table)
  const missing = tables.find((table) => !sources.some((s) => fills(s.collector, table)))
  if (missing === undefined) return
  const others = SOURCE_NAMES.filter((name) =>
    sourceOf(lake, name).collector.tables.includes(missing),
  )
  const names = sources.map((s) => s.collector.source).join(', ')
  throw new LakeError('INVALID_ARGUMENT', `${names} has no table ${missing}`, {
    details: { table: missing, sources: sources.map((s) => s.collector.source), others },
    next:
      others.length > 0
        ? `These sources have it: ${others.join(', ')}.`
        : `Tables are: ${[...new Set(sources.flatMap((s) => s.collector.tables))].join(', ')}.`,
  })
}

function withSettings(
  build: (settings: SourceSettings) => Collector,
  settings: SourceSettings,
): SyncSource {
  return { collector: build(settings), settings }
}
