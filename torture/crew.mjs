/** The processes of a torture run: started, killed, stopped, and started again. */
import { spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { atEnd } from './disk.mjs'

const WORKER = join(import.meta.dirname, 'worker.mjs')
const FOREIGN = join(import.meta.dirname, 'foreign.py')

/** Starts processes and keeps them going. `log` takes the events of the harness itself. */
export class Crew {
  #members = new Map()
  #incarnations = 0
  #options
  #log
  #forget
  ending = false

  constructor(options, log) {
    this.#options = options
    this.#log = log
    this.#forget = atEnd(() => this.#killEach())
  }

  /** Starts a member; whenever it ends by itself or is killed, it starts again. */
  start(post) {
    const { seed, history } = this.#options
    const name = `${post.role}${post.id}.${this.#options.prefix ?? ''}${++this.#incarnations}`
    const task = { ...this.#options, ...post, name, seed: seed + this.#incarnations * 7919 }
    const [program, script] =
      post.role === 'foreign' ? ['python3', FOREIGN] : [process.execPath, WORKER]
    const child = spawn(program, [script, JSON.stringify(task)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...post.env },
    })
    const member = { post, name, child, stopped: false }
    child.stderr.on('data', (data) => appendFileSync(join(history, `${name}.stderr`), data))
    member.exited = new Promise((resolve) => child.on('exit', resolve)).then(() => {
      this.#members.delete(name)
      if (!this.ending) this.start(post)
    })
    this.#members.set(name, member)
  }

  /** A member that is running; `chance` chooses. */
  pick(chance) {
    const running = [...this.#members.values()].filter((member) => !member.stopped)
    const member = running[Math.floor(chance() * running.length)]
    // Maintenance takes longer than a commit, and must get through now and then.
    return member?.post.role === 'maintenance' && chance() < 0.75 ? undefined : member
  }

  kill(member) {
    if (!member) return
    this.#log({ e: 'kill', of: member.name })
    member.child.kill('SIGKILL')
  }

  /** Stops a member for a while, as a laptop that sleeps does. */
  pause(member, timeMs) {
    if (!member) return
    this.#log({ e: 'stop', of: member.name, timeMs })
    member.stopped = true
    member.child.kill('SIGSTOP')
    setTimeout(() => {
      member.stopped = false
      member.child.kill('SIGCONT')
    }, timeMs)
  }

  /** Stops everybody where he is, until he is killed. */
  stopAll() {
    for (const { child } of this.#members.values()) child.kill('SIGSTOP')
  }

  /** Kills everybody at once, and nobody comes back. */
  async killAll() {
    const members = [...this.#members.values()]
    this.#killEach()
    await Promise.all(members.map((member) => member.exited))
    this.#forget()
  }

  #killEach() {
    this.ending = true
    for (const { child } of this.#members.values()) child.kill('SIGKILL')
  }

  /** Asks everybody to finish. Who does not within the time is killed and named. */
  async finish(timeMs) {
    this.ending = true
    const late = []
    const members = [...this.#members.values()]
    for (const { child } of members) child.kill('SIGCONT')
    for (const { child } of members) child.kill('SIGTERM')
    const timer = setTimeout(() => {
      for (const member of this.#members.values()) {
        late.push(member.name)
        member.child.kill('SIGKILL')
      }
    }, timeMs)
    await Promise.all(members.map((member) => member.exited))
    clearTimeout(timer)
    this.#forget()
    return late
  }
}
