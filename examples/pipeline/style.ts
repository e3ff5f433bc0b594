/** The style of the report, light and dark. */
export const css = `
:root { color-scheme: light dark; --back: #fff; --card: #f6f7f9; --text: #1b1f24; --soft: #5b6570; --rule: #dfe3e8;
  --main: #2563b8; --bad: #b3261e; --good: #1a7f4b; }
@media (prefers-color-scheme: dark) { :root { --back: #14171b; --card: #1d2126; --text: #e7eaee; --soft: #9aa5b1;
  --rule: #343b43; --main: #6ea8ff; --bad: #ff8a80; --good: #6fd39b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 16px 48px; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 16px; }
h2 { font-size: 18px; margin: 32px 0 8px; }
.numbers { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 8px; margin: 0; }
.numbers div { background: var(--card); border-radius: 8px; padding: 10px 12px; display: flex;
  flex-direction: column-reverse; }
.numbers dt { color: var(--soft); font-size: 13px; }
.numbers dd { margin: 0; font-size: 18px; font-weight: 600; font-variant-numeric: tabular-nums; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 16px;
  margin-top: 16px; }
figure { margin: 0; background: var(--card); border-radius: 8px; padding: 14px 16px; }
figure h2 { margin: 0 0 10px; font-size: 16px; }
figcaption { color: var(--soft); font-size: 13px; margin-top: 8px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--text); font-size: 12px; }
.grid { stroke: var(--rule); } .break { stroke: var(--text); stroke-dasharray: 3 3; }
.track { fill: var(--rule); } .bar { fill: var(--main); }
.line { fill: none; stroke: var(--main); stroke-width: 2; }
.span { fill: var(--main); fill-opacity: .35; } .failed { fill: var(--bad); fill-opacity: .8; }
.on { fill: var(--good); stroke: var(--card); stroke-width: 1.5; }
.off { fill: var(--card); stroke: var(--bad); stroke-width: 2; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 500; font-size: 13px; }
td:first-child { white-space: nowrap; }
details { min-width: 190px; } summary { cursor: pointer; }
q { color: var(--soft); } small { color: var(--soft); white-space: nowrap; }
.good { color: var(--good); white-space: nowrap; } .bad { color: var(--bad); white-space: nowrap; }
`
