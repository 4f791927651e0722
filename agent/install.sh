#!/bin/sh
# Installs, updates or removes the agent of Process Monitor on a server with systemd. Needs root.
#   curl -fsSL http://HUB/agent/install.sh | sudo sh -s -- --hub http://HUB --key KEY [--allow 'restart:nginx.service'] [--id NAME]
#   ... | sudo sh -s -- --uninstall
set -eu

LIB=/usr/lib/pmonitor
ETC=/etc/pmonitor
UNIT=/etc/systemd/system/pmonitor-agent.service
STATE=/var/lib/pmonitor-agent
AGENT=pmonitor-agent # its user
RULE=/etc/polkit-1/rules.d/50-pmonitor-agent.rules
SUDOERS=/etc/sudoers.d/pmonitor-agent

fail() { echo "pmonitor-agent: $*" >&2; exit 1; }
say() { echo "pmonitor-agent: $*"; }

usage() {
    cat <<'USAGE'
usage: install.sh --hub ADDRESS --key KEY [--allow ENTRIES] [--id NAME] [--ca FILE]
       install.sh --uninstall
  --hub      the hub's address, such as https://monitor.example.org
  --key      an enrolment key of the hub
  --allow    what the hub may do here, such as 'restart:nginx.service start,stop:app-*.service'; nothing by default
  --id       this server's name at the hub (default: the short hostname)
  --ca       a file with the certificate authority of the hub, where it is not a public one; it is copied
USAGE
}

uninstall() {
    systemctl disable --now pmonitor-agent.service 2>/dev/null || true
    rm -f "$UNIT" "$LIB/pmonitor-agent.pyz" "$ETC/agent.env" "$ETC/ca.crt" "$RULE" "$SUDOERS"
    rm -rf "$STATE" "$UNIT.d"
    rmdir "$LIB" "$ETC" 2>/dev/null || true
    systemctl daemon-reload
    if id "$AGENT" >/dev/null 2>&1; then userdel "$AGENT"; fi
    say "removed"
}

# Python 3.9 or newer, with psutil and requests.
python_is_ready() {
    /usr/bin/python3 -c 'import sys, psutil, requests; sys.exit(sys.version_info < (3, 9))' 2>/dev/null
}

install_python() {
    python_is_ready && return
    say "installing python3, psutil and requests"
    if command -v apt-get >/dev/null; then
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends python3 python3-psutil python3-requests
    elif command -v dnf >/dev/null; then
        dnf install -yq python3 python3-psutil python3-requests
    else
        fail "no apt-get and no dnf here: install python3 (3.9 or newer) with psutil and requests, then run this again"
    fi
    python_is_ready || fail "/usr/bin/python3 is older than 3.9, or psutil or requests is missing"
}

# Its own user, who may do nothing but what the rule made of ALLOW says.
make_user() {
    id "$AGENT" >/dev/null 2>&1 && return
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin \
        --comment "Process Monitor agent" "$AGENT" || fail "cannot make the user $AGENT"
}

# That rule is read by polkit, or by sudo where polkit is too old for rules.
install_polkit() {
    if [ -z "$ALLOW" ] || command -v pkaction >/dev/null || command -v visudo >/dev/null; then return; fi
    say "installing polkit, which lets the agent's user do what --allow says"
    if command -v apt-get >/dev/null; then
        apt-get update -q
        DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends polkitd
    elif command -v dnf >/dev/null; then
        dnf install -yq polkit
    fi || fail "cannot install polkit: install it, or sudo, then run this again"
}

download() { # address, file
    if command -v curl >/dev/null; then
        curl -fsSL ${CA:+--cacert "$CA"} -o "$2" "$1"
    else
        /usr/bin/python3 - "$1" "$2" "$CA" <<'PYTHON'
import sys, requests
address, file, ca = sys.argv[1:]
answer = requests.get(address, timeout=60, verify=ca or True)
answer.raise_for_status()
open(file, "wb").write(answer.content)
PYTHON
    fi || fail "cannot download $1"
}

# A value of agent.env, in quotes; characters that would end the quotes are refused.
setting() { # name, value
    case $2 in *[\"\'\\]* | *'
'*) fail "$1 must not hold quotes, backslashes or line breaks" ;; esac
    echo "$1=\"$2\""
}

HUB='' KEY='' ALLOW='' ID='' CA='' UNINSTALL=''
while [ $# -gt 0 ]; do
    case $1 in
        --uninstall) UNINSTALL=yes; shift; continue ;;
        -h | --help) usage; exit 0 ;;
        --hub | --key | --allow | --id | --ca) [ $# -ge 2 ] || fail "$1 needs a value" ;;
        *) usage >&2; fail "$1 is not an option" ;;
    esac
    case $1 in
        --hub) HUB=${2%/} ;;
        --key) KEY=$2 ;;
        --allow) ALLOW=$2 ;;
        --id) ID=$2 ;;
        --ca) CA=$2 ;;
    esac
    shift 2
done

[ "$(id -u)" = 0 ] || fail "run this as root"
command -v systemctl >/dev/null && [ -d /run/systemd/system ] || fail "systemd is not at work on this machine"
if [ -n "$UNINSTALL" ]; then uninstall; exit 0; fi
[ -n "$HUB" ] || fail "--hub is missing: the hub's address"
[ -n "$KEY" ] || [ -e "$STATE/token.json" ] || fail "--key is missing: an enrolment key of the hub"

install_python
install_polkit
install -d -m 0755 "$LIB" "$ETC"
download "$HUB/agent/pmonitor-agent.pyz" "$LIB/pmonitor-agent.pyz.new"
/usr/bin/python3 "$LIB/pmonitor-agent.pyz.new" --version >/dev/null || fail "what $HUB gave is not the agent"

# The agent's user may not be able to read it where it is.
if [ -n "$CA" ] && [ "$CA" != "$ETC/ca.crt" ]; then
    install -m 0644 "$CA" "$ETC/ca.crt" || fail "cannot copy $CA"
    CA=$ETC/ca.crt
fi

settings=$(
    setting API "$HUB"
    [ -z "$KEY" ] || setting ENROLMENT_KEY "$KEY"
    [ -z "$ID" ] || setting AGENT_ID "$ID"
    [ -z "$CA" ] || setting CA_FILE "$CA"
    setting ALLOW "$ALLOW"
)
(umask 077; printf '%s\n' "$settings" >"$ETC/agent.env.new")
/usr/bin/python3 "$LIB/pmonitor-agent.pyz.new" --check --config "$ETC/agent.env.new" || fail "the settings are wrong"

make_user
mv "$LIB/pmonitor-agent.pyz.new" "$LIB/pmonitor-agent.pyz"
mv "$ETC/agent.env.new" "$ETC/agent.env"
/usr/bin/python3 "$LIB/pmonitor-agent.pyz" --print-unit >"$UNIT"
systemctl daemon-reload
systemctl enable --quiet pmonitor-agent.service
systemctl restart pmonitor-agent.service
say "installed and started; its log: journalctl -u pmonitor-agent"
