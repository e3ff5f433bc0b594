// In place of declarations: an address of Effect 4 is of another form.
import * as NetAddress from "effect/net/NetAddress"

const unused = NetAddress.inetAddressUnsafe(NetAddress.ipv4Loopback, 1)
