#!/bin/sh
# root.sh DIST ROOT: lays out the file system of the engine's image: the program of DIST, the libraries that it is linked with,
# certificates, a user without rights, and the list of what is in it.
set -eu
dist=$1
root=$2
mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/usr/share/doc/beatlytica" "$root/tmp"
# Where a volume for a local lake is mounted: it takes this owner.
install -d -m 0750 -o 65532 -g 65532 "$root/lake"
chmod 1777 "$root/tmp"
install -m 0755 "$dist/beatlytica" "$root/usr/bin/beatlytica"

libraries=$(ldd "$dist/beatlytica" | awk '/not found/ { print "missing library: " $0 > "/dev/stderr"; exit 1 } /=> \// { print $3 } $1 ~ /^\// { print $1 }')
for library in $libraries; do
  mkdir -p "$root$(dirname "$library")"
  cp -L "$library" "$root$library"
done

cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
printf 'beatlytica:x:65532:65532::/tmp:/nonexistent\n' > "$root/etc/passwd"
printf 'beatlytica:x:65532:\n' > "$root/etc/group"

for library in $libraries; do readlink -f "$library"; echo "$library"; done | sort -u > /tmp/libraries
{
  # A library may lie in /usr/lib while its package says /lib.
  while read -r library; do dpkg-query -S "$library" "/usr$library" "${library#/usr}" 2>/dev/null || true; done < /tmp/libraries | cut -d: -f1 | sort -u
  echo ca-certificates
} | sort -u | while read -r package; do dpkg-query -W -f 'deb ${Package} ${Version}\n' "$package"; done > /tmp/packages.txt
{ cat /tmp/packages.txt; sed 's/^/cargo /' "$dist/crates.txt"; } | sort -u | awk -f "$(dirname "$0")/sbom.awk" > "$root/usr/share/doc/beatlytica/sbom.cdx.json"
