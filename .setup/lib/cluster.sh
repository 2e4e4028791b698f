# A Kubernetes control plane for the tests, built from the Go modules that tests/cluster/go pins. Part of setup.sh.

# The newest that does not need a newer Go than Kubernetes does.
karpenter_version=v1.9.0
karpenter_sum=h1:95p6+9AaZ/eYD3hLPyvBDBquC3v8m09T2u/pB/3Qrqs=

install_cluster() {
    local source=$here/../tests/cluster/go version directory stamp
    version=$(sed -n 's#^\s*k8s.io/kubernetes \(v\S*\)$#\1#p' "$source/go.mod")
    directory=$cache/kubernetes/$version
    stamp=$(cat "$source"/{go.mod,go.sum,main.go} "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
    if [[ -f $directory/stamp && $(<"$directory/stamp") == "$stamp" ]]; then
        step Kubernetes "already there: $directory"
        return
    fi
    export GOWORK=off GOFLAGS="-mod=readonly -trimpath -buildvcs=false" CGO_ENABLED=0
    local reason=""
    if ! command -v go >/dev/null; then
        reason="go is not in the PATH"
    elif ! go -C "$source" list -m >/dev/null 2>"$work/go.log"; then
        reason=$(tail -n 1 "$work/go.log")
    fi
    if [[ -n $reason ]]; then
        [[ -z ${REQUIRE_CLUSTER:-} ]] || fail "REQUIRE_CLUSTER is set, and there is no Go 1.26 or newer: $reason"
        step Kubernetes "SKIPPED: NOTHING IS TESTED ON A CLUSTER ON THIS MACHINE, for want of Go 1.26 or newer: $reason"
        return
    fi

    local ready=$work/kubernetes helm=helm.sh/helm/v3 name
    mkdir "$ready"
    step Kubernetes "downloading Karpenter's CRDs, $karpenter_version"
    fetch_karpenter_crds "$ready/karpenter"
    step Kubernetes "downloading the modules of Kubernetes $version, etcd, kwok and helm"
    fetch_with_go -C "$source" list -deps . "$helm/cmd/helm" >/dev/null

    # What the makers' own builds stamp into their programs.
    local minor=${version#v1.} flags="-s -w"
    minor=${minor%%.*}
    for name in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        flags+=" -X $name.gitVersion=$version -X $name.gitMajor=1 -X $name.gitMinor=$minor"
    done
    for name in "$helm/pkg/chartutil" "$helm/pkg/lint/rules"; do
        flags+=" -X $name.k8sVersionMajor=1 -X $name.k8sVersionMinor=$minor"
    done
    step Kubernetes "building the control plane (ten minutes on two cores, once a machine)"
    build_with_go -C "$source" build -ldflags "$flags" -o "$ready/kubernetes" .
    for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubectl kwok; do
        ln -s kubernetes "$ready/$name"
    done
    step Kubernetes "building helm"
    build_with_go -C "$source" build -ldflags "$flags" -o "$ready/helm" "$helm/cmd/helm"
    echo "$stamp" >"$ready/stamp"
    put_in_place Kubernetes "$ready" "$directory"
}

# Takes the YAML files of a module that is not built, so go.sum does not name it.
fetch_karpenter_crds() {
    local target=$1 module sum files
    module=$(cd "$work" && fetch_with_go mod download -json "sigs.k8s.io/karpenter@$karpenter_version")
    read -r sum files < <(python3 -c '
import json, sys
module = json.loads(sys.argv[1])
print(module["Sum"], module["Dir"] + "/pkg/apis/crds")' "$module")
    [[ $sum == "$karpenter_sum" ]] ||
        fail "the module sigs.k8s.io/karpenter $karpenter_version has another checksum than .setup/lib/cluster.sh says"
    mkdir "$target"
    cp --no-preserve=mode "$files"/karpenter.sh_*.yaml "$target/"
}

# go, quiet; its words are shown only when it fails.
fetch_with_go() {
    go "$@" 2>"$work/go.log" || {
        tail -n 20 "$work/go.log" >&2
        ! grep --quiet -e "SECURITY ERROR" -e "checksum mismatch" "$work/go.log" ||
            fail "a download has another checksum than tests/cluster/go/go.sum, or Go's checksum database, says: see above"
        fail "go could not fetch modules: the Go module proxy (or what GOPROXY names) has to be reachable; repeat then" 69
    }
}

# The same without network, for it has everything, and with low priority, for it takes every core for minutes.
build_with_go() {
    GOPROXY=off nice -n 15 go "$@" 2>"$work/go.log" || {
        tail -n 20 "$work/go.log" >&2
        fail "go could not build tests/cluster/go: see above"
    }
}
