# Downloads files. What it is told is in its environment:
#
#   DATA_URLS         the URLs, with spaces between them
#   DATA_VOLUME_PATH  the directory to put the files into
#
# Kubernetes puts a single dollar sign where there are two, so there must not be two next to each other here.
set -euf

TRIES=3

fetch() {
    # Of redirections, too, only those to http and https are followed. A connection that stands still is given up.
    status=$(curl --silent --show-error --globoff --location --proto '=http,https' --proto-redir '=http,https' --max-redirs 10 \
        --connect-timeout 30 --speed-limit 1 --speed-time 300 \
        --output "$2" --write-out '%{http_code}' --url "$1") || return 1
    if [ "$status" != 200 ]; then
        echo "the server answers $status" >&2
        return 1
    fi
    if [ ! -s "$2" ]; then
        echo "the file is empty" >&2
        return 1
    fi
}

download() {
    path=${1%%#*}
    path=${path%%\?*}
    name=${path##*/}
    if [ "$name" = . ] || [ "$name" = .. ] || [ -z "$name" ] || [ "${path#*://}" = "$name" ]; then
        echo "$path names no file; give a URL whose path ends with a file's name" >&2
        return 1
    fi
    partial=$DATA_VOLUME_PATH/.partial
    try=1
    until fetch "$1" "$partial"; do
        rm -f "$partial"
        if [ "$try" -ge "$TRIES" ]; then
            echo "cannot download $path in $TRIES tries" >&2
            return 1
        fi
        try=$((try + 1))
        sleep 2
    done
    mv "$partial" "$DATA_VOLUME_PATH/$name"
    echo "downloaded $path"
}

for url in $DATA_URLS; do
    case $url in
        [Hh][Tt][Tt][Pp]://* | [Hh][Tt][Tt][Pp][Ss]://*) download "$url" ;;
        *)
            echo "a URL begins neither with http:// nor with https://" >&2
            exit 1
            ;;
    esac
done
