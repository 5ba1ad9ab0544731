#!/usr/bin/env bash
# Creates a Python environment with the measured modules, in the given directory.
set -euo pipefail

into=$1
requirements=$(dirname "$0")/requirements.txt
if ! cmp --quiet "$requirements" "$into/requirements.txt"; then
    rm -rf "$into"
    python3 -m venv "$into"
    "$into/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    # Copied last, so that its presence means that the environment is complete.
    cp "$requirements" "$into/requirements.txt"
fi
