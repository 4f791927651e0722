"""Installing the agent on a lab server by the steps its README gives an operator."""

import shlex

from tests.hosts.host import Host

SERVICE = "pmonitor-agent.service"


def install_agent(host: Host, hub_url: str, key: str, allow: str) -> None:
    """Run the hub's install script on the server; returns when the agent's service is active.

    `key` is an enrolment key; `allow` the units the agent may act on, as the script's --allow takes them.
    """
    options = shlex.join(["--hub", hub_url, "--key", key, "--allow", allow])
    script = shlex.quote(f"{hub_url}/agent/install.sh")
    host.run("bash", "-o", "pipefail", "-c", f"curl -fsSL {script} | sh -s -- {options}", timeout=600)
    host.wait_unit(SERVICE, ActiveState="active")


def uninstall_agent(host: Host, hub_url: str) -> None:
    """Run the hub's install script with --uninstall."""
    script = shlex.quote(f"{hub_url}/agent/install.sh")
    host.run("bash", "-o", "pipefail", "-c", f"curl -fsSL {script} | sh -s -- --uninstall")
