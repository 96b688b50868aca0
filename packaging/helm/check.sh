#!/bin/sh
# Renders the chart and looks at what comes out. With helm where it is at hand, else with what Helm's engine is made of
# (on Debian: golang-go golang-github-masterminds-sprig-dev golang-k8s-sigs-yaml-dev python3-yaml).
#   check.sh OBOL      (the program, which reads the configuration that the chart makes)
set -eu

obol=$(realpath "$1")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if command -v helm > /dev/null; then
    helm lint --strict obol --values cases/sqlite.yaml
    helm lint --strict obol --values cases/postgres.yaml
    render() { helm template test obol "$@"; }
else
    GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$work/cache" go build -o "$work/render" render/main.go
    render() {
        [ "$#" = 0 ] || shift
        "$work/render" obol test "$@"
    }
fi
for case in sqlite postgres; do
    render --values "cases/$case.yaml" > "$work/$case.yaml"
done
for case in cases/refused-*.yaml; do
    if render --values "$case" > /dev/null 2> "$work/said"; then
        echo "$case is not refused" >&2
        exit 1
    fi
    said=$(sed -n 's/^# says: //p' "$case")
    grep -q -F "$said" "$work/said" || { echo "$case: $(cat "$work/said")" >&2; exit 1; }
done
python3 check.py "$obol" "$work"
echo "the chart holds"
