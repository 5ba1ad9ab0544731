#!/usr/bin/env bash
# Makes a Python environment with those that we are measured beside, in the directory named.
set -euo pipefail

into=$1
requirements=$(dirname "$0")/requirements.txt
if ! cmp --quiet "$requirements" "$into/requirements.txt"; then
    rm -rf "$into"
    python3 -m venv "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    # Last: what is here is whole.
    cp "$requirements" "$into/requirements.txt"
fi
