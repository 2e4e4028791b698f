# Waits until a model is tuned, then makes an image of the adapter and pushes it.
#
#   $1  the directory of results
#   $2  the image, with registry and tag
#   $3  annotations of the image, as JSON for the option --annotation-file of oras
#   $4  where the processes of all containers of the pod are listed: /proc
#
# Kubernetes puts a single dollar sign where there are two, so there must not be two next to each other here.
set -eu

results=$1
image=$2
annotations=$3
processes=$4

# Seconds in which the training has to begin: it may have ended before this container was there to see it.
BEGINNING=3600
PUSHES=5

# The pod is not done before its container "pause" is, whatever comes of this one. Process 1 is the pod's own.
end_pause() {
    for process in "$processes"/[0-9]*; do
        id=${process##*/}
        if [ "$id" != 1 ] && [ "$(cat "$process/comm" 2>/dev/null)" = pause ]; then
            kill -TERM "$id" 2>/dev/null || true
        fi
    done
}

work=$(mktemp -d)
trap 'end_pause; rm -rf "$work"' EXIT
trap 'exit 143' TERM

# The brackets keep the expression from finding itself among the arguments of this program.
training() {
    grep -qs '[f]ine_tuning\.py' "$processes"/[0-9]*/cmdline
}

# Once a second, until the training says that it is complete.
wait_for_results() {
    seen=
    waited=0
    while :; do
        if training; then
            seen=yes
            running=yes
        else
            running=
        fi
        if [ -e "$results/fine_tuning_completed.txt" ]; then
            return 0
        fi
        if [ -n "$seen" ] && [ -z "$running" ]; then
            echo "the training ended without a result; see the log of its container" >&2
            return 1
        fi
        if [ -z "$seen" ] && [ "$waited" -ge "$BEGINNING" ]; then
            echo "the training did not begin" >&2
            return 1
        fi
        sleep 1
        waited=$((waited + 1))
    done
}

# One layer with the adapter's two files in data/, as pullers want it. No platform is named, so that every one will do.
make_image() {
    mkdir data
    for file in adapter_config.json adapter_model.safetensors; do
        if [ ! -f "$results/$file" ]; then
            echo "the training made no $file" >&2
            return 1
        fi
        ln -s "$results/$file" "data/$file"
    done
    tar -c -h -f layer.tar data
    digest=$(sha256sum layer.tar)
    gzip layer.tar
    printf '{"rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "${digest%% *}" >config.json
    printf '%s' "$annotations" >annotations.json
    oras push --annotation-file annotations.json --config config.json:application/vnd.oci.image.config.v1+json \
        --oci-layout layout:latest layer.tar.gz:application/vnd.oci.image.layer.v1.tar+gzip
}

# Several tries, since hours of work are lost with the pod.
push() {
    try=1
    until oras cp --from-oci-layout layout:latest "$image"; do
        if [ "$try" -ge "$PUSHES" ]; then
            echo "cannot push $image: see above why, and check its name and imagePushSecret" >&2
            return 1
        fi
        sleep $((try * 10))
        try=$((try + 1))
    done
}

cd "$work"
wait_for_results
make_image
push
