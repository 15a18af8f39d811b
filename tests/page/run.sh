#!/usr/bin/env bash
# Tests the page of `mobilenet serve` in a real browser.
#
#   tests/page/run.sh                      # with target/release/mobilenet
#   MOBILENET=PROGRAM tests/page/run.sh    # with another build
#   CHROMIUM=PROGRAM tests/page/run.sh     # in another Chromium than the one on the path
#   SCREENSHOTS=FOLDER tests/page/run.sh   # screenshots go there, else to target/page; look at them
#
# It starts the program with the digits network on a free port of 127.0.0.1. It needs Node 20 or
# newer, Chromium, and the two packages that package-lock.json pins; what of them is missing it
# installs where it may (npm; apt-get if it is root). Where they can't be had it says so and passes.
set -euo pipefail
cd "$(dirname "$0")"

skip() {
    echo "skipped: the page's test: $1"
    exit 0
}

root=$(cd ../.. && pwd)
export MOBILENET=${MOBILENET:-$root/target/release/mobilenet}
export SCREENSHOTS=${SCREENSHOTS:-$root/target/page}
# A browser's first start and a busy machine take their time.
seconds=${SECONDS_AT_MOST:-600}

command -v node > /dev/null || skip "no node"
node -e 'process.exit(Number(process.versions.node.split(".")[0]) >= 20 ? 0 : 1)' ||
    skip "node $(node --version) is older than 20"
if [ -z "${CHROMIUM:-}" ]; then
    find_chromium() { command -v chromium || command -v chromium-browser || command -v google-chrome; }
    if ! find_chromium > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
        (apt-get update && apt-get install -y --no-install-recommends chromium) > /dev/null 2>&1 || true
    fi
    CHROMIUM=$(find_chromium) || skip "no Chromium"
    export CHROMIUM
fi
if ! npm ls --silent > /dev/null 2>&1; then
    npm ci --silent > /dev/null 2>&1 || skip "npm can't fetch playwright-core and axe-core"
fi
[ -x "$MOBILENET" ] || {
    echo "$MOBILENET is not there: build it first" >&2
    exit 1
}
mkdir -p "$SCREENSHOTS"
exec timeout "$seconds" node --test --test-concurrency=1 --test-reporter=spec ./*.test.mjs
