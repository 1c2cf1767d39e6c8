/** Systems in processes of their own that answer one line for each line they get, and the Python that most run in. */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(path, import.meta.url))
const PATIENCE_MS = 600_000

/** A virtual environment with the packages of requirements.txt; made once for each state of that file. */
export function pythonWithPackages(say) {
  const requirements = at('../peers/requirements.txt')
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex')
  const path = at(`../../.venv/peers-${hash.slice(0, 12)}`)
  const done = `${path}/complete`
  if (!existsSync(done)) {
    say('installing the Python packages')
    rmSync(path, { recursive: true, force: true })
    const program = process.env.MARKETLAKE_PYTHON ?? 'python3.11'
    call(program, ['-m', 'venv', path])
    call(`${path}/bin/pip`, ['install', '--quiet', '--requirement', requirements])
    renameSync(writeMark(path), done)
  }
  return `${path}/bin/python`
}

function writeMark(path) {
  call(`${path}/bin/python`, ['-c', `open(${JSON.stringify(`${path}/mark`)}, 'w').close()`])
  return `${path}/mark`
}

function call(program, args) {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${args[0]}: ${stderr.trim().split('\n').at(-1)}`)
}

/** Starts a system; the promise is its first line. */
export async function startPeer(program, args, log) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', log] })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  // A process that ended says so by the end of its lines.
  child.stdin.on('error', () => {})
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((resolve) => child.on('close', resolve)).then(() =>
    process.removeListener('exit', kill),
  )
  const failed = new Promise((resolve) => child.on('error', (error) => resolve({ error })))
  const read = async () => {
    let timer
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve({ late: true }), PATIENCE_MS)
    })
    const { value, done, error, late: tooLate } = await Promise.race([lines.next(), late, failed])
    clearTimeout(timer)
    if (error) return { error: String(error) }
    if (tooLate) child.kill('SIGKILL')
    if (tooLate || done) return { error: tooLate ? 'no answer in ten minutes' : 'it ended' }
    return JSON.parse(value)
  }
  const { error, version } = await read()
  return {
    version,
    error,
    pid: child.pid,
    tell: async (command) => {
      if (error) return { error }
      child.stdin.write(`${JSON.stringify(command)}\n`)
      return read()
    },
    /** Ends its input and waits for its end. */
    close: () => {
      child.stdin.end()
      return child.exitCode === null && child.signalCode === null ? ended : undefined
    },
  }
}
