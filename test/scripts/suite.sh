# suite.sh - a test script from a list of shell functions.
#
#   . "$(dirname "$0")/suite.sh"
#   a_claim() { ... }              # fails if a command fails, as with set -e
#   suite_main "$@" -- a_claim ...
#
# Same protocol as the test programs: --list, --only PATTERN, a line PASS or
# FAIL for each; and SKIP where a test calls `skip "reason"`.  $root is the
# source tree, $build the build folder (of the release preset unless
# COACT_BUILD says otherwise), $tmp a folder that goes away after the test.
#
# SPDX-License-Identifier: MIT
set -euo pipefail
export LC_ALL=C

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${COACT_BUILD:-$root/build/release}
SKIPPED=77

skip() {
    echo "$1"
    exit $SKIPPED
}

fail() {
    echo "$1"
    exit 1
}

suite_is_wanted() { # name pattern
    # shellcheck disable=SC2053 # the right side is a pattern
    [ -z "$2" ] || [[ $1 == $2 ]] || [[ $1 == *"$2"* ]]
}

suite_run_one() { # name
    local rc=0
    tmp=$(mktemp -d)
    # In a shell of its own, or `set -e` would not hold in it.
    set +e
    (
        set -e
        "$1"
    ) >"$tmp.log" 2>&1
    rc=$?
    set -e
    case $rc in
    0) echo "PASS $1" ;;
    "$SKIPPED") echo "SKIP $1 ($(tail -n 1 "$tmp.log"))" ;;
    *)
        echo "FAIL $1"
        sed 's/^/     /' "$tmp.log"
        echo "     again: test/run --only $1"
        suite_failed=1
        ;;
    esac
    rm -rf "$tmp" "$tmp.log"
}

suite_main() {
    local list=no pattern='' name
    while [ "$1" != -- ]; do
        case $1 in
        --list) list=yes ;;
        --only)
            pattern=$2
            shift
            ;;
        *)
            echo "usage: $0 [--list | --only PATTERN]" >&2
            exit 2
            ;;
        esac
        shift
    done
    shift
    if [ $list = yes ]; then
        printf '%s\n' "$@"
        exit 0
    fi
    suite_failed=0
    for name in "$@"; do
        ! suite_is_wanted "$name" "$pattern" || suite_run_one "$name"
    done
    exit $suite_failed
}
