// In place of declarations: an address of Effect 4 is of another form.
import * as NetAddress from "effect/net/NetAddress"

const onAllAddresses = (server: HttpServer.HttpServer["Service"]) =>
  HttpServer.make({ ...server, address: NetAddress.inetAddressFromIpStringUnsafe("0.0.0.0", 80) })
