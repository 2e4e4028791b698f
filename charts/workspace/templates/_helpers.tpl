{{/* Name of the chart, or what overrides it. */}}
{{- define "workspace.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the Deployment, and what other names begin with. */}}
{{- define "workspace.fullname" -}}
{{- $name := include "workspace.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "workspace.serviceName" -}}
{{- include "workspace.fullname" . | trunc 59 | trimSuffix "-" }}-svc
{{- end }}

{{- define "workspace.serviceAccountName" -}}
{{- include "workspace.fullname" . }}-sa
{{- end }}

{{- define "workspace.selectorLabels" -}}
app.kubernetes.io/name: {{ include "workspace.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* commonLabels cannot replace the chart's own: selectors depend on those. */}}
{{- define "workspace.labels" -}}
{{- $own := include "workspace.selectorLabels" . | fromYaml }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{- define "workspace.podLabels" -}}
{{- $own := include "workspace.labels" . | fromYaml }}
{{- merge $own .Values.podTemplateLabels | toYaml }}
{{- end }}
