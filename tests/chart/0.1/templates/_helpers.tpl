{{- define "unkey-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* At most 40 characters: "-leader-election" and what a ReplicaSet adds must fit behind it. */ -}}
{{- define "unkey-operator.fullname" -}}
{{- $name := include "unkey-operator.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "unkey-operator.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{- /* Names stand in templates by way of toYaml: some, such as 123, would be taken for something else than text. */ -}}
{{- define "unkey-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "unkey-operator.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end }}

{{- /*
The metadata of an object: "root" is the chart's scope, "name" the object's name. "namespace" is its namespace if not the release's,
false for none; "labels" and "annotations" are more of them. Nobody can replace the labels by which objects are selected.
*/ -}}
{{- define "unkey-operator.metadata" -}}
{{- $chart := dict "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $chart "app.kubernetes.io/version" (.root.Chart.AppVersion | toString) }}
{{- $_ := set $chart "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- $selected := include "unkey-operator.selectorLabels" .root | fromYaml -}}
name: {{ .name | toYaml }}
{{- if not (hasKey . "namespace") }}
namespace: {{ include "unkey-operator.namespace" .root | toYaml }}
{{- else if .namespace }}
namespace: {{ .namespace | toYaml }}
{{- end }}
labels:
  {{- merge $selected (.labels | default dict) (.root.Values.commonLabels | default dict) $chart | toYaml | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "unkey-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- .Values.serviceAccount.name | default (include "unkey-operator.fullname" .) }}
{{- else }}
{{- .Values.serviceAccount.name | default "default" }}
{{- end }}
{{- end }}

{{- define "unkey-operator.leaseName" -}}
{{- .Values.leaderElection.leaseName | default (include "unkey-operator.fullname" .) }}
{{- end }}

{{- define "unkey-operator.secretName" -}}
{{- .Values.rootKey.existingSecret | default (printf "%s-root-key" (include "unkey-operator.fullname" .)) }}
{{- end }}

{{- define "unkey-operator.image" -}}
{{- $image := .Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "unkey-operator.args" -}}
{{- $config := .Values.config }}
{{- $args := list "run"
    (printf "--api-url=%s" $config.apiUrl)
    "--root-key-file=/etc/unkey-operator/root-key"
    (printf "--default-adoption-policy=%s" $config.defaultAdoptionPolicy)
    (printf "--default-deletion-policy=%s" $config.defaultDeletionPolicy)
    (printf "--resync-interval=%s" $config.resyncInterval)
    (printf "--consistency-window=%s" $config.consistencyWindow)
    (printf "--request-timeout=%s" $config.requestTimeout)
    (printf "--max-concurrent-requests=%v" $config.maxConcurrentRequests)
    (printf "--max-requests-per-second=%v" $config.maxRequestsPerSecond)
    (printf "--rate-limit-share=%v" $config.rateLimitShare)
    (printf "--workers=%v" $config.workers)
    (printf "--admin-address=%s:%v" $config.adminAddress $config.adminPort)
    (printf "--log-format=%s" $config.logFormat)
    (printf "--log-level=%s" $config.logLevel) }}
{{- range .Values.watchNamespaces }}
{{- $args = append $args (printf "--namespace=%s" .) }}
{{- end }}
{{- with $config.selector }}
{{- $args = append $args (printf "--selector=%s" .) }}
{{- end }}
{{- if $config.acceptWorkspaceChange }}
{{- $args = append $args "--accept-workspace-change" }}
{{- end }}
{{- if .Values.leaderElection.enabled }}
{{- $args = concat $args (list
    "--leader-elect"
    (printf "--lease-name=%s" (include "unkey-operator.leaseName" .))
    (printf "--lease-namespace=%s" (include "unkey-operator.namespace" .))
    (printf "--lease-duration=%s" .Values.leaderElection.leaseDuration)) }}
{{- end }}
{{- concat $args (.Values.extraArgs | default list) | toYaml }}
{{- end }}

{{- /* What a schema cannot say of two values, or not in a sentence. */ -}}
{{- define "unkey-operator.check" -}}
{{- if and (gt (int .Values.replicaCount) 1) (not .Values.leaderElection.enabled) }}
{{- fail "replicaCount above 1 needs leaderElection.enabled" }}
{{- end }}
{{- if and .Values.rootKey.value .Values.rootKey.existingSecret }}
{{- fail "rootKey.value and rootKey.existingSecret cannot both be set" }}
{{- end }}
{{- if and .Values.metrics.serviceMonitor.enabled (not .Values.metrics.service.enabled) }}
{{- fail "metrics.serviceMonitor.enabled needs metrics.service.enabled" }}
{{- end }}
{{- $name := include "unkey-operator.fullname" . }}
{{- if and .Values.metrics.service.enabled (not (regexMatch "^[a-z]" $name)) }}
{{- fail (printf "the name %s-metrics of the Service would begin with a digit, which not every cluster takes: set fullnameOverride" $name) }}
{{- end }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if and $budget.enabled (kindIs "invalid" $budget.maxUnavailable) (not (include "unkey-operator.minAvailable" .)) }}
{{- fail "podDisruptionBudget.enabled needs podDisruptionBudget.maxUnavailable or podDisruptionBudget.minAvailable" }}
{{- end }}
{{- end }}

{{- /* Nothing if it is not set: neither "" nor null, but 0 is a number like others. */ -}}
{{- define "unkey-operator.minAvailable" -}}
{{- $least := .Values.podDisruptionBudget.minAvailable }}
{{- if not (kindIs "invalid" $least) }}{{ $least }}{{ end }}
{{- end }}
