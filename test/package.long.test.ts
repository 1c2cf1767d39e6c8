/** The package as it is published: installed from its tarball into an empty folder, used from the shell and from TypeScript. */
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { temporaryDirectory } from './support/temporary.ts'

const folder = temporaryDirectory()

beforeAll(() => {
  const packed = execFileSync(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  )
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }]
  writeFileSync(join(folder, 'package.json'), '{"name":"user","private":true,"type":"module"}')
  const install = ['install', '--prefer-offline', '--no-audit', '--no-fund', join(folder, filename)]
  execFileSync('npm', install, { cwd: folder, stdio: 'ignore' })
})

test('nothing in the runtime tree has an install script', () => {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { hasInstallScript?: boolean }>
  }
  const scripted = Object.entries(lock.packages).filter(([, p]) => p.hasInstallScript)
  expect(scripted.map(([name]) => name)).toEqual([])
  expect(Object.keys(lock.packages).length).toBeGreaterThan(3)
})

test('the command runs its demo', () => {
  const args = ['marketlake', 'demo', '--seconds', '2', '--symbols', '50', '--json']
  const { stdout, status, stderr } = spawnSync('npx', args, { cwd: folder, encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  const figures = JSON.parse(stdout) as Record<string, unknown>
  expect(figures).toMatchObject({ readerErrors: 0, tornReads: 0 })
  expect(figures['commits']).toBeGreaterThan(0)
  expect(figures['queries']).toBeGreaterThan(0)
})

test('both entry points have types that a strict project accepts', () => {
  const source = `import { openLake, LakeError, type Lake, type LakeOutcome } from 'marketlake'
import { DeltaTable, type Snapshot } from 'marketlake/delta'
export async function use(lake: Lake): Promise<number> {
  const outcome: LakeOutcome = await lake.write('note', async (tx) => {
    await tx.upsert('indicators', [{ symbol: '600519.SH', end_date: '2024-12-31', source: 'file' }])
  })
  const engine = await lake.analysis({ at: outcome.kind === 'committed' ? outcome.version : 0 })
  const rows = await engine.query<{ n: bigint }>('SELECT count(*) AS n FROM fin_indicators')
  const table = await DeltaTable.open('x')
  const snapshot: Snapshot = table.snapshot
  if (outcome.kind === 'conflict') throw new LakeError('WRITE_CONFLICT', outcome.reason)
  // @ts-expect-error a lake has no such method
  lake.nothing()
  return Number(rows[0]!.n) + snapshot.version
}
export const lake: Promise<Lake> = openLake('data')
`
  writeFileSync(join(folder, 'use.ts'), source)
  const config = {
    compilerOptions: {
      module: 'nodenext',
      target: 'es2022',
      lib: ['es2023'],
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      types: ['node'],
      typeRoots: [resolve('node_modules/@types')],
    },
    files: ['use.ts'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  const { stdout, status } = spawnSync(resolve('node_modules/.bin/tsc'), ['-p', folder], {
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
})

test('what is imported is what is exported', () => {
  const script = `const a = await import('marketlake'); const b = await import('marketlake/delta')
  console.log(typeof a.openLake, typeof a.ParquetStore, typeof a.AnalysisEngine, typeof b.DeltaTable)`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect(stdout).toBe('function function function function\n')
})
