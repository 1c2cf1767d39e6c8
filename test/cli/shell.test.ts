/** The shell: statements and commands, piped and on a terminal; completion; plots. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { beforeAll, describe, expect, test } from 'vitest'
import type { AnalysisEngine } from '../../src/analysis/engine.ts'
import { plotText } from '../../src/cli/plot.ts'
import { fileHistory, historyPath } from '../../src/cli/shell/history.ts'
import type { ShellSession } from '../../src/cli/shell/session.ts'
import { openSession } from '../../src/cli/shell/session.ts'
import { splitStatements } from '../../src/cli/shell/statements.ts'
import { runTerminal } from '../../src/cli/shell/terminal.ts'
import type { Lake } from '../../src/lake/lake.ts'
import { marketlake } from '../support/command.ts'
import { committed, newLake } from '../support/lake.ts'
import { temporaryDirectory } from '../support/temporary.ts'

let lake: Lake
let first: number
beforeAll(async () => {
  lake = await newLake()
  const bar = { symbol: '600519.SH', trade_date: '2024-01-02', close: 1685 }
  first = committed(await lake.write('one', async (tx) => void (await tx.upsert('daily', [bar]))))
  const next = { ...bar, trade_date: '2024-01-03', close: 1694 }
  await lake.write('two', async (tx) => void (await tx.upsert('daily', [next])))
})

const never = new AbortController().signal

/** A session, and what it wrote so far. */
async function session(): Promise<{ shell: ShellSession; written: () => string }> {
  let text = ''
  const shell = await openSession({
    lake,
    write: async (part) => void (text += part),
    say: (words) => void (text += `(${words})\n`),
  })
  return {
    shell,
    written: () => {
      const all = text
      text = ''
      return all
    },
  }
}

describe('a session', () => {
  test('moves to a version and to a date and back, and prints in the form of its mode', async () => {
    const { shell, written } = await session()
    const say = async (input: string): Promise<string> => {
      await shell.run(input, never)
      return written()
    }
    const count = 'SELECT count(*) AS n FROM daily'
    await shell.run('.mode csv', never)
    expect(await say(count)).toBe('n\n2\n')
    expect(await say(`.at ${first}`)).toBe(`(version ${first})\n`)
    expect([shell.prompt(), await say(count)]).toEqual([`lake @${first}> `, 'n\n1\n'])
    await shell.run('.at', never)
    expect(await say('.asof 2024-01-02')).toContain('as of 2024-01-02')
    expect([shell.prompt(), await say(count)]).toEqual(['lake as of 2024-01-02> ', 'n\n1\n'])
    await shell.run('.asof', never)
    expect(await say('.asof')).toContain(`version ${first + 1}`)
    await shell.run('.mode markdown', never)
    expect(await say(count)).toBe('| n |\n| ---: |\n| 2 |\n')
    await shell.run('.mode json', never)
    expect(JSON.parse(await say('SELECT range AS i FROM range(3000)'))).toHaveLength(3000)
    expect(JSON.parse(await say('SELECT 1 WHERE false'))).toEqual([])
    await shell.run('.mode plot', never)
    expect(await say('SELECT trade_date, close FROM daily ORDER BY 1')).toContain('2024-01-02')
    await shell.close()
  })

  test('shows tables with Chinese words, a schema with units, and the first thousand rows of many', async () => {
    const { shell, written } = await session()
    await shell.run('.tables fin_ttm', never)
    expect(written()).toContain('滚动十二个月数据')
    await shell.run('.schema daily', never)
    expect(written()).toMatch(/close +double +收盘价 +元/)
    await shell.run('.schema valuation', never)
    expect(written()).toMatch(/pe_ttm +DOUBLE/)
    await shell.run('SELECT * FROM range(5000)', never)
    expect(written()).toContain('(only the first 1,000 rows')
    await shell.run('.help', never)
    expect(written()).toContain('.asof [DATE]')
    expect(await shell.run('.exit', never)).toBe(false)
    await shell.close()
  })

  test.each([
    ['.nope', 'INVALID_ARGUMENT'],
    ['.mode nice', 'INVALID_ARGUMENT'],
    ['.schema', 'INVALID_ARGUMENT'],
    ['.schema nothing', 'SQL_ERROR'],
    ['.at 999', 'VERSION_NOT_FOUND'],
    ['.asof tomorrow', 'INVALID_ARGUMENT'],
    ['DROP VIEW daily', 'QUERY_NOT_READ_ONLY'],
  ])('%s is an error, and the session goes on', async (input, code) => {
    const { shell, written } = await session()
    await expect(shell.run(input, never)).rejects.toMatchObject({ code })
    await shell.run('SELECT 1 AS a', never)
    expect(written()).toContain('1')
    await shell.close()
  })
})

test.each([
  ['select 1; select 2', ['select 1'], ' select 2'],
  [`select ';' as a, "b;" ; x`, [`select ';' as a, "b;"`], ' x'],
  ["select 'it''s;' -- ;\n; /* ; */ y", ["select 'it''s;' -- ;"], ' /* ; */ y'],
  ['select $$;$$, $a$;$$;$a$;', ['select $$;$$, $a$;$$;$a$'], ''],
  ["select 'open;", [], "select 'open;"],
  ['-- only words ;\n;;  ', [], ''],
])('%j splits at its semicolons', (text, statements, rest) => {
  expect(splitStatements(text)).toEqual({ statements, rest })
})

describe('on a terminal', () => {
  /** Types keys into a terminal, each when the one before has been answered by what it waits for. */
  async function typed(
    steps: readonly (readonly [keys: string, until: RegExp])[],
  ): Promise<string> {
    const { shell, written } = await session()
    const input = new PassThrough()
    const output = new PassThrough()
    let seen = ''
    let all = ''
    output.on('data', (data: Buffer) => (seen += data.toString()))
    const history = fileHistory(join(temporaryDirectory(), 'state', 'history'))
    const errors: unknown[] = []
    const report = async (error: unknown): Promise<void> => void errors.push(error)
    const done = runTerminal(shell, { input, output, history, report })
    for (const [keys, until] of steps) {
      input.write(keys)
      const text = (): string => `${seen}${(all += written())}${errors.map(String).join('\n')}`
      await expect.poll(text, { timeout: 20_000, interval: 10 }).toMatch(until)
    }
    input.write('\x03')
    input.write('\x04')
    await done
    await shell.close()
    return `${seen}\n${(await history.load()).join('\n')}`
  }

  test('a statement over two lines runs, Ctrl-C ends what runs and not the shell, and all of it is remembered', async () => {
    const long = 'select sum(a.range * b.range) from range(1000000) a, range(1000000) b;'
    const seen = await typed([
      ['select 40 +\r', /\.\.\. /],
      ['2 as answer;\r', /─\n +42\n/],
      [`${long}\r`, /range\(1000000\) b;/],
      ['\x03', /the statement was cancelled/],
      ['select 7 as seven;\r', /─\n +7\n/],
      ['not done\x03', /\^C/],
      ['.mode csv\r', /mode csv/],
    ])
    expect(seen).toContain('lake> ')
    expect(seen).toContain('select 40 + 2 as answer;')
    expect(seen.split('\n').at(-1)).toBe('select 40 + 2 as answer;')
  })

  test('the tabulator completes relations, columns and commands', async () => {
    const seen = await typed([
      ['.tim\t', /\.timer/],
      [' on\r', /timer on[^]*lake> .*$/],
      ['select * from fin_bal\t', /ance_sheet/],
      ['\t', /fin_balance_sheet_asof/],
    ])
    expect(seen).toContain('fin_balance_sheet_all')
  })
})

describe('completion', () => {
  let engine: AnalysisEngine
  beforeAll(async () => {
    engine = await lake.analysis()
  })
  const words = async (text: string): Promise<string[]> =>
    (await engine.complete(text)).map(({ word }) => word)

  test('knows relations, macros, columns, schemas and keywords', async () => {
    expect(await words('SELECT * FROM fin_indi')).toEqual(
      expect.arrayContaining(['fin_indicators', 'fin_indicators_all', 'fin_indicators_asof']),
    )
    expect(await words('SELECT roe_w')).toContain('roe_waa')
    expect(await words('SEL')).toContain('SELECT')
    expect(await words('SELECT daily.clo')).toEqual(['close'])
    expect(await words('SELECT * FROM meta.fre')).toEqual(['freshness'])
  })

  test('never tells names of files', async () => {
    for (const text of [
      "SELECT * FROM '/",
      "SELECT * FROM '/et",
      "FROM read_csv('/",
      "COPY daily TO '/",
    ]) {
      expect(await words(text), text).toEqual([])
    }
    await engine.close()
  })
})

describe('plots', () => {
  const grid = (
    types: readonly string[],
    rows: readonly (readonly (number | string | bigint | null)[])[],
  ) => ({
    columns: types.map((type, i) => ({ name: `列${String(i)}`, type })),
    rows,
  })

  test('one series is a chart with its bounds and ends, many a line of bars each', () => {
    const rows = Array.from({ length: 200 }, (_, i) => [`d${String(i)}`, Math.sin(i / 20)] as const)
    const chart = plotText(grid(['VARCHAR', 'DOUBLE'], rows), 60)!
    expect(chart.split('\n')).toHaveLength(13)
    expect(chart).toMatch(/ 0.999992 ┤/)
    expect(chart).toMatch(/d0 +d199\n$/)
    const many = plotText(
      grid(
        ['BIGINT', 'INTEGER'],
        [
          [1n, 5],
          [2n, 5],
          [3n, null],
        ],
      ),
      60,
    )!
    expect(many).toBe('列0  ▁▁▁▁▅▅▅▅████  1 … 3\n列1  ▅▅▅▅▅▅▅▅      5 … 5\n')
  })

  test('gaps stay empty, and without a number there is nothing to draw', () => {
    expect(plotText(grid(['DOUBLE'], [[1], [null], [Number.NaN], [2]]), 40)).toContain('    ')
    expect(plotText(grid(['VARCHAR'], [['a']]), 40)).toBeUndefined()
    expect(plotText(grid(['DOUBLE'], [[null]]), 40)).toBeUndefined()
    expect(plotText(grid(['DOUBLE'], []), 40)).toBeUndefined()
  })
})

describe('the command', () => {
  const env = { MARKETLAKE_HISTORY: join(temporaryDirectory(), 'history') }

  test('runs what is piped in and stops at the first error, with its exit code', async () => {
    const input = '.mode csv\nSELECT count(*) AS n\nFROM daily;\n.at 999\nSELECT 8;'
    const { code, stdout, stderr } = await marketlake(['--lake', lake.root, 'shell'], {
      env,
      input,
    })
    expect([code, stdout]).toEqual([1, 'n\n2\n'])
    expect(stderr).toContain('999')
  })

  test('Ctrl-C ends a query with 130', async () => {
    const args = ['dist/cli/main.js', '--lake', lake.root, 'query', '-f', 'csv']
    const child = spawn(process.execPath, [...args, 'SELECT * FROM range(1000000000000)'])
    child.stdout.once('data', () => child.kill('SIGINT'))
    child.stdout.resume()
    const [code] = (await once(child, 'close')) as [number]
    expect(code).toBe(130)
  })

  test('completion prints a script, and answers it', async () => {
    const script = await marketlake(['completion', 'bash'])
    expect([script.code, script.stdout.includes('complete -F')]).toEqual([0, true])
    const answer = await marketlake(['complete', '--', 'vintag'])
    expect(answer.stdout).toContain('vintages\tevery version of one report')
    expect((await marketlake(['completion', 'tcsh'])).code).toBe(2)
  })

  test('the history lives in the state directory, or where it is told', () => {
    expect(historyPath({ MARKETLAKE_HISTORY: '/h' })).toBe('/h')
    expect(historyPath({ XDG_STATE_HOME: '/s' })).toBe(join('/s', 'marketlake', 'history'))
  })
})
