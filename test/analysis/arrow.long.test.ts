/** Arrow that the engine gives, read by another library. */
import { expect, test } from 'vitest'
import { newLake } from '../support/lake.ts'
import { MIXED } from '../support/mixed-values.ts'
import { describePython, python } from '../support/python.ts'

describePython('polars==1.35.2', (packages) => {
  test('Polars reads it', async () => {
    const engine = await (await newLake()).analysis()
    const base64 = Buffer.from(await engine.arrow(MIXED)).toString('base64')
    const program = `
import base64, io, json, sys, polars
frame = polars.read_ipc_stream(io.BytesIO(base64.b64decode(sys.argv[1])))
print(json.dumps(frame.with_columns(polars.all().cast(polars.String)).rows()))`
    await engine.close()
    const rows = JSON.parse(await python(packages, program, base64)) as unknown[][]
    expect(rows[0]!.slice(0, 6)).toEqual(['1', '10', '0.5', 'a', '2024-01-02', 'true'])
    expect(rows[0]![6]).toContain('2024-01-02 03:04:05')
    expect(rows[2]!.slice(0, 5)).toEqual(['2', '9007199254740993', 'NaN', '贵州茅台', '1969-12-31'])
  })
})
