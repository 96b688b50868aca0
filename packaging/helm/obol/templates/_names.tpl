{{- define "obol.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end -}}
{{- end -}}

{{- define "obol.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "obol.labels" -}}
{{ include "obol.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* What makes no installation is refused here, before anything runs. */}}
{{- define "obol.refuse" -}}
{{- $_ := required "issuer is required: the URL under which clients reach obol" .Values.issuer -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.database.url) -}}
{{- fail "replicas: more than one needs database.url, because SQLite has one server" -}}
{{- end -}}
{{- if and .Values.database.url (not .Values.masterKeySecret) -}}
{{- fail "masterKeySecret is required with database.url: all pods need the same master key" -}}
{{- end -}}
{{- if and (not .Values.tls.secretName) (not .Values.behindProxy) -}}
{{- fail "either tls.secretName or behindProxy is required: credentials never travel in clear" -}}
{{- end -}}
{{- range $name, $_ := .Values.options -}}
{{- if has $name (list "data" "listen" "issuer" "database_url" "database_password_file" "master_key_file" "tls_cert" "tls_key" "tls_self_signed" "behind_proxy" "stop_delay_ms") -}}
{{- fail (printf "options.%s is set by the chart: see its values" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A probe: kubelet comes from outside, where a plain listener answers its proxies only, so it asks from within then. */}}
{{- define "obol.probe" -}}
{{- if .tls -}}
httpGet: {path: {{ .path }}, port: http, scheme: HTTPS}
{{- else -}}
exec:
  command: [curl, --fail, --silent, --output, /dev/null, "http://127.0.0.1:8080{{ .path }}"]
{{- end }}
timeoutSeconds: 3
{{- end -}}
