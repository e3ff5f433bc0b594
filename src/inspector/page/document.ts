/** The page, before it has data. */
export const document = /* html */ `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>effect-llm inspector</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/inspector.css">
<script type="module" src="/inspector.js"></script>
</head>
<body>
<header class="top">
  <h1>effect-llm <span>inspector</span></h1>
  <p id="connection" role="status">Connecting</p>
</header>
<dl id="sums" class="sums" aria-label="Sums of the calls shown"></dl>
<ul id="policies" class="policies" aria-label="Limits, budgets and circuits" tabindex="0" hidden></ul>
<form id="filters" class="filters" role="search" aria-label="Filter calls">
  <label class="grow"><span>Text</span>
    <input id="text" type="search" autocomplete="off" spellcheck="false" placeholder="id, model, target, tag, failure, prompt">
  </label>
  <label><span>Outcome</span>
    <select id="outcome">
      <option value="">all</option>
      <option value="running">running</option>
      <option value="ok">answered</option>
      <option value="cached">from the cache</option>
      <option value="shared">shared</option>
      <option value="failed">failed</option>
      <option value="interrupted">interrupted</option>
    </select>
  </label>
  <label><span>Model</span><select id="model"><option value="">all</option></select></label>
  <label><span>Bars</span>
    <select id="axis">
      <option value="duration">from each start</option>
      <option value="clock">on one clock</option>
    </select>
  </label>
</form>
<div class="columns">
  <main>
    <ul class="legend" aria-label="Colours of the bars">
      <li><i class="part cache"></i>cache</li>
      <li><i class="part shared"></i>shared run</li>
      <li><i class="part queue"></i>queue</li>
      <li><i class="part attempt"></i>attempt</li>
      <li><i class="part attempt failed"></i>failed attempt</li>
      <li><i class="part backoff"></i>back-off</li>
      <li><i class="part check"></i>start, reading</li>
    </ul>
    <div class="scale row" aria-hidden="true">
      <span></span><span>Call</span><span id="ticks" class="ticks"></span>
      <span class="time">Time</span><span class="tokens">Tokens</span><span class="cost">Cost</span>
    </div>
    <ol id="calls" class="calls" aria-label="Calls, the newest first" aria-describedby="keys"></ol>
    <p id="none" class="none">No calls yet.</p>
    <p id="keys" class="keys"><kbd>↑</kbd> <kbd>↓</kbd> move <kbd>Enter</kbd> opens a call <kbd>Esc</kbd> closes it
      <kbd>/</kbd> filters</p>
  </main>
  <aside id="detail" class="detail" aria-labelledby="detail-title" hidden>
    <header>
      <h2 id="detail-title" tabindex="-1"></h2>
      <button id="close" type="button" aria-label="Close the call">✕</button>
    </header>
    <div id="detail-body"></div>
  </aside>
</div>
<noscript>This page needs JavaScript, all of which this program serves itself.</noscript>
</body>
</html>
`
