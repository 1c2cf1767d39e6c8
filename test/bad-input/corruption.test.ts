/**
 * Random damage to any file of a lake, read with `verify --deep`: never a crash, a hang or a silently wrong answer.
 * `npm run torture:corrupt` does ten thousand; MARKETLAKE_SEED makes a run again.
 */
import { beforeAll, expect, test } from 'vitest'
import { field, schemaOf } from '../../src/index.ts'
import { contentOf, problemsOf, targets, tryDamage } from '../support/corruption.ts'
import type { Verdict } from '../support/corruption.ts'
import { newLake } from '../support/lake.ts'
import { seeded } from '../support/scheduler.ts'

const COUNT = Number(process.env['MARKETLAKE_CORRUPTIONS'] ?? 15)
const SEED = Number(process.env['MARKETLAKE_SEED'] ?? 1)

let root: string
beforeAll(async () => {
  const lake = await newLake()
  for (const table of Object.keys((await lake.head()).tables)) await lake.drop(table)
  const schema = schemaOf([field('k', 'long'), field('v', 'double'), field('t', 'string')])
  for (let i = 0; i < 23; i++) {
    await lake.write(`w${String(i)}`, async (tx) => {
      await tx.ensure({ name: 'a', schema, key: ['k'] })
      const row = (k: number): Record<string, unknown> => ({ k, v: k / 3, t: `text ${String(i)}` })
      await tx.upsert('a', Array.from({ length: 40 }, (_, n) => row((i % 4) * 40 + n)) as never)
    })
  }
  await lake.close()
  root = lake.root
})

test('is refused, found, or harmless', async () => {
  const chance = seeded(SEED)
  expect(await problemsOf(root)).toEqual([])
  const expected = await contentOf(root)
  const files = targets(root)
  const bad: string[] = []
  const verdicts = new Map<Verdict, number>()
  for (let i = 0; i < COUNT; i++) {
    const path = files[Math.floor(chance() * files.length)]!
    const verdict = await tryDamage(root, path, chance, expected)
    verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1)
    if (!['same', 'refused', 'found'].includes(verdict)) {
      bad.push(`number ${String(i)}: ${path} ${verdict}`)
      process.stdout.write(`${bad.at(-1)!}\n`)
    }
    if (i % 500 === 499)
      process.stdout.write(`${String(i + 1)}: ${JSON.stringify([...verdicts])}\n`)
  }
  process.stdout.write(`seed ${String(SEED)}: ${JSON.stringify([...verdicts])}\n`)
  expect(bad).toEqual([])
  expect(verdicts.get('found') ?? 0).toBeGreaterThan(0)
  expect(await contentOf(root)).toBe(expected)
})
