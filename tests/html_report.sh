#!/bin/sh
# Renders every golden HTML report in headless Chromium: as pictures (light, dark, narrow) to look at, and on paper.
# Checks that each renders: a picture and a PDF come out, the verdict is on the page, nothing was blocked or loaded. On a
# screen of 390 pixels and on one of 1,100, no element is wider than the screen, so that no column is cut off. On the narrow one
# no cell without a value is shown, because it would be a heading alone.
# Not part of `cargo test`, since it needs a browser: on Debian `apt-get install chromium`.
#
# Usage: tests/html_report.sh [FOLDER FOR THE PICTURES]
set -eu

reports=$(cd "$(dirname "$0")/golden/report" && pwd)
out=${1:-$(mktemp -d)}
mkdir -p "$out"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
browser=${CHROMIUM:-chromium}

# --no-sandbox: the sandbox does not start as root, as in most CI images. The pages are our own.
browse() {
    "$browser" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking --hide-scrollbars \
        --enable-logging=stderr --user-data-dir="$profile" "$@" 2>"$profile/log"
}

fail() {
    echo "html report $1: $2" >&2
    exit 1
}

# A page with the report in a frame of a phone's width: a window cannot be that narrow. The golden pages have no style.
frame() {
    cat >"$profile/frame.html" <<FRAME
<body style="margin:0"><iframe id="f" src="page.html" width="$1" height="$2" style="border:0"></iframe>
<script>
document.getElementById("f").onload = () => {
  const page = document.getElementById("f").contentDocument;
  const hidden = (e) => e.closest("caption, thead") && getComputedStyle(e.closest("caption, thead")).position === "absolute";
  const wide = [...page.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > $1 + 0.5 && !hidden(e));
  const empty = $1 < 700 ? [...page.querySelectorAll("tbody td.empty")].filter((e) => e.getClientRects().length) : [];
  document.body.dataset.empty = empty.length;
  document.body.dataset.wide = wide.map((e) => e.tagName + ":" + e.textContent.trim().replace(/\s+/g, " ").slice(0, 40)).join("; ") || "none";
};
</script></body>
FRAME
}

style=$(dirname "$0")/../src/report/html.css
for golden in "$reports"/*.html; do
    name=$(basename "$golden" .html)
    page=$profile/page.html
    sed -e "/<style><\/style>/{s/<\/style>//;r $style" -e 'a </style>' -e '}' "$golden" >"$page"
    for width in 390 1100; do
        frame "$width" 3000
        browse --allow-file-access-from-files --virtual-time-budget=5000 --dump-dom "file://$profile/frame.html" >"$profile/dom"
        grep -q 'data-wide="none"' "$profile/dom" || fail "$name" "wider than $width: $(grep -o 'data-wide="[^"]*"' "$profile/dom")"
        grep -q 'data-empty="0"' "$profile/dom" || fail "$name" "$width: $(grep -o 'data-empty="[^"]*"' "$profile/dom"), headings without a value"
    done
    frame 390 3000
    browse --allow-file-access-from-files --window-size=500,3000 --screenshot="$out/$name.narrow.png" "file://$profile/frame.html"
    browse --dump-dom "file://$page" >"$profile/dom"
    grep -q '<h1>' "$profile/dom" || fail "$name" "the verdict is not on the page"
    if grep -E 'CONSOLE|Refused to|ERR_' "$profile/log"; then fail "$name" "the browser complained"; fi
    browse --window-size=1100,2400 --screenshot="$out/$name.png" "file://$page"
    browse --window-size=1100,1400 --blink-settings=preferredColorScheme=0 --screenshot="$out/$name.dark.png" "file://$page"
    browse --no-pdf-header-footer --print-to-pdf="$out/$name.pdf" "file://$page"
    for picture in "$out/$name.png" "$out/$name.dark.png" "$out/$name.narrow.png" "$out/$name.pdf"; do
        # A blank page of this size is below 10 kB.
        size=$(wc -c <"$picture") || fail "$name" "$picture is missing"
        [ "$size" -gt 15000 ] || fail "$name" "$picture is blank"
    done
done
echo "all reports render; the pictures are in $out"
