"""Looks at the rendered chart: what Kubernetes' "restricted" standard asks, what belongs together, and what obol can read."""

import pathlib
import subprocess
import sys

import yaml

OBOL, WORK = sys.argv[1], pathlib.Path(sys.argv[2])


def rendered(case):
    documents = [d for d in yaml.safe_load_all((WORK / f"{case}.yaml").read_text()) if d]
    by_kind = {}
    for document in documents:
        assert document["apiVersion"] and document["metadata"]["name"], document
        by_kind.setdefault(document["kind"], []).append(document)
    return by_kind


def pod_of(things):
    (stateful_set,) = things["StatefulSet"]
    return stateful_set["spec"]["template"]["spec"]


def check_restricted(things):
    pod = pod_of(things)
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
    allowed = {"configMap", "secret"}
    assert all(set(volume) - {"name"} <= allowed for volume in pod["volumes"]), pod["volumes"]


def check_parts_fit(things):
    (stateful_set,) = things["StatefulSet"]
    labels = stateful_set["spec"]["template"]["metadata"]["labels"]
    selectors = [stateful_set["spec"]["selector"]["matchLabels"]]
    selectors += [service["spec"]["selector"] for service in things["Service"]]
    selectors += [budget["spec"]["selector"]["matchLabels"] for budget in things.get("PodDisruptionBudget", [])]
    for selector in selectors:
        assert selector and selector.items() <= labels.items(), selector
    services = {service["metadata"]["name"] for service in things["Service"]}
    assert stateful_set["spec"]["serviceName"] in services
    pod = pod_of(things)
    (container,) = pod["containers"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in stateful_set["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["obol", "drain"]
    assert pod["terminationGracePeriodSeconds"] > 5 + 10
    for probe, path in [("startup", "/healthz"), ("readiness", "/readyz"), ("liveness", "/healthz")]:
        asked = container[probe + "Probe"]
        ends = asked["httpGet"]["path"] if "httpGet" in asked else asked["exec"]["command"][-1]
        assert ends.endswith(path), (probe, asked)


def check_configuration(things, tls):
    (configuration,) = things["ConfigMap"]
    text = configuration["data"]["obol.toml"]
    file = WORK / "obol.toml"
    if tls:  # The certificate is not here, and everything else is to be right.
        text = "".join(line for line in text.splitlines(True) if not line.startswith("tls_"))
        text += 'behind_proxy = ["10.0.0.0/8"]\n'
    file.write_text(text)
    ran = subprocess.run([OBOL, "config", "check", "--config", file], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def main():
    sqlite, postgres = rendered("sqlite"), rendered("postgres")
    for things, tls in [(sqlite, False), (postgres, True)]:
        check_restricted(things)
        check_parts_fit(things)
        check_configuration(things, tls)
    assert "PodDisruptionBudget" not in sqlite and "Ingress" not in postgres
    (rule,) = sqlite["Ingress"][0]["spec"]["rules"]
    assert rule["host"] == "id.example.com"
    assert "exec" in pod_of(sqlite)["containers"][0]["readinessProbe"]
    assert postgres["StatefulSet"][0]["spec"]["replicas"] == 3
    assert postgres["PodDisruptionBudget"][0]["spec"]["maxUnavailable"] == 1
    readiness = pod_of(postgres)["containers"][0]["readinessProbe"]["httpGet"]
    assert readiness["scheme"] == "HTTPS"
    environment = {entry["name"]: entry for entry in pod_of(postgres)["containers"][0]["env"]}
    assert environment["OBOL_MASTER_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "obol-master", "key": "master.key"}


main()
