{{/* Name of the chart, or what overrides it. */}}
{{- define "ragengine.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Name of the Deployment and the Service, and what other names begin with. */}}
{{- define "ragengine.fullname" -}}
{{- $name := include "ragengine.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "ragengine.serviceName" -}}
{{- include "ragengine.fullname" . }}
{{- end }}

{{- define "ragengine.serviceAccountName" -}}
{{- include "ragengine.fullname" . }}-sa
{{- end }}

{{- define "ragengine.selectorLabels" -}}
app.kubernetes.io/name: {{ include "ragengine.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* commonLabels cannot replace the chart's own: selectors depend on those. */}}
{{- define "ragengine.labels" -}}
{{- $own := include "ragengine.selectorLabels" . | fromYaml }}
{{- $_ := set $own "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $own "app.kubernetes.io/version" .Chart.AppVersion }}
{{- $_ := set $own "app.kubernetes.io/managed-by" .Release.Service }}
{{- merge $own .Values.commonLabels | toYaml }}
{{- end }}

{{- define "ragengine.podLabels" -}}
{{- $own := include "ragengine.labels" . | fromYaml }}
{{- merge $own .Values.podTemplateLabels | toYaml }}
{{- end }}
