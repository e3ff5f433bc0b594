/** The looks of the page, in light and dark. */
export const style = /* css */ `
:root {
  color-scheme: light dark;
  --ground: #f7f7f5; --paper: #ffffff; --ink: #1c2026; --soft: #5c6470; --line: #dfe2e6; --hover: #f0f3f7;
  --focus: #1f5fd0; --chosen: #e6eefc; --good: #1d7a46; --bad: #b3261e; --warn: #8a5a00;
  --cache: #2a9d8f; --shared: #8668c7; --queue: #e3a72f; --attempt: #4a82d9; --failed: #d4604c; --backoff: #b9c0ca;
  --check: #7b8794; --stripe: rgb(255 255 255 / 45%);
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --paper: #1b1f25; --ink: #e4e7eb; --soft: #9aa3af; --line: #2e343c; --hover: #232931;
    --focus: #7fb0ff; --chosen: #22324d; --good: #6fcf97; --bad: #ff8a7a; --warn: #e9b64d;
    --cache: #3fb5a5; --shared: #a58be0; --queue: #dca53a; --attempt: #5b93ea; --failed: #e0705c; --backoff: #4b5460;
    --check: #8a95a3; --stripe: rgb(0 0 0 / 35%);
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); padding: 0 20px 24px; }
h1, h2, h3, p, dl, dd, ul, ol { margin: 0; padding: 0; }
ul, ol { list-style: none; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }

.top { display: flex; align-items: baseline; justify-content: space-between; gap: 16px; padding: 16px 0 12px; }
.top h1 { font-size: 17px; font-weight: 650; letter-spacing: -0.01em; }
.top h1 span { color: var(--soft); font-weight: 400; }
#connection { color: var(--soft); font-size: 13px; }
#connection::before { content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%;
  background: var(--queue); margin-right: 7px; }
#connection.live::before { background: var(--good); }
#connection.lost::before { background: var(--bad); }

.sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(92px, 1fr)); background: var(--paper);
  border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.sums div { padding: 9px 14px 10px; box-shadow: 1px 0 0 var(--line), 0 1px 0 var(--line); }
.sums dt { color: var(--soft); font-size: 12px; }
.sums dd { font-size: 18px; font-weight: 600; letter-spacing: -0.01em; white-space: nowrap; }
.sums .alarm dd { color: var(--bad); }

.policies { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; margin-top: 8px;
  max-height: 148px; overflow: auto; }
.policy { display: grid; grid-template-columns: 56px minmax(120px, 220px) minmax(0, 1fr); gap: 0 12px; padding: 4px 14px;
  font-size: 13px; }
.policy + .policy { border-top: 1px solid var(--line); }
.policy h3 { font-size: 13px; font-weight: 550; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.policy span, .policy p { color: var(--soft); }
.policy p { overflow-wrap: anywhere; }
.policy b { font-weight: 600; }
.fill { white-space: nowrap; }
.fill meter { width: 56px; height: 10px; margin-right: 6px; vertical-align: -1px; }
.policy.open b, .policy.broken b { color: var(--bad); }
.policy.half b { color: var(--warn); }
.policy.closed b { color: var(--good); }

.filters { display: flex; flex-wrap: wrap; gap: 8px 12px; margin: 16px 0 12px; }
.filters label { display: flex; flex-direction: column; gap: 3px; font-size: 12px; color: var(--soft); }
.filters .grow { flex: 1 1 200px; }
.filters input, .filters select { font: inherit; font-size: 14px; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 6px; padding: 5px 9px; min-height: 32px; width: 100%; max-width: 100%; }
.filters select { max-width: 190px; }

.columns { display: flex; gap: 16px; align-items: flex-start; }
main { flex: 1 1 0; min-width: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; color: var(--soft); font-size: 12px; padding: 0 2px 8px; }
.legend li { display: flex; align-items: center; gap: 6px; }
.legend .part { flex: none; width: 16px; height: 10px; border-radius: 2px; }

.row { display: grid; align-items: center; gap: 0 12px; width: 100%; padding: 6px 12px;
  grid-template-columns: 16px minmax(150px, 15fr) minmax(160px, 30fr) 64px 92px 66px; }
.scale { color: var(--soft); font-size: 12px; padding-block: 2px 4px; border: 1px solid transparent; }
.calls { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.calls:empty { display: none; }
.calls li + li { border-top: 1px solid var(--line); }
.calls .row { font: inherit; color: inherit; text-align: left; background: none; border: 0; cursor: pointer; }
.calls .row:hover { background: var(--hover); }
.calls .row:focus-visible { outline-offset: -2px; }
.calls .row[aria-expanded="true"] { background: var(--chosen); }
.sign { font-weight: 700; text-align: center; }
.ok .sign { color: var(--good); }
.cached .sign { color: var(--cache); }
.shared .sign { color: var(--shared); }
.failed .sign { color: var(--bad); }
.running .sign { color: var(--attempt); }
.interrupted .sign { color: var(--soft); }
.name { min-width: 0; }
.name b, .name small { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.name b { font-weight: 550; }
.name small { color: var(--soft); font-size: 12px; }
.failed .name small { color: var(--bad); }
.time, .tokens, .cost { text-align: right; white-space: nowrap; }
.tokens, .cost { color: var(--soft); }
.scale .time, .scale .tokens, .scale .cost { color: inherit; }

.ticks, .track { position: relative; height: 16px; min-width: 0; }
.ticks span { position: absolute; transform: translateX(-50%); white-space: nowrap; }
.ticks span:first-child { transform: none; }
.ticks span:last-child { transform: translateX(-100%); }
.track { background: linear-gradient(90deg, var(--line) 1px, transparent 1px) 0 0 / 25% 100%;
  border-right: 1px solid var(--line); }
.bar { position: absolute; top: 2px; bottom: 2px; display: flex; min-width: 3px; border-radius: 3px; overflow: hidden; }
.part { display: block; flex: 0 0 0; min-width: 1px; background: var(--check); }
.part.cache { background: var(--cache); }
.part.shared { background: var(--shared); }
.part.queue { background: repeating-linear-gradient(135deg, var(--queue) 0 4px, var(--stripe) 4px 6px) var(--queue); }
.part.attempt { background: var(--attempt); }
.part.attempt.failed { background: repeating-linear-gradient(45deg, var(--failed) 0 5px, var(--stripe) 5px 7px) var(--failed); }
.part.backoff { background: repeating-linear-gradient(90deg, var(--backoff) 0 3px, transparent 3px 6px); }
.part.check, .part.other { background: var(--check); }
.none, .keys { color: var(--soft); font-size: 13px; padding: 10px 2px; }
.none { text-align: center; padding: 36px; background: var(--paper); border: 1px dashed var(--line); border-radius: 8px; }
kbd { font: 12px ui-monospace, "DejaVu Sans Mono", monospace; border: 1px solid var(--line); border-radius: 4px;
  background: var(--paper); padding: 0 5px; margin-left: 8px; }
kbd:first-child, kbd + kbd { margin-left: 0; }

.detail { flex: 0 0 min(46%, 620px); position: sticky; top: 12px; max-height: calc(100vh - 24px); overflow: auto;
  background: var(--paper); border: 1px solid var(--line); border-radius: 8px; }
.detail > header { position: sticky; top: 0; z-index: 1; display: flex; justify-content: space-between; gap: 12px;
  align-items: flex-start; background: var(--paper); padding: 12px 16px 8px; border-bottom: 1px solid var(--line); }
.detail h2 { font-size: 15px; font-weight: 650; overflow-wrap: anywhere; }
.detail h2:focus { outline: none; }
.detail h2:focus-visible { outline: 2px solid var(--focus); outline-offset: 3px; }
.detail h2 small { display: block; color: var(--soft); font-size: 12px; font-weight: 400; }
#close { font: inherit; color: var(--soft); background: none; border: 1px solid var(--line); border-radius: 6px;
  cursor: pointer; padding: 2px 9px; }
#close:hover { color: var(--ink); background: var(--hover); }
#detail-body { padding: 4px 16px 18px; }
.detail h3 { font-size: 12px; font-weight: 600; color: var(--soft); margin: 16px 0 6px; }
.detail .track { height: 22px; margin-top: 12px; background: none; border: 0; }
.problem { color: var(--bad); overflow-wrap: anywhere; margin-top: 8px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); gap: 8px 14px; margin-top: 12px; }
.facts dt { color: var(--soft); font-size: 12px; }
.facts dd { overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; }
th { font-size: 12px; font-weight: 400; color: var(--soft); text-align: left; }
th, td { padding: 3px 10px 3px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td:first-child, .events td { overflow-wrap: anywhere; }
td.number, th.number { text-align: right; padding-right: 0; padding-left: 10px; white-space: nowrap; }
td .part { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 8px; }
td small { color: var(--soft); font-size: 12px; }
td small.why { color: var(--bad); }
.events td:first-child { white-space: nowrap; color: var(--soft); text-align: right; }
.events .Warning b { color: var(--warn); }
.events .Error b { color: var(--bad); }
.events b { font-weight: 550; }
.message { border: 1px solid var(--line); border-radius: 6px; margin-top: 6px; overflow: hidden; }
.message h4 { margin: 0; font-size: 12px; font-weight: 550; color: var(--soft); padding: 4px 10px;
  background: var(--hover); }
.message pre { margin: 0; padding: 8px 10px; font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.message pre + pre { border-top: 1px dashed var(--line); }
.hint { color: var(--soft); font-size: 13px; margin-top: 6px; }

@media (min-width: 1021px) {
  .columns:has(.detail:not([hidden])) .row { grid-template-columns: 16px minmax(120px, 15fr) minmax(140px, 20fr) 64px; }
  .columns:has(.detail:not([hidden])) :is(.tokens, .cost) { display: none; }
}
@media (max-width: 1020px) {
  .detail { position: fixed; inset: 0; z-index: 2; max-height: none; border: 0; border-radius: 0; }
}
@media (max-width: 820px) {
  body { padding: 0 12px 16px; }
  .row { grid-template-columns: 16px minmax(0, 1fr) auto auto; gap: 4px 10px; padding: 8px 10px; }
  .row .track, .scale .ticks { grid-column: 2 / -1; grid-row: 2; }
  .row .tokens { display: none; }
  .scale > span:not(.ticks) { display: none; }
  .scale .ticks { grid-row: 1; }
  .sums { grid-template-columns: repeat(4, 1fr); }
  .sums dd { font-size: 16px; }
  .filters label:not(.grow) { flex: 1 1 120px; }
  .filters .grow { flex-basis: 100%; }
  .filters select { max-width: none; }
  .keys { display: none; }
  .policy { grid-template-columns: 48px minmax(0, 1fr); }
  .policy p { grid-column: 2; }
}
`
