// In place of declarations: an address of Effect 4 is of another form.
import * as NetAddress from "effect/net/NetAddress"

const urlOf = (address: NetAddress.SocketAddress): Effect.Effect<string> => {
  if (address._tag === "UnixPathAddress") {
    return Effect.die(new Error("The simulator needs a server that listens on a TCP port"))
  }
  const hostname = NetAddress.formatIp(address.address)
  const host = hostname === "0.0.0.0" || hostname === "::" ? "127.0.0.1" : hostname
  return Effect.succeed(`http://${host.includes(":") ? `[${host}]` : host}:${address.port}`)
}
