namespace PixelCnnCluster.Deployment.Tests;

/// <summary>Changes to the rendered manifests, wherever the text occurs, and a part of the complaint that each must cause.</summary>
public static class Breakages
{
    public static TheoryData<string, string, string> OfSilos => new()
    {
        // What Kubernetes does not know.
        { "replicas: 3", "replica: 3", "replica" },
        { "replicas: 3", "replicas: three", "three" },
        { "replicas: 3", "replicas: 3\n  replicas: 4", "replicas" },

        // What refers to something that is not there.
        { "kind: Service\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: pixelcnn\n  name: pixelcnn-redis",
            "kind: Service\nmetadata:\n  name: pixelcnn", "is there twice" },
        { "kind: Namespace\nmetadata:\n  labels:\n    app.kubernetes.io/part-of: pixelcnn\n    pod-security.kubernetes.io/enforce: " +
            "restricted\n  name: pixelcnn", "kind: Namespace\nmetadata:\n  name: other", "is in no namespace of ours" },
        { "  selector:\n    app.kubernetes.io/component: silo", "  selector:\n    app.kubernetes.io/component: silos",
            "Service pixelcnn selects no pod" },
        { "targetPort: gateway", "targetPort: gate", "Service pixelcnn leads to port gate" },
        { "selector:\n    matchLabels:\n      app.kubernetes.io/component: silo\n      app.kubernetes.io/part-of: pixelcnn\n  serviceName",
            "selector:\n    matchLabels:\n      app.kubernetes.io/part-of: pixelcnn\n  serviceName",
            "pixelcnn: its selector finds other pods" },
        { "serviceName: pixelcnn\n", "serviceName: silos\n", "pixelcnn: no service silos selects its pods" },
        { "serviceAccountName: pixelcnn", "serviceAccountName: default", "there is no service account default" },
        { "- labelSelector:\n          matchLabels:\n            app.kubernetes.io/component: silo",
            "- labelSelector:\n          matchLabels:\n            app.kubernetes.io/component: redis", "spread over nodes by other pods" },
        { "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: silo",
            "maxUnavailable: 1\n  selector:\n    matchLabels:\n      app.kubernetes.io/component: silos",
            "PodDisruptionBudget pixelcnn selects no pod" },
        { "mountPath: /data\n          name: data", "mountPath: /data\n          name: dat", "there is no volume dat to mount" },
        { "        - mountPath: /data\n          name: data\n", "", "volume data is mounted nowhere" },
        { "claimName: pixelcnn-runs", "claimName: runs", "there is no claim runs" },
        { "configMap:\n          name: pixelcnn-redis", "configMap:\n          name: redis", "there is no ConfigMap redis" },
        { "secretName: pixelcnn-tls", "secretName: silo-tls", "docs/kubernetes.md makes no secret silo-tls" },
        { "key: token", "key: http-token", "docs/kubernetes.md makes no secret pixelcnn-http with http-token" },
        { "path: /health/ready\n            port: http", "path: /health/ready\n            port: web", "a probe asks port web" },
        { "value: $(POD_NAME)", "value: $(HOST_NAME)", "HOST_NAME" },

        // What is no good practice.
        { "runAsNonRoot: true", "runAsNonRoot: false", "pixelcnn may run as root" },
        { "runAsUser: 999", "runAsUser: 0", "pixelcnn-redis may run as root" },
        { "seccompProfile:\n          type: RuntimeDefault", "seccompProfile:\n          type: Unconfined",
            "pixelcnn has no seccomp profile" },
        { "automountServiceAccountToken: false\n      containers", "automountServiceAccountToken: true\n      containers",
            "pixelcnn mounts a token" },
        { "automountServiceAccountToken: false\nkind", "kind", "ServiceAccount pixelcnn mounts its token" },
        { "enableServiceLinks: false", "enableServiceLinks: true", "gets variables for every service" },
        { "enableServiceLinks: false", "hostNetwork: true", "shares what is the node's" },
        { "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "can write to its image" },
        { "allowPrivilegeEscalation: false", "allowPrivilegeEscalation: true", "can gain privileges" },
        { "drop:\n            - ALL", "drop:\n            - NET_RAW", "keeps capabilities" },
        { "requests:\n            cpu: \"2\"\n", "requests:\n", "pixelcnn requests no cpu" },
        { "limits:\n            cpu: \"2\"\n            memory: 4Gi", "limits:\n            cpu: \"2\"",
            "pixelcnn has no limit of memory" },
        { "readinessProbe", "livenessProbe", "livenessProbe" },
        { "        startupProbe:\n          exec:\n            command:\n            - redis-cli\n            - -e\n            - " +
            "ping\n          failureThreshold: 60\n          periodSeconds: 2\n", "", "pixelcnn-redis lacks a probe" },
        { "redis:7.4.6-bookworm", "redis:latest", "has the image redis:latest" },
        { "pixelcnn:1.0.0-cpu", "pixelcnn", "has the image pixelcnn," },
        { "- name: REDISCLI_AUTH\n          valueFrom:\n            secretKeyRef:\n              key: password\n              name: " +
            "pixelcnn-redis", "- name: REDISCLI_AUTH\n          value: simple", "has the secret REDISCLI_AUTH written down" },
        { "kind: ServiceAccount\nmetadata:\n",
            "kind: ServiceAccount\nmetadata:\n  name: pixelcnn\n---\napiVersion: v1\nkind: Secret\nmetadata:\n",
            "Secret pixelcnn is in the manifests" },
        { "kind: ServiceAccount\nmetadata:\n",
            "kind: ServiceAccount\nmetadata:\n  name: pixelcnn\n---\napiVersion: v1\nkind: Pod\nmetadata:\n",
            "Pod pixelcnn makes pods that nothing here looks at" },

        // What the network lets pass.
        { "podSelector: {}\n  policyTypes:\n  - Ingress\n  - Egress", "podSelector: {}\n  policyTypes:\n  - Ingress",
            "no NetworkPolicy denies" },
        { "  podSelector:\n    matchLabels:\n      app.kubernetes.io/component: redis",
            "  podSelector:\n    matchLabels:\n      app.kubernetes.io/component: store", "NetworkPolicy redis selects no pod" },
        { "kubernetes.io/metadata.name: kube-system", "kubernetes.io/metadata.name: dns", "pixelcnn may not ask for names" },
        { "  - ports:\n    - port: redis\n    to:", "  - ports:\n    - port: silo\n    to:",
            "pixelcnn may not call port redis of pixelcnn-redis" },
        { "    ports:\n    - port: redis\n  podSelector", "    ports:\n    - port: silo\n  podSelector",
            "pixelcnn-redis does not let pixelcnn in at port redis" },
        { "    ports:\n    - port: silo\n    - port: gateway\n    - port: data\n", "", "pixelcnn lets pixelcnn in at port http" },
        { "kubernetes.io/metadata.name: monitoring", "kubernetes.io/metadata.name: observability",
            "the namespace monitoring may not read" },

        // Where the silo's program differs.
        { "name: Silo__Address", "name: Silo__Adress", "Adress" },
        { "name: Silo__HttpPort\n          value: \"8080\"", "name: Silo__HttpPort\n          value: many", "HttpPort" },
        { "name: Silo__GatewayPort\n          value: \"30000\"", "name: Silo__GatewayPort\n          value: \"70000\"",
            "Silo:GatewayPort is 70000" },
        { "name: Silo__Port\n          value: \"11111\"", "name: Silo__Port\n          value: \"11112\"",
            "Silo__Port is not the port named silo" },
        { "name: Silo__DataPort\n          value: \"11112\"", "name: Silo__DataPort\n          value: \"11113\"",
            "Silo__DataPort is not the port named data" },
        { "value: $(POD_IP)", "value: 127.0.0.1", "not named and addressed as their pods" },
        { "value: pixelcnn-redis:6379", "value: pixelcnn-redis:6380", "no service answers at pixelcnn-redis:6380" },
        { "value: $(Silo__Redis)", "value: pixelcnn:6379", "looks for another Redis" },
        { "name: PIXELCNN_TLS", "name: PIXELCNN_CERTIFICATES", "the console reads no variable PIXELCNN_CERTIFICATES" },
        { "value: /runs:/data", "value: /runs:/dat", "Silo__Folders names /dat" },
        { "name: Silo__Tls\n          value: /tls", "name: Silo__Tls\n          value: /certificates", "Silo__Tls names /certificates" },
        { "mountPath: /tls\n", "mountPath: /tls\n          subPath: tls.crt\n", "a part of a volume is mounted" },
        { "name: tls\n          readOnly: true\n        - mountPath: /tmp",
            "name: tls\n          readOnly: true\n        - mountPath: /var/tmp", "/tmp cannot be written to" },
        { "terminationGracePeriodSeconds: 90", "terminationGracePeriodSeconds: 60", "silos are killed after 60 s" },
        { "type: RollingUpdate", "type: OnDelete", "silos are not updated one by one" },
        { "path: /health/ready", "path: /ready", "probes ask" },
    };

    public static TheoryData<string, string, string> OfMonitoring => new()
    {
        { "podMetricsEndpoints", "podMetricEndpoints", "odMetric" },
        { "interval: 15s", "every: 15s", "every" },
        { "expr: ", "query: ", "query" },
        { "namespace: monitoring", "namespace: default", "is not in monitoring" },
        { "- pixelcnn\n", "- default\n", "PodMonitor looks into another namespace" },
        { "      app.kubernetes.io/component: silo", "      app.kubernetes.io/component: silos", "PodMonitor does not select the silos" },
        { "      app.kubernetes.io/component: silo\n", "", "PodMonitor does not select the silos" },
        { "port: http", "port: metrics", "PodMonitor asks a page that silos do not have" },
        { "severity: critical", "level: critical", "rule PixelCnnSiloDown is not whole" },
        { "grafana_dashboard: \"1\"", "dashboard: \"1\"", "Grafana does not see" },
        { "pixelcnn-run.json", "pixelcnn-a-run.json", "has not all dashboards" },
        { "\"uid\": \"pixelcnn-sampling\"", "\"uid\": \"pixelcnn-run\"", "two dashboards have one uid" },
    };
}
