/** A table of very many files: each holds one row under a key of its own, written here byte by byte from one model file. */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadInner } from './package.mjs'
import { must, open, queried } from './limits-lake.mjs'

const MODEL = 'K000000'
const keyOf = (i) => `K${String(i).padStart(6, '0')}`

/** The operations. */
export function filesOperations(optimized) {
  return {
    'lay the files (not of marketlake), and commit them at once': ({ api, root, sizes }) =>
      open(api, root, (lake) => layFiles(api, lake, sizes.files)),
    'open and count': ({ api, root }) =>
      open(api, root, (lake) => queried(lake, 'SELECT count(*) AS n FROM many')),
    'open and read one key': ({ api, root, sizes }) =>
      open(api, root, (lake) =>
        queried(lake, `SELECT count(*) AS n FROM many WHERE symbol = '${keyOf(sizes.files >> 1)}'`),
      ),
    'read every row': ({ api, root }) =>
      open(api, root, (lake) =>
        queried(lake, 'SELECT count(DISTINCT symbol) AS n, sum(n)::BIGINT AS s FROM many'),
      ),
    'upsert of one stored key': ({ api, root, sizes }) =>
      open(api, root, (lake) => upsert(lake, keyOf(sizes.files >> 1))),
    'upsert of one new key': ({ api, root }) => open(api, root, (lake) => upsert(lake, 'Z')),
    'upserts up to the next checkpoint, with it': ({ api, root }) =>
      open(api, root, async (lake) => {
        let commits = 0
        for (; (await lake.head()).tables.many.version % 20 !== 0; commits++)
          await upsert(lake, `Z${commits}`)
        return `${commits} commits`
      }),
    'open and read one key, from the checkpoint': ({ api, root, sizes }) =>
      open(api, root, (lake) =>
        queried(lake, `SELECT count(*) AS n FROM many WHERE symbol = '${keyOf(sizes.files >> 1)}'`),
      ),
    tables: ({ api, root }) =>
      open(api, root, async (lake) => `${(await lake.tables())[0].files} files`),
    'publish analysis.duckdb': ({ api, root }) =>
      open(api, root, async (lake) => `${(await lake.publishViews()).views} views`),
    verify: ({ api, root }) =>
      open(api, root, async (lake) => `${(await lake.verify()).length} problems`),
    optimize: ({ api, root }) => open(api, root, optimized('many')),
    vacuum: ({ api, root }) =>
      open(
        api,
        root,
        async (lake) => `${(await lake.vacuum({ apply: true })).files} files deleted`,
      ),
    'read every row after that': ({ api, root }) =>
      open(api, root, (lake) =>
        queried(lake, 'SELECT count(DISTINCT symbol) AS n, sum(n)::BIGINT AS s FROM many'),
      ),
    'verify --deep after that': ({ api, root }) =>
      open(api, root, async (lake) => `${(await lake.verify({ deep: true })).length} problems`),
  }
}

const upsert = (lake, symbol) =>
  must(lake.write(symbol, (tx) => tx.upsert('many', [{ symbol, n: 2 }]).then(() => undefined)))

/** One real commit gives the model: a file, and what its action says; all others differ in the key alone. */
async function layFiles(api, lake, count) {
  await must(
    lake.write('model', async (tx) => {
      const schema = api.schemaOf([api.field('symbol', 'string'), api.field('n', 'long')])
      await tx.ensure({ name: 'many', schema, key: ['symbol'], clustering: ['symbol'] })
      await tx.append('many', [{ symbol: MODEL, n: 1 }])
    }),
  )
  const directory = join(lake.root, (await lake.head()).tables.many.path)
  const [model] = (await api.loadSnapshot(api.localFiles, directory)).files.values()
  const content = readFileSync(join(directory, model.path))
  await must(
    lake.write('files', (tx) =>
      tx
        .apply('many', {
          mode: 'append',
          stage: async () => {
            const adds = Array.from({ length: count - 1 }, (_, i) =>
              layFile(directory, model, content, keyOf(i + 1)),
            )
            const counts = { inserted: adds.length, updated: 0, deleted: 0, unchanged: 0 }
            return { adds, removes: [], counts }
          },
        })
        .then(() => undefined),
    ),
  )
  return `${count} files`
}

function layFile(directory, model, content, key) {
  const bytes = Buffer.from(content)
  for (let at = bytes.indexOf(MODEL); at >= 0; at = bytes.indexOf(MODEL, at + 1))
    bytes.write(key, at)
  const path = `${crypto.randomUUID()}.parquet`
  writeFileSync(join(directory, path), bytes)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const tags = { ...model.tags, [HASH_TAG]: sha256 }
  return { ...model, path, tags, stats: model.stats.replaceAll(MODEL, key) }
}

const { HASH_TAG } = await loadInner('storage/delta/relation.js')
