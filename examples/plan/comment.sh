#!/bin/sh
# Writes a plan of a pull request as Markdown for a comment.
#
# Usage: comment.sh BASE HEAD > comment.md
# BASE and HEAD are folders or files of manifests: those of the branch that the pull request goes to, and those of the pull request. Neither a root
# key nor a cluster is needed, so that it also runs for pull requests from forks. Exits 3 if the plan deletes an identity, removes or tightens a rate
# limit, or holds an invalid manifest.
set -eu
base=$1 head=$2
unkey_operator=${UNKEY_OPERATOR:-unkey-operator}

status=0
plan=$("$unkey_operator" plan --recursive --base "$base" --filename "$head" \
    --fail-on delete --fail-on remove-limit --fail-on tighten --fail-on invalid) || status=$?
# 1 and 2: there is no plan, and the program has said why.
if [ "$status" != 0 ] && [ "$status" != 3 ]; then
    exit "$status"
fi

echo "### Plan of this pull request"
echo
if [ "$status" = 3 ]; then
    echo "**It deletes an identity, removes or tightens a rate limit, or holds an invalid manifest.**"
    echo
fi
echo '```text'
printf '%s\n' "$plan"
echo '```'
exit "$status"
