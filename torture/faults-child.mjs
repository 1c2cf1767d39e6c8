/**
 * Does operations for `faults.mjs`, one a line of its input, in a process whose system calls can fail. Arguments: the
 * directory of the world, the file of the switch. Answers each line with one: how it ended, and which descriptors are left.
 */
import { openSync, readSync, readdirSync, readlinkSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { OPERATIONS } from './fault-operations.mjs'
import { loadPackage } from './package.mjs'

const [world, switchFile] = process.argv.slice(2)
const api = await loadPackage()
const control = openSync(switchFile, 'r+')

/** The layout of `struct control` in `faultshim.c`. */
function arm(fault) {
  const [call, number, code, persistent] = fault
  writeSync(
    control,
    Buffer.from(Int32Array.of(call, number, code, persistent, 0, 0).buffer),
    0,
    24,
    0,
  )
}

function hits() {
  const buffer = Buffer.alloc(24)
  readSync(control, buffer, 0, 24, 0)
  return buffer.readInt32LE(20)
}

function descriptors() {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(world) ? [path.slice(world.length)] : []
    } catch {
      return []
    }
  })
}

/** Reads beside one that failed may still be under way for a moment. */
async function descriptorsLeft() {
  for (let i = 0; i < 200 && descriptors().length > 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 10))
  return descriptors()
}

async function outcomeOf(run, batch) {
  try {
    const { kind, version, txnId, problems } = await run(api, world, batch)
    return { kind, version, txnId, problems }
  } catch (error) {
    const { code, message, stack } = error
    return { kind: 'failed', code, message, ...(code === undefined && { stack }) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { operation, batch, fault, again } = JSON.parse(line)
  const { run, again: other } = OPERATIONS[operation]
  if (fault) arm(fault)
  const outcome = await outcomeOf(again && other ? other : run, batch)
  const hit = fault ? hits() : 0
  arm([0, 0, 0, 0])
  process.stdout.write(
    `${JSON.stringify({ outcome, hit, descriptors: await descriptorsLeft() })}\n`,
  )
}
