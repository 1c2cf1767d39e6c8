/** Decodes one column of a row group of a small Parquet file: its values, and the levels that place them in rows. */
import { isAscii } from 'node:buffer'
import type { ColumnMetaData, Compressors, DecodedArray, PageHeader, SchemaTree } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import { DEFAULT_PARSERS, convert, convertWithDictionary } from 'hyparquet/src/convert.js'
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js'
import { readPlain } from 'hyparquet/src/plain.js'
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js'
import { readRuns } from './runs.ts'

/** A decoded column (Dremel's terms: a value stands where the definition level is the highest). */
export interface Leaf {
  /** Of each entry. */
  readonly definitions: Uint8Array
  /** Of each entry; undefined for a column that does not repeat, where an entry is a row. */
  readonly repetitions: Uint8Array | undefined
  /** Of the entries whose definition level is the highest, in their order; texts are made at the first call. */
  readonly values: () => ArrayLike<unknown>
  readonly valueCount: number
}

/** Values of a page whose place is known and sound. */
interface PageValues {
  readonly length: number
  readonly values: () => ArrayLike<unknown>
}

type Decoder = Parameters<typeof convert>[1]

/** Decodes the chunk of a column from the content of its file. */
export function readLeaf(
  content: Uint8Array,
  chunk: ColumnMetaData,
  schemaPath: SchemaTree[],
  compressors: Compressors,
): Leaf {
  const decoder = {
    ...chunk,
    pathInSchema: chunk.path_in_schema,
    element: schemaPath.at(-1)!.element,
    schemaPath,
    compressors,
    parsers: { ...DEFAULT_PARSERS, stringFromBytes },
  } as Decoder
  const entries = Number(chunk.num_values)
  const tops = [getMaxDefinitionLevel(schemaPath), getMaxRepetitionLevel(schemaPath)] as const
  const leaf = {
    definitions: new Uint8Array(entries).fill(tops[0]),
    repetitions: tops[1] > 0 ? new Uint8Array(entries) : undefined,
  }
  const pages: PageValues[] = []
  let done = 0
  for (const page of pagesOf(content, chunk, decoder)) {
    const count = (page.header.data_page_header_v2 ?? page.header.data_page_header!).num_values
    const place = {
      definitions: leaf.definitions.subarray(done, done + count),
      repetitions: leaf.repetitions?.subarray(done, done + count),
    }
    pages.push(readValues(page, decoder, place, tops))
    done += count
  }
  if (done !== entries) throw new Error(`a column has ${done} entries, not ${entries}`)
  const valueCount = pages.reduce((sum, page) => sum + page.length, 0)
  let made: ArrayLike<unknown> | undefined
  return { ...leaf, valueCount, values: () => (made ??= joined(pages)) }
}

type Place = Pick<Leaf, 'definitions' | 'repetitions'>

/** Fills in the levels of a page and returns its values. */
function readValues(
  page: Page,
  decoder: Decoder,
  place: Place,
  tops: readonly [definition: number, repetition: number],
): PageValues {
  const { header, bytes, dictionary } = page
  if (header.type === 'DATA_PAGE_V2')
    return generalValues(readDataPageV2(bytes, header, decoder), page, decoder, place)
  const content = inflated(bytes, header, decoder)
  const { encoding } = header.data_page_header!
  const isDictionary = encoding.endsWith('_DICTIONARY') && decoder.type !== 'BOOLEAN' && dictionary
  if (!isDictionary && encoding !== 'PLAIN') {
    const read = readDataPage(content, header.data_page_header!, decoder)
    return generalValues(read, page, decoder, place)
  }
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const reader = { view, offset: 0 }
  if (place.repetitions) readLevels(reader, tops[1], place.repetitions)
  if (tops[0] > 0) readLevels(reader, tops[0], place.definitions)
  let count = 0
  for (const level of place.definitions) if (level === tops[0]) count++
  if (isDictionary) return known(dictionaryValues(reader, count, dictionary))
  // What was not packed is still the content of the file, which is not ours to change.
  const isOurs = decoder.codec !== 'UNCOMPRESSED'
  if (isText(decoder)) return texts(isOurs ? content : content.slice(), reader.offset, count)
  const { type_length: length } = decoder.element
  return known(convert(readPlain(reader, decoder.type, count, length), decoder))
}

/** Levels stand behind their length in bytes. */
function readLevels(reader: Reader, top: number, output: Uint8Array): void {
  const from = reader.offset + LENGTH_BYTES
  const end = from + reader.view.getUint32(reader.offset, true)
  readRuns(reader.view, from, end, bits(top), output)
  reader.offset = end
}

interface Reader {
  readonly view: DataView
  offset: number
}

function known(values: ArrayLike<unknown>): PageValues {
  return { length: values.length, values: () => values }
}

/** Pages of newer encodings; plain ones and dictionaries, all that most checkpoints have, are read another way. */
function generalValues(
  read: ReturnType<typeof readDataPage>,
  { header, dictionary }: Page,
  decoder: Decoder,
  place: Place,
): PageValues {
  // Without levels every entry is a value.
  if (read.definitionLevels?.length) place.definitions.set(read.definitionLevels)
  if (read.repetitionLevels.length > 0) place.repetitions?.set(read.repetitionLevels)
  const { encoding } = header.data_page_header_v2 ?? header.data_page_header!
  return known(convertWithDictionary(read.dataPage, dictionary, encoding, decoder))
}

function isText({ element, type }: Decoder): boolean {
  const isUtf8 = element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'
  return type === 'BYTE_ARRAY' && isUtf8
}

/** The bits that levels up to `top` take. */
function bits(top: number): number {
  return 32 - Math.clz32(top)
}

function dictionaryValues(
  { view, offset }: Reader,
  count: number,
  dictionary: DecodedArray,
): unknown[] {
  const indexes = new Uint32Array(count)
  // A page of NULLs alone may have no width.
  const width = count > 0 ? view.getUint8(offset) : 0
  if (width > 0) readRuns(view, offset + 1, view.byteLength, width, indexes)
  const values: unknown[] = []
  for (const index of indexes) values.push(dictionary[index])
  return values
}

/**
 * Texts stand one after the other, each behind its length. All lengths are looked at before any text is made; then the
 * page is used up.
 */
function texts(content: Uint8Array, start: number, count: number): PageValues {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const ends = new Uint32Array(count)
  let at = start
  for (let i = 0; i < count; i++) {
    at += 4 + view.getUint32(at, true)
    if (at > content.length) throw new Error('a text runs over the end of its page')
    ends[i] = at
  }
  return { length: count, values: () => textsOf(content.subarray(start, at), ends, start) }
}

const LENGTH_BYTES = 4

/** Cuts a page of plain ASCII as one text: a call for each of a hundred thousand texts takes ten times as long. */
function textsOf(content: Uint8Array, ends: Uint32Array, start: number): string[] {
  const page = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const values: string[] = []
  let from = 0
  for (const end of ends) {
    // Lengths are the only bytes between texts; as zeros they are ASCII too.
    for (let i = 0; i < LENGTH_BYTES; i++) page[from + i] = 0
    from = end - start
  }
  const whole = isAscii(page) ? page.toString('latin1') : undefined
  from = 0
  for (const end of ends) {
    const [first, last] = [from + LENGTH_BYTES, end - start]
    values.push(whole?.slice(first, last) ?? page.toString('utf8', first, last))
    from = last
  }
  return values
}

interface Page {
  readonly header: PageHeader
  readonly bytes: Uint8Array
  readonly dictionary: DecodedArray | undefined
}

/** The data pages of a chunk, each with the dictionary read before it. */
function* pagesOf(
  content: Uint8Array,
  chunk: ColumnMetaData,
  decoder: Decoder,
): Generator<Page, void, undefined> {
  const offsets = [chunk.dictionary_page_offset, chunk.data_page_offset].map(Number)
  const start = Math.min(...offsets.filter((offset) => offset > 0))
  const length = Number(chunk.total_compressed_size)
  const reader = {
    view: new DataView(content.buffer, content.byteOffset + start, length),
    offset: 0,
  }
  let dictionary: DecodedArray | undefined
  while (reader.offset < length) {
    const header = parquetHeader(reader)
    const from = content.byteOffset + start + reader.offset
    const bytes = new Uint8Array(content.buffer, from, header.compressed_page_size)
    reader.offset += header.compressed_page_size
    if (header.type === 'DICTIONARY_PAGE') dictionary = readDictionary(bytes, header, decoder)
    else if (header.data_page_header || header.data_page_header_v2)
      yield { header, bytes, dictionary }
  }
}

function readDictionary(bytes: Uint8Array, header: PageHeader, decoder: Decoder): DecodedArray {
  const page = inflated(bytes, header, decoder)
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 }
  const count = header.dictionary_page_header!.num_values
  return convert(readPlain(reader, decoder.type, count, decoder.element.type_length), decoder)
}

function inflated(bytes: Uint8Array, header: PageHeader, decoder: Decoder): Uint8Array {
  const { codec, compressors } = decoder
  return decompressPage(bytes, header.uncompressed_page_size, codec, compressors)
}

/** Several times as fast as a `TextDecoder` for short texts. */
function stringFromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}

function joined(pages: readonly PageValues[]): ArrayLike<unknown> {
  if (pages.length === 1) return pages[0]!.values()
  const all: unknown[] = []
  for (const page of pages) {
    const values = page.values()
    for (let i = 0; i < page.length; i++) all.push(values[i])
  }
  return all
}

/** A leaf in those rows in which its top-level column is there, given their number: an absent row has no values. */
export function presentOf(leaf: Leaf, level: number, rows: number): Leaf {
  const { definitions, repetitions } = leaf
  const entries = definitions.length
  if (entries > 0 && repetitions && repetitions[0] !== 0)
    throw new Error('a column has no first row')
  if (!repetitions && rows === entries) return leaf
  const kept = {
    definitions: new Uint8Array(entries),
    repetitions: repetitions && new Uint8Array(entries),
  }
  let [count, found] = [0, 0]
  for (let i = 0; i < entries; i++) {
    if (definitions[i]! < level) continue
    kept.definitions[count] = definitions[i]!
    if (kept.repetitions) kept.repetitions[count] = repetitions![i]!
    if (!repetitions || repetitions[i] === 0) found++
    count++
  }
  if (found !== rows) throw new Error(`a column has ${found} rows, not ${rows}`)
  return {
    ...leaf,
    definitions: kept.definitions.subarray(0, count),
    repetitions: kept.repetitions?.subarray(0, count),
  }
}
