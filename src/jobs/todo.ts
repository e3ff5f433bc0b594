import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { persist } from "./persist.js"
import type { Item, Store } from "./store.js"

/** The number of requests read at a time. */
const pageSize = 50

/** Reads the requests without a result between two places of a job, in order, as they are taken. */
export const read = (store: Pick<Store, "todo">, id: string, from: number, to: number): Stream.Stream<Item> =>
  Stream.paginateEffect(from, (from) =>
    Effect.map(persist(store.todo(id, from, to, pageSize)), (page) => {
      const last: Item | undefined = page[pageSize - 1]
      return [page, last === undefined ? Option.none<number>() : Option.some(last.index + 1)] as const
    })).pipe(Stream.mapConcat(identity))
