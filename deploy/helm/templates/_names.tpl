{{- define "genqueue.labels" -}}
app.kubernetes.io/name: genqueue
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "genqueue.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "genqueue.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- if .Values.pullSecrets }}
imagePullSecrets:
{{ toYaml .Values.pullSecrets | indent 2 }}
{{- end }}
{{- if .Values.nodeSelector }}
nodeSelector:
{{ toYaml .Values.nodeSelector | indent 2 }}
{{- end }}
volumes:
  - name: scratch
    emptyDir: {}
{{- end }}

{{- define "genqueue.container" -}}
image: {{ include "genqueue.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
volumeMounts:
  - { name: scratch, mountPath: /tmp }
envFrom:
  - secretRef: { name: {{ .Values.existingSecret | quote }} }
env:
  # Named here as well, so that a pod without it does not start: webhook secrets would lie open in the database.
  - name: GENQUEUE_SECRET_KEY
    valueFrom:
      secretKeyRef: { name: {{ .Values.existingSecret | quote }}, key: GENQUEUE_SECRET_KEY }
  - { name: GENQUEUE_METRICS_HOST, value: "0.0.0.0" }
  - { name: GENQUEUE_METRICS_PORT, value: {{ .Values.metricsPort | quote }} }
{{- if .Values.sandbox.enabled }}
  - { name: GENQUEUE_SANDBOX_URL, value: "http://{{ .Release.Name }}-sandbox:8090" }
{{- end }}
{{- range $name, $value := .Values.settings }}
  - { name: {{ $name }}, value: {{ $value | quote }} }
{{- end }}
{{- end }}
