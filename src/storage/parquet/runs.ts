/** Levels and indexes of a Parquet page: runs of one value, and small numbers packed bit by bit. */

/** The widest numbers that are read here; a dictionary of a checkpoint is far from it. */
const WIDTH_MAX = 24

/**
 * Fills `output` from the bytes between `from` and `end`. A damaged page may announce a run of thousands of millions:
 * nothing is written past the output, and bytes that are missing are an error.
 */
export function readRuns(
  view: DataView,
  from: number,
  end: number,
  width: number,
  output: Uint8Array | Uint32Array,
): void {
  if (width > WIDTH_MAX) throw new Error(`packed numbers of ${width} bits`)
  if (end > view.byteLength) throw new Error('runs go on after the end of their page')
  let [at, seen] = [from, 0]
  while (seen < output.length) {
    const header = readHeader(view, at, end)
    at = header.next
    const count = header.value >>> 1
    if (header.value & 1) {
      const taken = Math.min(count * 8, output.length - seen)
      unpack(view, at, end, width, output.subarray(seen, seen + taken))
      at += count * width
      seen += taken
    } else {
      const bytes = (width + 7) >> 3
      if (at + bytes > end) throw new Error('a run has no value')
      let value = 0
      for (let i = 0; i < bytes; i++) value |= view.getUint8(at++) << (8 * i)
      const taken = Math.min(count, output.length - seen)
      output.fill(value, seen, seen + taken)
      seen += taken
    }
  }
}

/** A variable-length number of at most 32 bits. */
function readHeader(view: DataView, from: number, end: number): { value: number; next: number } {
  let [at, value] = [from, 0]
  for (let shift = 0; shift < 35; shift += 7) {
    if (at >= end) throw new Error('runs end before their values do')
    const byte = view.getUint8(at++)
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value: value >>> 0, next: at }
  }
  throw new Error('a run of impossible length')
}

function unpack(
  view: DataView,
  from: number,
  end: number,
  width: number,
  output: Uint8Array | Uint32Array,
): void {
  if (from + Math.ceil((output.length * width) / 8) > end)
    throw new Error('packed numbers go on after the end of their page')
  const mask = 2 ** width - 1
  for (let i = 0; i < output.length; i++) {
    const bit = i * width
    const at = from + (bit >>> 3)
    let bits = view.getUint8(at)
    for (let next = 1; next * 8 < (bit & 7) + width; next++)
      bits |= view.getUint8(at + next) << (8 * next)
    output[i] = (bits >>> (bit & 7)) & mask
  }
}
