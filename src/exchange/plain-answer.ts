/** Answers of sources that are no datacenter. */

/** An answer as it is sent. */
export interface PlainAnswer {
  readonly status: number
  readonly type: string
  readonly body: string | Uint8Array
}

/** An answer of JSON. */
export function jsonAnswer(body: unknown): PlainAnswer {
  return {
    status: 200,
    type: 'application/json; charset=utf-8',
    body: JSON.stringify(body),
  }
}

/** An answer of plain text. */
export function textAnswer(body: string, charset: string): PlainAnswer {
  return { status: 200, type: `text/plain; charset=${charset}`, body }
}
