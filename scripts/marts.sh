#!/usr/bin/env bash
# Builds the marts from a local lake: what is new in it since the last time, or all of it the first time.
#
# Environment: LAKE (the lake's folder), MARTS (the DuckDB file to build), DBT (the dbt program).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(realpath -m "$LAKE")
database=$(realpath -m "$MARTS")
program=$(realpath -s "$DBT")
if [ ! -d "$folder/ledger/v1" ]; then
  echo "$folder holds no lake: run the engine first, or name the folder of its lake with LAKE=" >&2
  exit 1
fi
case $(basename "$database" | cut -d. -f1) in
  staging | lake | core | charts | marts | rules)
    # DuckDB calls the database after its file.
    echo "$database has the name of a schema in it, which makes names in queries ambiguous: choose another with MARTS=" >&2
    exit 1
    ;;
esac
mkdir -p "$(dirname "$database")"

python3 dbt/scripts/chart_rules.py --check
export BEATLYTICA__LAKE__URL="file://$folder" BEATLYTICA_MARTS="$database" DBT_TARGET=duckdb
export DBT_SEND_ANONYMOUS_USAGE_STATS=false DBT_TARGET_PATH="$PWD/.cache/dbt/target" DBT_LOG_PATH="$PWD/.cache/dbt/logs"
"$program" build --project-dir dbt --profiles-dir dbt

cat <<EOF_DONE

The marts are in $database. For example:
  duckdb "$database" "select chart_rank, artist, song, points, last_rank, peak_rank, weeks_on_chart
    from marts.chart_weekly where rule_set = 'billboard-2026' order by week_start desc, chart_rank limit 10"
EOF_DONE
