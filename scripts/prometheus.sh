#!/usr/bin/env bash
# Prometheus, promtool, Alertmanager and amtool out of Debian's packages, unpacked below .cache/prometheus: they are not
# installed and no service is started. Only their pages and templates are copied to /usr/share/prometheus, where the programs
# look for them; that needs root.
#
#   prometheus.sh fetch           unpack what is missing
#   prometheus.sh pages           install what Prometheus' pages are drawn with (apt, as root)
#   prometheus.sh bin             print the folder that holds the programs
#   prometheus.sh check           check rules, their tests, and the configurations
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$here/../.cache/prometheus
infra=$here/../infra

fetch() {
  # The marker is written last: a download that was cut off is done again.
  [ -e "$cache/.complete" ] && return
  command -v apt-get >/dev/null || { echo "Debian's packages of Prometheus and Alertmanager need apt-get" >&2; return 1; }
  rm -rf "$cache"
  mkdir -p "$cache/packages"
  # A machine that never ran apt knows no packages yet.
  apt-cache show prometheus prometheus-alertmanager >/dev/null 2>&1 || apt-get update -qq
  (cd "$cache/packages" && apt-get download -qq -o APT::Sandbox::User=root prometheus prometheus-alertmanager)
  for package in "$cache"/packages/*.deb; do dpkg-deb -x "$package" "$cache"; done
  [ -e /usr/share/prometheus ] || cp -r "$cache/usr/share/prometheus" /usr/share/
  touch "$cache/.complete"
}

# What Prometheus' pages are drawn with; its package depends on these.
PAGES=(fonts-glyphicons-halflings libjs-bootstrap4 libjs-eonasdan-bootstrap-datetimepicker libjs-jquery libjs-jquery-hotkeys libjs-moment
  libjs-moment-timezone libjs-mustache libjs-popper.js libjs-rickshaw)

pages() {
  dpkg-query -W "${PAGES[@]}" > /dev/null 2>&1 && return
  if [ "$(id -u)" -ne 0 ]; then echo "without root Prometheus' pages stay plain; they are drawn with: ${PAGES[*]}" >&2; return; fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${PAGES[@]}" > /dev/null
}

check() {
  PATH=$cache/usr/bin:$PATH
  promtool check config --lint=all --lint-fatal "$infra/prometheus/prometheus.yml"
  promtool check rules --lint=all --lint-fatal "$infra"/prometheus/rules/*.yml
  promtool test rules "$infra"/prometheus/tests/*.yml
  amtool check-config "$infra/alertmanager/alertmanager.yml"
}

case ${1:-} in
fetch) fetch ;;
pages) pages ;;
# No &&, behind which a failure within fetch would not end it.
bin) fetch; (cd "$cache/usr/bin" && pwd) ;;
check) fetch; check ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
