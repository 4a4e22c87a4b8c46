#!/bin/sh
# Renders every golden HTML report in headless Chromium: as pictures (light, dark, narrow) to look at, and on paper.
# Checks only that each renders: a picture and a PDF come out, the verdict is on the page, nothing was blocked or loaded.
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

for page in "$reports"/*.html; do
    name=$(basename "$page" .html)
    browse --dump-dom "file://$page" >"$profile/dom"
    grep -q '<h1>' "$profile/dom" || fail "$name" "the verdict is not on the page"
    if grep -E 'CONSOLE|Refused to|ERR_' "$profile/log"; then fail "$name" "the browser complained"; fi
    browse --window-size=1100,2400 --screenshot="$out/$name.png" "file://$page"
    browse --window-size=1100,1400 --blink-settings=preferredColorScheme=0 --screenshot="$out/$name.dark.png" "file://$page"
    browse --window-size=500,1400 --screenshot="$out/$name.narrow.png" "file://$page"
    browse --no-pdf-header-footer --print-to-pdf="$out/$name.pdf" "file://$page"
    for picture in "$out/$name.png" "$out/$name.dark.png" "$out/$name.narrow.png" "$out/$name.pdf"; do
        # A blank page of this size is below 10 kB.
        size=$(wc -c <"$picture") || fail "$name" "$picture is missing"
        [ "$size" -gt 15000 ] || fail "$name" "$picture is blank"
    done
done
echo "all reports render; the pictures are in $out"
