# Lines "deb NAME VERSION" and "cargo NAME vVERSION [(proc-macro)|(*)|(PATH)] LICENCE" to a CycloneDX bill of materials.
function escaped(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return text }
BEGIN { printf "{\n \"bomFormat\": \"CycloneDX\",\n \"specVersion\": \"1.5\",\n \"version\": 1,\n \"components\": [" }
{
  kind = $1; name = $2; version = $3; licence = $0
  sub(/^v/, "", version)
  if (seen[kind, name, version]++) next
  sub(/^[^ ]+ [^ ]+ [^ ]+ ?/, "", licence)
  gsub(/\((proc-macro|\*|[^ )]*\/[^ )]*)\) ?/, "", licence)
  printf "%s\n  {\"type\": \"library\", \"name\": \"%s\", \"version\": \"%s\"", (count++ ? "," : ""), escaped(name), escaped(version)
  printf ", \"purl\": \"pkg:%s/%s@%s\"", (kind == "deb" ? "deb/debian" : kind), escaped(name), escaped(version)
  if (licence != "") printf ", \"licenses\": [{\"expression\": \"%s\"}]", escaped(licence)
  printf "}"
}
END { printf "\n ]\n}\n" }
