#!/usr/bin/env bash
# Compares the build time of a program with #[pidfile] with that of programs with #[instrument] of
# tracing and without an attribute. Prints tables in Markdown.
#
#   benches/build_cost.sh [ROUNDS]
#
# Every build is a clean build. Each round builds every program, so that other load on the machine
# affects all of them. The first round is not counted, because it may download crates.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-5}
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
programs=(bare pidlock tracing)
unset CARGO_TARGET_DIR

# Creates a program with the given name, dependency and attribute.
program() {
    local dir=$work/$1
    mkdir -p "$dir/src"
    # Use the dependency versions of this repository.
    cp Cargo.lock "$dir"
    cat >"$dir/Cargo.toml" <<END
[package]
name = "$1"
version = "0.0.0"
edition = "2024"

[dependencies]
$2

[profile.release]
strip = true

[workspace]
END
    cat >"$dir/src/main.rs" <<END
$3
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", std::env::args().count());
    Ok(())
}
END
}

# Builds a program from scratch, and records the wall and processor seconds.
build() {
    local program=$1 profile=$2 log=$work/log TIMEFORMAT='%R %U %S'
    rm -rf "$work/$program/target"
    {
        time cargo build --quiet --profile "$profile" --manifest-path "$work/$program/Cargo.toml" 2>"$log"
    } 2>"$work/time" || { cat "$log" >&2; exit 1; }
    awk '{ print $1, $2 + $3 }' "$work/time" >>"$work/$program.$profile"
}

# Prints the median of a column.
median() {
    sort -n -k "$2,$2" "$1" | awk -v column="$2" '
        { of[NR] = $column }
        END { print (of[int((NR + 1) / 2)] + of[int((NR + 2) / 2)]) / 2 }'
}

crates() {
    cargo tree --quiet --manifest-path "$work/$1/Cargo.toml" --edges normal,build --prefix none \
        --no-dedupe | sed 's/ .*//' | sort -u | grep -cvx "$1" || true
}

size() { stat --format %s "$work/$1/target/release/$1"; }

program bare '' ''
program pidlock "pidlock-core = { path = \"$root/pidlock-core\" }" '#[pidlock_core::pidfile("build-cost")]'
program tracing 'tracing = { version = "0.1", default-features = false, features = ["attributes", "std"] }' \
    '#[tracing::instrument]'

for ((round = 0; round <= rounds; round++)); do
    for profile in dev release; do
        for program in "${programs[@]}"; do
            build "$program" "$profile"
        done
    done
    ((round > 0)) || rm "$work"/*.dev "$work"/*.release
done

echo '| clean build | wall s | of tracing | CPU s | of tracing |'
echo '|---|---|---|---|---|'
for profile in dev release; do
    for program in "${programs[@]}"; do
        row="| $program, $profile"
        for column in 1 2; do
            took=$(median "$work/$program.$profile" $column)
            beside=$(median "$work/tracing.$profile" $column)
            row+=" | $(awk -v a="$took" -v b="$beside" 'BEGIN { printf "%.2f | %.2f", a, a / b }')"
        done
        echo "$row |"
    done
done
echo
echo '| program | crates | bytes, stripped release | beyond bare |'
echo '|---|---|---|---|'
for program in "${programs[@]}"; do
    bytes=$(size "$program")
    echo "| $program | $(crates "$program") | $bytes | $((bytes - $(size bare))) |"
done
echo
echo "Median of $rounds rounds; $(rustc --version); $(nproc) cores."
