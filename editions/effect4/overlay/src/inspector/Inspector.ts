// In place of declarations: an address of Effect 4 is of another form.
import * as NetAddress from "effect/net/NetAddress"

const urlOf = (address: NetAddress.SocketAddress): Effect.Effect<string> => {
  if (address._tag === "UnixPathAddress") {
    return Effect.die(new Error("The inspector needs a server that listens on a TCP port"))
  }
  const hostname = NetAddress.formatIp(address.address)
  return Access.isLoopback(hostname)
    ? Effect.succeed(`http://${hostname.includes(":") ? `[${hostname}]` : hostname}:${address.port}`)
    : Effect.die(
      new Error(`The inspector needs a server on a loopback address, such as 127.0.0.1, but has ${hostname}`)
    )
}
