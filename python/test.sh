#!/usr/bin/env bash
# Builds the Python module, installs it into an environment of its own, and compares it with the program.
#
#   python/test.sh                       # with target/release/mobilenet, which must have been built
#   python/test.sh -k arrays             # arguments are pytest's
#
# The environment is target/python/venv. It needs Python 3.11 or newer with pip, and what requirements.txt pins; where
# that can't be had it says so and passes.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    echo "skipped: the Python module's tests: $1"
    exit 0
}

MOBILENET=$(realpath "${MOBILENET:-target/release/mobilenet}")
export MOBILENET
environment=$PWD/target/python/venv
command -v python3 > /dev/null || skip "no python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    skip "$(python3 --version) is older than 3.11, as numpy has it"
[ -x "$MOBILENET" ] || {
    echo "$MOBILENET is not there: build it first" >&2
    exit 1
}
if ! [ -x "$environment/bin/pip" ]; then
    python3 -m venv "$environment" || skip "no venv with pip"
fi
"$environment/bin/pip" install --quiet --requirement python/tests/requirements.txt ||
    skip "pip can't fetch what requirements.txt names"

rm -rf target/python/wheels
PATH=$environment/bin:$PATH maturin build --quiet --release --locked --manifest-path python/Cargo.toml \
    --target-dir target --out target/python/wheels
"$environment/bin/pip" install --quiet --force-reinstall --no-deps target/python/wheels/*.whl
exec "$environment/bin/python" -P -m pytest -q -p no:cacheprovider python/tests "$@"
