// In place of declarations: Effect 4's own timeouts end an effect on time in an uninterruptible region, too.

const effectsInRegion: { readonly timeoutFail: InRegion; readonly timeoutOption: InRegion } = {
  timeoutFail: [["10000 gives \"late\""], ["20000 gives \"late\"", "20000 has ended"]],
  timeoutOption: [["10000 gives \"late\""], ["10000 gives \"late\"", "20000 has ended"]]
}
