"""The look of a report: one column, tables and pictures that scroll in their own boxes, nothing fetched."""

STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f8fa; color: #24292f; font: 16px/1.55 system-ui, "Segoe UI", "Noto Sans", sans-serif;
  -webkit-text-size-adjust: 100%; }
main { max-width: 1180px; margin: 2rem auto; padding: 2rem 2.5rem 3rem; background: #fff; border: 1px solid #d8dee4;
  border-radius: 10px; }
h1 { margin: 0 0 .2rem; font-size: 1.9rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { margin: 2.4rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid #d8dee4; font-size: 1.25rem; }
p { max-width: 75ch; overflow-wrap: anywhere; }
.fingerprint { margin: 0; max-width: none; color: #57606a;
  font: .85rem ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
.lead { margin: 1.4rem 0 0; padding: .9rem 1.2rem; max-width: none; background: #eef5fb; border-left: 4px solid #0072b2;
  border-radius: 0 6px 6px 0; }
.scroll, figure > div { overflow-x: auto; }
table { border-collapse: collapse; margin: .4rem 0 1.2rem; font-size: .94rem; }
caption { padding: .3rem 0; text-align: left; color: #57606a; }
caption span { display: block; max-width: min(75ch, calc(100vw - 2.2rem)); }
th, td { padding: .38rem .9rem .38rem 0; border-bottom: 1px solid #eaeef2; text-align: left; vertical-align: top; }
th { border-bottom: 1.5px solid #afb8c1; font-weight: 600; white-space: nowrap; }
td { overflow-wrap: break-word; }
.number { padding-left: .9rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { white-space: nowrap; }
td.long { min-width: 11rem; white-space: normal; }
dl { margin: .4rem 0 1.2rem; max-width: 75ch; font-size: .94rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .5rem 1.2rem; overflow-wrap: anywhere; }
pre { margin: .4rem 0 1.2rem; padding: .8rem 1rem; background: #f6f8fa; border: 1px solid #d8dee4; border-radius: 6px;
  font: .88rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }
summary { cursor: pointer; color: #0a5c91; }
figure { margin: .8rem 0 1.4rem; }
img { display: block; max-width: max(100%, 720px); height: auto; }
figure svg { display: block; }
figcaption { margin-top: .3rem; max-width: 75ch; color: #57606a; font-size: .88rem; overflow-wrap: anywhere; }
@media (max-width: 700px) { main { margin: 0; padding: 1.1rem; border: 0; border-radius: 0; }
  h1 { font-size: 1.5rem; } }
@media print { body { background: #fff; } main { margin: 0; border: 0; } }
"""
