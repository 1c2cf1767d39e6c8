/** Decodes one column of a row group of a small Parquet file: its values, and the levels that place them in rows. */
import type { ColumnMetaData, Compressors, DecodedArray, PageHeader, SchemaTree } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'
import { DEFAULT_PARSERS, convert, convertWithDictionary } from 'hyparquet/src/convert.js'
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js'
import { readRleBitPackedHybrid } from 'hyparquet/src/encoding.js'
import { readPlain } from 'hyparquet/src/plain.js'
import { getMaxDefinitionLevel, getMaxRepetitionLevel } from 'hyparquet/src/schema.js'

/** A decoded column (Dremel's terms: a value stands where the definition level is the highest). */
export interface Leaf {
  /** Of each entry. */
  readonly definitions: Uint8Array
  /** Of each entry; undefined for a column that does not repeat, where an entry is a row. */
  readonly repetitions: Uint8Array | undefined
  /** Of the entries whose definition level is the highest, in their order. */
  readonly values: ArrayLike<unknown>
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
  const pages: ArrayLike<unknown>[] = []
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
  return { ...leaf, values: joined(pages) }
}

type Place = Pick<Leaf, 'definitions' | 'repetitions'>

/** Fills in the levels of a page and returns its values. */
function readValues(
  page: Page,
  decoder: Decoder,
  place: Place,
  tops: readonly [definition: number, repetition: number],
): ArrayLike<unknown> {
  const { header, bytes, dictionary } = page
  if (header.type === 'DATA_PAGE_V2')
    return generalValues(readDataPageV2(bytes, header, decoder), page, decoder, place)
  const content = inflated(bytes, header, decoder)
  const { encoding } = header.data_page_header!
  const isDictionary = encoding.endsWith('_DICTIONARY') && decoder.type !== 'BOOLEAN' && dictionary
  if (!isDictionary && (encoding !== 'PLAIN' || !isText(decoder)))
    return generalValues(
      readDataPage(content, header.data_page_header!, decoder),
      page,
      decoder,
      place,
    )
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
  const reader = { view, offset: 0 }
  if (place.repetitions) readRleBitPackedHybrid(reader, bits(tops[1]), place.repetitions)
  if (tops[0] > 0) readRleBitPackedHybrid(reader, bits(tops[0]), place.definitions)
  let count = 0
  for (const level of place.definitions) if (level === tops[0]) count++
  return isDictionary
    ? dictionaryValues(reader, count, dictionary)
    : texts(content, reader.offset, count)
}

/** The general reader makes an object a value, so texts and dictionaries, the bulk of a checkpoint, go another way. */
function generalValues(
  read: ReturnType<typeof readDataPage>,
  { header, dictionary }: Page,
  decoder: Decoder,
  place: Place,
): ArrayLike<unknown> {
  // Without levels every entry is a value.
  if (read.definitionLevels?.length) place.definitions.set(read.definitionLevels)
  if (read.repetitionLevels.length > 0) place.repetitions?.set(read.repetitionLevels)
  const { encoding } = header.data_page_header_v2 ?? header.data_page_header!
  return convertWithDictionary(read.dataPage, dictionary, encoding, decoder)
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
  reader: { readonly view: DataView; offset: number },
  count: number,
  dictionary: DecodedArray,
): unknown[] {
  const width = reader.view.getUint8(reader.offset++)
  const indexes = new Uint32Array(count)
  if (width > 0) {
    const length = reader.view.byteLength - reader.offset
    readRleBitPackedHybrid(reader, width, indexes, length)
  }
  const values: unknown[] = []
  for (const index of indexes) values.push(dictionary[index])
  return values
}

/** Texts stand one after the other, each behind its length. */
function texts(content: Uint8Array, start: number, count: number): string[] {
  const buffer = Buffer.from(content.buffer, content.byteOffset, content.byteLength)
  const values: string[] = []
  let at = start
  for (let i = 0; i < count; i++) {
    const length = buffer.readUInt32LE(at)
    if (at + 4 + length > buffer.length) throw new Error('a text runs over the end of its page')
    values.push(buffer.toString('utf8', at + 4, at + 4 + length))
    at += 4 + length
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

function joined(pages: readonly ArrayLike<unknown>[]): ArrayLike<unknown> {
  if (pages.length === 1) return pages[0]!
  const all: unknown[] = []
  for (const page of pages) for (let i = 0; i < page.length; i++) all.push(page[i])
  return all
}
