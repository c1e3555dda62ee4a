#!/usr/bin/env bash
# Builds the marts from a local lake: what is new in it since the last time, or all of it the first time.
#
# Environment: LAKE (the lake's folder), MARTS (the DuckDB file to build), DBT (the dbt program).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

lake=$(realpath -m "$LAKE")
marts=$(realpath -m "$MARTS")
dbt=$(realpath -s "$DBT")
if [ ! -d "$lake/ledger/v1" ]; then
  echo "$lake holds no lake: run the engine first, or name the folder of its lake with LAKE=" >&2
  exit 1
fi
mkdir -p "$(dirname "$marts")"

python3 dbt/scripts/chart_rules.py --check
export BEATLYTICA__LAKE__URL="file://$lake" BEATLYTICA_MARTS="$marts" DBT_TARGET=duckdb
export DBT_SEND_ANONYMOUS_USAGE_STATS=false DBT_TARGET_PATH="$PWD/.cache/dbt/target" DBT_LOG_PATH="$PWD/.cache/dbt/logs"
"$dbt" build --project-dir dbt --profiles-dir dbt

cat <<EOF_DONE

The marts are in $marts. For example:
  duckdb "$marts" "select chart_rank, artist, song, points, last_rank, peak_rank, weeks_on_chart
    from marts.chart_weekly where rule_set = 'billboard-2026' order by week_start desc, chart_rank limit 10"
EOF_DONE
