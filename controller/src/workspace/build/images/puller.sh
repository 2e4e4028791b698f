# Unpacks the directory /data of an image into a directory.
#
#   $1  the image, with registry and tag or digest
#   $2  the directory, which is made if it is missing
#   $3  directory of registry credentials, a Docker configuration a file; empty for none
#
# Kubernetes puts a single dollar sign where there are two, so there must not be two next to each other here.
set -eu

image=$1
target=$2
credentials=${3:-}

work=$(cd "$(mktemp -d)" && pwd -P)
trap 'rm -rf "$work"' EXIT
layout=$work/layout
root=$work/root

# Without credentials first: most images are public, and credentials of another registry would only be refused.
copy() {
    rm -rf "$layout"
    skopeo --command-timeout 6h copy --retry-times 3 --dest-decompress "$@" "docker://$image" "dir:$layout"
}

pull() {
    if copy; then
        return 0
    fi
    if [ -n "$credentials" ]; then
        for file in "$credentials"/*; do
            if [ -f "$file" ] && copy --authfile "$file"; then
                return 0
            fi
        done
    fi
    return 1
}

# Removes what a layer says is not there any more, below the new root only. That has to happen before the layer is
# unpacked: it may put something in the place of what it removes.
remove_old() {
    tar -t -f "$1" | while IFS= read -r entry; do
        name=${entry##*/}
        directory=$(cd "$root/${entry%"$name"}" 2>/dev/null && pwd -P) || continue
        case $directory/ in
            "$root"/*) ;;
            *) continue ;;
        esac
        case $name in
            .wh..wh..opq) find "$directory" -mindepth 1 -maxdepth 1 -exec rm -rf {} + ;;
            .wh..wh.*) ;;
            .wh.?*) rm -rf "${directory:?}/${name#.wh.}" ;;
        esac
    done
}

unpack() {
    mkdir "$root"
    layers=$(skopeo inspect --format '{{ range .Layers }}{{ println . }}{{ end }}' "dir:$layout")
    for digest in $layers; do
        layer=$layout/${digest#*:}
        remove_old "$layer"
        tar -x -o -f "$layer" -C "$root"
    done
    find "$root" -name '.wh.*' -exec rm -rf {} +
}

deliver() {
    if [ ! -d "$root/data" ] || [ -L "$root/data" ]; then
        echo "$image has no directory /data; put the files there" >&2
        exit 1
    fi
    mkdir -p "$target"
    # A second try finds what the first has left.
    find "$target" -mindepth 1 -maxdepth 1 -exec rm -rf {} +
    find "$root/data" -mindepth 1 -maxdepth 1 -exec mv {} "$target" \;
}

if ! pull; then
    echo "cannot pull $image: see above why, and check its name and the pull secrets" >&2
    exit 1
fi
unpack
deliver
